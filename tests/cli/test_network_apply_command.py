"""`domu network apply` and its companions where there is nothing to act on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli import app
from tests.netsite import lay_site

app.load_commands()


@pytest.mark.parametrize(
    "words",
    [
        ["--check", "192.0.2.1"],
        ["--yes", "--check", "a b"],
        ["--confirm-within", "0"],
        ["--confirm-within", "soon"],
    ],
    ids=["a check without --yes", "a host that is none", "no time", "no number"],
)
def test_usage(tmp_path: Path, words: list[str]) -> None:
    assert app.call(["--site", str(lay_site(tmp_path)), "network", "apply", *words]) == app.USAGE


@pytest.mark.parametrize("command", ["confirm", "rollback"])
def test_there_is_nothing_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert app.call(["network", command, "--root", str(tmp_path)]) == app.FINDINGS
    assert "there never was one here" in capsys.readouterr().err


def test_how_the_last_one_ended_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "var/lib/domu/network"
    folder.mkdir(parents=True)
    last = {"id": "ab12", "outcome": "taken back", "reason": "it was not confirmed within 60 s", "problems": []}
    (folder / "last.json").write_text(json.dumps(last))
    assert app.call(["network", "confirm", "--root", str(tmp_path)]) == app.FINDINGS
    assert "(ab12) was taken back: it was not confirmed within 60 s" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{}", '{"phase": "dancing"}', "[1]", "no json"])
def test_a_journal_that_is_not_ours_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    folder = tmp_path / "var/lib/domu/network"
    folder.mkdir(parents=True)
    (folder / "trial.json").write_text(text)
    assert app.call(["network", "rollback", "--root", str(tmp_path)]) == app.FINDINGS
    assert "trial.json" in capsys.readouterr().err
    assert (folder / "trial.json").read_text() == text


def test_a_site_without_networks_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = lay_site(tmp_path / "site", "outer: eth0\n", {})
    assert app.call(["--site", str(site), "network", "apply", "--root", str(tmp_path)]) == app.FINDINGS
    assert "names no networks" in capsys.readouterr().err
