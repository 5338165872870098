"""`domu doctor`: exit statuses, JSON, and what `--fix` asks, on whatever machine the tests run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from builder.cli import app
from builder.workflows import doctor as workflow
from builder.xen.doctor.check import Diagnosis, Verdict
from builder.xen.doctor.checks import CHECKS
from builder.xen.doctor.fixes import Fix
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


def test_profiles_with_errors_are_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "profiles/db1.yaml").write_text("suite: sarge\n")
    assert app.call(["--site", str(site), "doctor"]) == app.FINDINGS
    out = capsys.readouterr().out
    assert "left out, as their profiles have errors: db1" in out
    assert " fine, " in out
    assert "\x1b" not in out


def test_without_a_site_the_machine_alone_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOMU_SITE", raising=False)
    app.call(["doctor"])
    assert "no site was named" in capsys.readouterr().out


FIXES = [Fix("consoles", "keep guests' consoles"), Fix("grub", "start with Xen")]
ANSWERS = {
    "wrong": Diagnosis(Verdict.WRONG, "no Xen", fix=FIXES[1], code="D102", subject="default start"),
    "warn": Diagnosis(Verdict.WARN, "no log", fix=FIXES[0], code="D119", subject="console logs"),
    "unknown": Diagnosis(Verdict.UNKNOWN, "no bus", code="D134", subject="clock"),
    "ok": Diagnosis(Verdict.OK, "fine", code="D101", subject="Domain-0"),
}


@pytest.fixture
def mended(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[str]:
    """A machine with these answers; the names of what was mended. What is mended is fine when looked at again."""
    done: list[str] = []

    def look(*_: object, **__: object) -> workflow.Examined:
        answers = [ANSWERS[word] for word in request.param]
        healed = [replace(one, verdict=Verdict.OK) if one.fix and one.fix.name in done else one for one in answers]
        return workflow.Examined(tuple(healed))

    def mend(fixes: Sequence[Fix], **_: object) -> None:
        done.extend(fix.name for fix in fixes)

    monkeypatch.setattr(workflow, "doctor", look)
    monkeypatch.setattr(workflow, "mend", mend)
    return done


@pytest.mark.parametrize(
    ("mended", "words", "status"),
    [
        (["ok"], [], app.FINE),
        (["ok", "unknown"], [], app.FINE),
        (["ok", "unknown"], ["--strict"], app.FINE),
        (["warn"], [], app.FINE),
        (["warn"], ["--strict"], app.FINDINGS),
        (["wrong", "ok"], [], app.FINDINGS),
        (["wrong", "ok"], ["--json"], app.FINDINGS),
        (["wrong", "warn"], ["--fix", "--yes"], app.FINE),
        (["wrong", "warn"], ["--fix", "--yes", "--dry-run"], app.FINDINGS),
    ],
    indirect=["mended"],
)
def test_exit_status(site: Path, mended: list[str], words: list[str], status: int) -> None:
    assert app.call(["--site", str(site), "doctor", *words]) == status
    assert mended == (["grub", "consoles"] if words == ["--fix", "--yes"] else [])


@pytest.mark.parametrize("mended", [["wrong", "warn"]], indirect=True)
@pytest.mark.parametrize(("said", "done"), [("y\ny\n", ["grub", "consoles"]), ("n\ny\n", ["consoles"]), ("\n\n", [])])
def test_each_mend_is_asked_for(
    site: Path, mended: list[str], monkeypatch: pytest.MonkeyPatch, said: str, done: list[str]
) -> None:
    answers = iter(said.splitlines())
    monkeypatch.setattr("typer.confirm", lambda *_, **__: next(answers) == "y")
    app.call(["--site", str(site), "doctor", "--fix"])
    assert mended == done


@pytest.mark.parametrize("mended", [["wrong", "warn"]], indirect=True)
def test_json_stays_json_while_mending(site: Path, mended: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert app.call(["--site", str(site), "doctor", "--json", "--fix", "--yes"]) == app.FINE
    shown = capsys.readouterr()
    assert json.loads(shown.out)["ok"]
    assert "grub: start with Xen" in shown.err
    assert mended == ["grub", "consoles"]
