"""What a run does that finds another's journal, and with a step that nobody knows the end of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builder.findings import Finding, Severity
from builder.plan.going_on import (
    ATTEMPTS,
    Begin,
    GoOn,
    asks_for_login,
    choose,
    may_try_again,
    pause_before,
    run_name,
    unfinished_note,
    way_to_install,
    way_to_start,
    weigh,
)
from builder.plan.journal import Begun, Done, Ended, Failed, Record, Run, Started, Stopped
from builder.plan.rebuild import Build
from builder.plan.steps import Install, Start, StopDomain, Wait
from builder.profile.model import Guest
from builder.units import Size
from builder.xen.domain_config import DomainConfig, DomainDisk
from builder.xen.readings import Domain, DomainState
from tests.guests import guest

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
UUID = "3f0a3c5e-1111-4222-8333-0123456789ab"
STEPS = (
    StopDomain("web1", 3, UUID),
    Install("web1", UUID, "/var/lib/domu/web1/web1.install.cfg", Size(1 << 30)),
    Start("web1", UUID, "/var/lib/domu/web1/web1.cfg", Size(1 << 30)),
    Wait("web1", "", 22, (), 60),
)
SAME = Build("/site/build/web1", Size(1), {}, "", "key")


def run(*records: Record) -> Run:
    found = Run(Begun("20261123T030000Z", "web1", NOW, "key", STEPS))
    for record in records:
        found = found.with_record(record)
    return found


def at(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def done(steps: int) -> list[Record]:
    return [record for step in range(steps) for record in (Started(step, at(step)), Done(step, at(step)))]


def failed(step: int, reason: str = "question") -> list[Record]:
    return [*done(step), Started(step, at(9)), Failed(step, at(10), reason, "why"), Ended(at(11), "failed")]


RUNS = {
    "ended well": run(*done(4), Ended(at(9), "done")),
    "given up": run(*done(1), Ended(at(9), "given up")),
    "cut off between steps": run(*done(1)),
    "cut off in the installation": run(*done(1), Started(1, at(5))),
    "stopped": run(*done(1), Started(1, at(5)), Stopped(at(6), "stopped")),
    "failed before the installation": run(*failed(0)),
    "failed in the installation": run(*failed(1)),
    "failed behind the installation": run(*failed(3)),
}
CHANGED = Build("/site/build/web1", Size(1), {}, "", "another key")
STALE = Build("/site/build/web1", Size(1), {}, "the profile changed", "key")
BUILDS = {"same": SAME, "changed": CHANGED, "stale": STALE, "none": None}
# What is done with the last run: by what is built now.
CHOICES: dict[str, tuple[str, str]] = {  # with the same build, with any other
    "ended well": ("begin", "begin"),
    "given up": ("begin", "begin"),
    "cut off between steps": ("go on", "G112"),
    "cut off in the installation": ("go on", "G112"),
    "stopped": ("go on", "G112"),
    "failed before the installation": ("give up", "give up"),
    "failed in the installation": ("go on", "give up"),
    "failed behind the installation": ("go on", "give up"),
}


def word_for(last: Run, build: Build | None, *, anew: bool = False) -> str:
    earlier = RUNS["given up"]
    choice = choose("web1", [earlier, last], build, anew=anew)
    if isinstance(choice, Finding):
        assert "--anew" in choice.hint
        return choice.code
    if isinstance(choice, GoOn):
        assert choice.run is last
        return "go on"
    assert choice.gives_up in (None, last)
    return "give up" if choice.gives_up else "begin"


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("name", RUNS)
def test_what_is_done_with_the_last_run(name: str, build: str) -> None:
    assert word_for(RUNS[name], BUILDS[build]) == CHOICES[name][build != "same"]


@pytest.mark.parametrize("name", RUNS)
def test_anew_gives_up_what_is_not_over(name: str) -> None:
    over = name in {"ended well", "given up"}
    assert word_for(RUNS[name], CHANGED, anew=True) == ("begin" if over else "give up")


def test_a_removal_that_was_cut_off_is_not_gone_on_with() -> None:
    removal = Run(Begun("20261123T030000Z", "web1", NOW, "", STEPS[:1])).with_record(Started(0, at(1)))
    choice = choose("web1", [removal], SAME)
    assert isinstance(choice, Finding)
    assert "domu remove web1" in choice.hint
    assert choose("web1", [removal], SAME, anew=True) == Begin(gives_up=removal)
    assert unfinished_note("web1", [removal]) is None


def test_a_plan_tells_of_a_run_that_is_not_over() -> None:
    assert unfinished_note("web1", []) is None
    for name, last in RUNS.items():
        note = unfinished_note("web1", [last])
        assert (note is not None) == (last.state == "unfinished"), name
        assert note is None or (note.severity is Severity.NOTE and last.id in note.message)


@pytest.mark.parametrize(
    ("console", "asks"),
    [
        ("\r\nDebian GNU/Linux 13 web1 hvc0\r\n\r\nweb1 login: ", True),
        ("web1 login: \n[   12.000000] eth0: up\n", True),
        ("Debian GNU/Linux 13 web10 hvc0\n\nweb10 login: ", False),
        ("[    9.000000] web1 login: is no prompt\n", False),
        ("", False),
    ],
    ids=["prompt", "kernel behind it", "another guest", "within a line", "nothing"],
)
def test_a_login_prompt(console: str, asks: bool) -> None:
    assert asks_for_login("web1", console) is asks


def test_that_a_guest_could_not_be_asked_does_not_fail_a_rebuild() -> None:
    found = weigh([Finding("W102", "cannot be asked"), Finding("W113", "has no NIC")])
    assert [one.severity for one in found] == [Severity.WARNING, Severity.ERROR]


def test_without_a_journal_a_run_begins() -> None:
    assert choose("web1", [], SAME) == Begin()


@pytest.mark.parametrize("taken", [[], ["20261123T030000Z"], ["20261123T030000Z", "20261123T030000Z-2"]])
def test_the_name_of_a_run_is_new(taken: list[str]) -> None:
    name = run_name(NOW, taken)
    assert name.startswith("20261123T030000Z")
    assert name not in taken


PV = guest({"name": "web1"})
HVM = guest({"name": "web1", "type": "hvm", "media": "iso", "iso": "a.iso", "iso_sha256": "0" * 64})
ISO = DomainDisk("hdc", "/var/lib/domu/web1/installer.iso", writable=False, cdrom=True)


def config(kernel: str = "", disks: tuple[DomainDisk, ...] = ()) -> DomainConfig:
    size = Size(1 << 30)
    actions = ("destroy", "restart", "restart")
    return DomainConfig("web1", UUID, "pv", size, size, 1, kernel, "", "", "", disks, (), *actions)


def domain(known: DomainConfig | None, **state: Any) -> Domain:
    return Domain("web1", 7, Size(1 << 30), 1, DomainState(**state), 1.0, UUID, known)


INSTALLER = config("/var/lib/domu/web1/vmlinuz")
RUNNING = config("/usr/lib/grub-xen/grub-x86_64-xen.bin")
DIRECT = config("/var/lib/domu/web1/installed/vmlinuz")
DOMAINS: dict[str, tuple[Guest, Domain | None]] = {
    "none": (PV, None),
    "installer": (PV, domain(INSTALLER, running=True)),
    "installer from an ISO": (HVM, domain(config(disks=(ISO,)), blocked=True)),
    "being made": (PV, domain(None, paused=True)),
    "installed": (PV, domain(RUNNING, blocked=True)),
    "installed, kernel in dom0": (PV, domain(DIRECT, blocked=True)),
    "installed, from its disk": (HVM, domain(config(disks=()), blocked=True)),
    "powered off": (PV, domain(None, shutdown="poweroff")),
    "crashed": (PV, domain(None, shutdown="crash")),
    "dying": (PV, domain(None, dying=True)),
}
# What to do: about an installation that was begun, about one that is to begin, about the start of what is installed.
WAYS = {
    "none": ("watch", "create", "create"),
    "installer": ("watch", "destroy", "refuse"),
    "installer from an ISO": ("watch", "destroy", "refuse"),
    "being made": ("wait", "destroy", "wait"),
    "installed": ("installed?", "destroy", "runs"),
    "installed, kernel in dom0": ("installed?", "destroy", "runs"),
    "installed, from its disk": ("installed?", "destroy", "runs"),
    "powered off": ("watch", "destroy", "destroy"),
    "crashed": ("watch", "destroy", "destroy"),
    "dying": ("watch", "destroy", "destroy"),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_what_is_done_about_a_domain(name: str) -> None:
    subject, found = DOMAINS[name]
    assert (
        way_to_install(subject, found, begun=True),
        way_to_install(subject, found, begun=False),
        way_to_start(subject, found),
    ) == WAYS[name]


@pytest.mark.parametrize("name", [name for name, ways in WAYS.items() if "create" in ways[:2]])
def test_an_installer_is_only_made_where_there_is_no_domain(name: str) -> None:
    assert DOMAINS[name][1] is None


def test_an_installation_is_tried_again_a_few_times_and_only_for_what_may_pass() -> None:
    assert [may_try_again(attempt, transient=True) for attempt in range(1, ATTEMPTS + 1)] == [True, True, False]
    assert not may_try_again(1, transient=False)
    assert pause_before(2) < pause_before(3)
