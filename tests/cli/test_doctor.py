"""`domu doctor`: exit statuses and JSON, on whatever machine the tests run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli import app
from builder.xen.doctor.checks import CHECKS
from tests.sites import PROFILE

app.load_commands()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/web1.yaml").write_text(PROFILE + "mirror: http://127.0.0.1:9/debian\nproxy: none\n")
    return tmp_path


def test_json_has_every_check(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = app.call(["--site", str(site), "doctor", "--json"])
    data = json.loads(capsys.readouterr().out)
    assert {row["code"] for row in data["checks"]} == {check.code for check in CHECKS}
    assert (status == app.FINE) == data["ok"] == (not data["summary"]["wrong"])
    assert sum(data["summary"].values()) == len(data["checks"])


def test_text_ends_in_a_count_and_lines_to_paste(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app.call(["--site", str(site), "doctor"])
    out = capsys.readouterr().out
    assert " fine, " in out
    assert "\x1b" not in out


def test_profiles_with_errors_are_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "profiles/db1.yaml").write_text("suite: sarge\n")
    assert app.call(["--site", str(site), "doctor"]) == app.FINDINGS
    assert "left out, as their profiles have errors: db1" in capsys.readouterr().out
