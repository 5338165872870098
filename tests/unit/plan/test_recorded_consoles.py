"""Consoles of real installers, as QEMU's serial port or xenconsoled kept them, each told as it was meant to end.

Recorded by tests/boot/test_watch.py and the Xen lab, from the start of the installer's syslog on.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.plan.watch import InstallWatch, Verdict, kept_logs
from builder.profile.model import Suite
from builder.units import Size
from builder.workflows.look_up import look_up
from builder.xen.readings import Domain, DomainState

FOLDER = Path(__file__).parents[2] / "data/consoles"
RUNNING = Domain("web1", 1, Size(1 << 30), 1, DomainState(running=True), 0.0)
# File, kind, question, words of the hint, overall percentage that was reached.
RECORDED = (
    ("trixie-language", "question", "localechooser/languagelist", "d-i debian-installer/locale", 0),
    ("trixie-language-of-german", "question", "localechooser/languagelist", "d-i debian-installer/locale", 0),
    ("trixie-gateway", "question", "netcfg/get_gateway", "d-i netcfg/get_gateway string", 2),
    ("trixie-root-password", "question", "passwd/root-password", "d-i passwd/root-password-crypted password", 4),
    ("trixie-partman-confirm", "question", "partman/confirm_nooverwrite", "confirm_nooverwrite boolean true", 14),
    ("trixie-early-step", "gave up", "", "domu-early.log", 0),
    ("trixie-mirror", "gave up", "mirror/bad", "mirror", 4),
    ("xen-continent", "question", "localechooser/continentlist", "d-i debian-installer/country", 0),
)


def suite_of(name: str) -> Suite:
    return "bookworm" if name.startswith("bookworm") else "trixie"


def watched(text: str, suite: Suite) -> tuple[InstallWatch, list[tuple[int, Verdict]]]:
    """The console line by line, one a second; every verdict that was reached before its end, and by which line."""
    watch, found = InstallWatch("web1", look_up(None, suite).catalogue), []
    for number, line in enumerate(text.splitlines(keepends=True)):
        watch.feed(line, float(number))
        if verdict := watch.look(float(number), RUNNING):
            found.append((number, verdict))
    return watch, found


def test_every_console_is_in_the_table() -> None:
    assert {name for name, *_ in RECORDED} == {file.stem for file in FOLDER.glob("*.txt")}


@pytest.mark.parametrize(("name", "kind", "question", "hint", "overall"), RECORDED, ids=[row[0] for row in RECORDED])
def test_a_recorded_console_is_told(name: str, kind: str, question: str, hint: str, overall: int) -> None:
    text = (FOLDER / f"{name}.txt").read_bytes().decode()
    watch, early = watched(text, suite_of(name))
    end = float(len(text.splitlines()))
    verdict = early[0][1] if early else watch.look(end + watch.limits.logs, RUNNING)
    assert verdict
    assert verdict.kind == kind
    assert (verdict.prompt.names[0] if verdict.prompt and verdict.prompt.names else "") == question
    assert hint in verdict.hint
    assert watch.stage.overall == overall
    assert verdict.transient is (name == "trixie-mirror")
    assert kept_logs(text)["syslog"].count("\n") > 3


@pytest.mark.parametrize("name", [row[0] for row in RECORDED])
def test_nothing_is_told_before_its_prompt(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_bytes().decode()
    prompt = max(text.rfind("Prompt: '?'"), text.rfind("[Press enter"), text.rfind("steps failed"))
    _, early = watched(text[:prompt].rpartition("\n")[0] + "\n", suite_of(name))
    assert early == []
