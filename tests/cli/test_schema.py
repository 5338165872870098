"""`domu schema`: JSON on standard output, the same as the sample's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli.app import call, load_commands

load_commands()


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["schema"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert out == (Path(__file__).parents[2] / "profiles" / "schema.json").read_text()


def test_the_schema_of_dom0_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["schema", "dom0"]) == 0
    assert capsys.readouterr().out == (Path(__file__).parents[2] / "profiles" / "dom0.schema.json").read_text()
