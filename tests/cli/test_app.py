"""The front door: exit statuses, and what a person sees for each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from builder.cli import app
from builder.errors import BuilderError
from tests.guests import ROOT

app.load_commands()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The sample site, with a mirror of its own so that apt is not asked."""
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles", ignore=shutil.ignore_patterns("media.lock"))
    shared = tmp_path / "profiles" / "site.yaml"
    text = shared.read_text().replace("mirror: auto", "mirror: http://mirror.example.org/debian")
    shared.write_text(text.replace("proxy: auto", "proxy: none"))
    return tmp_path


def domu(site: Path, *words: str) -> int:
    return app.call(["--site", str(site), *words])


def test_a_sound_site_is_fine(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert domu(site, "check") == app.FINE
    assert capsys.readouterr().out == "4 guests checked: no findings\n"


def test_findings_are_one_and_carry_their_place(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "profiles" / "bad.yaml").write_text("suite: trixy\nmemmory: 1G\n")
    assert domu(site, "check") == app.FINDINGS
    out = capsys.readouterr().out
    assert f"{site}/profiles/bad.yaml:1:8: error" in out
    assert "did you mean 'memory'?" in out
    assert out.splitlines()[-1].startswith("5 guests checked: 2 errors")


def test_findings_as_json(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "profiles" / "bad.yaml").write_text("suite: trixy\n")
    assert domu(site, "check", "--json", "bad") == app.FINDINGS
    data = json.loads(capsys.readouterr().out)
    assert data["ok"] is False
    assert data["guests"] == ["bad"]
    assert [(one["line"], one["column"], one["severity"]) for one in data["findings"]] == [(1, 8, "error")]


def test_strict_counts_warnings(site: Path) -> None:
    (site / "profiles" / "odd.yaml").write_text("proxy: http://127.0.0.1:3142\n")
    assert domu(site, "check", "odd") == app.FINE
    assert domu(site, "check", "odd", "--strict") == app.FINDINGS


@pytest.mark.parametrize("words", [["check", "--no-such"], ["no-such"], ["show"], ["passwd", "--method", "md5"]])
def test_usage_is_two(site: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert domu(site, *words) == app.USAGE
    assert "Usage: " in capsys.readouterr().err


def test_no_site_is_a_refusal_that_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert domu(tmp_path, "check") == app.FINDINGS
    assert "domu init DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BuilderError("no", "do this"), app.FINDINGS, "domu: no\n  do this"),
        (KeyboardInterrupt(), app.INTERRUPTED, "interrupted"),
        (ZeroDivisionError("division by zero"), app.FAULT, "a fault of domu's own"),
    ],
    ids=["error", "interrupt", "fault"],
)
def test_errors_become_statuses(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    said: str,
) -> None:
    def fail(*_words: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr(app, "app", fail)
    assert app.call([]) == status
    told = capsys.readouterr().err
    assert said in told
    if status == app.FAULT:
        log = Path(told.split()[-1])
        assert "ZeroDivisionError" in log.read_text()
        assert log.stat().st_mode & 0o777 == 0o600
        log.unlink()


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    from builder import __version__

    assert app.call(["--version"]) == app.FINE
    assert capsys.readouterr().out == f"domu {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_is_offered(
    shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise Typer goes by the shell that these tests were started from, whatever is named.
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    assert app.call(["--show-completion", shell]) == app.FINE
    assert "_DOMU_COMPLETE" in capsys.readouterr().out
