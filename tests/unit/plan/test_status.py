"""How guests stand, from what was looked at: the domain, the last run, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from builder.plan.estimate import Estimate, Span
from builder.plan.journal import Ended, Failed, Record, Run, Started, Stopped, parse_journal
from builder.plan.status import BuildSeen, GuestStatus, RunSeen, Seen, status_of, unknown_here
from builder.plan.steps import Install, RemoveFiles, Start, Step
from builder.units import Size
from builder.xen.config import folder_of
from builder.xen.doctor.fact import Known, Unknown
from builder.xen.readings import Domain, DomainState
from tests import journals
from tests.guests import guest
from tests.unit.plan.test_rebuild import domain

GIB = Size(1 << 30)
WEB1 = guest()
STEPS: tuple[Step, ...] = (
    Install("web1", WEB1.domain_uuid, "web1.install.cfg", GIB),
    Start("web1", WEB1.domain_uuid, "web1.cfg", GIB),
)
REMOVAL: tuple[Step, ...] = (RemoveFiles("web1", "/var/lib/domu/web1", ("web1.cfg",)),)
NOW = journals.NIGHT + timedelta(minutes=30)
AWAY = Unknown("this machine is no dom0")


def run(seconds: Sequence[float], *more: Record, steps: Sequence[Step] = STEPS) -> Run:
    """Cut off after the steps that took so long, and then these records."""
    return parse_journal(journals.text([*journals.records("web1", steps, seconds, outcome=None), *more]))[0]


DONE = run([1500, 9], Ended(NOW, "done"))
BEGUN = Started(0, journals.NIGHT)
QUESTION = Failed(0, NOW, "question", "it waits at a question: mirror/country", "write mirror/country into the preseed")
FAILED = run([], BEGUN, QUESTION, Ended(NOW, "failed"))


CURRENT = BuildSeen(there=True)


@dataclass(frozen=True)
class Case:
    """web1 built, running and never rebuilt, but for what a row changes."""

    build: BuildSeen = CURRENT
    domains: tuple[Domain, ...] = (domain(),)
    runs: tuple[Run, ...] = ()
    at_work: bool = False

    def status(self) -> GuestStatus:
        return status_of(self.seen(), NOW)

    def seen(self) -> Seen:
        build, domains, runs = Known(self.build), Known(self.domains), Known(self.runs)
        estimate = Estimate((Span(2400, 2400), Span(10, 10)))
        return Seen("web1", WEB1, build, domains, runs, Known(()), self.at_work, estimate)


def installer() -> Domain:
    own = domain()
    assert own.config
    return replace(own, config=replace(own.config, kernel=f"{folder_of(WEB1)}/vmlinuz"))


@pytest.mark.parametrize(
    ("domains", "said"),
    [
        pytest.param((), "off", id="none"),
        pytest.param((domain(),), "idle (domain 3)", id="its own"),
        pytest.param((installer(),), "installing (domain 3)", id="its installer"),
        pytest.param((domain(state=DomainState(paused=True)),), "paused (domain 3)", id="paused"),
        pytest.param((domain("other", uuid=WEB1.domain_uuid),), "idle (domain 3)", id="its own under another name"),
        pytest.param(
            (domain(uuid="3f0a3c5e-1111-4222-8333-0123456789ab"),),
            "another one has its name (domain 3)",
            id="somebody else's",
        ),
        pytest.param(
            (domain("web1-20261123T0300Z", uuid="", state=DomainState(shutdown="crash")),),
            "crashed, kept as domain 3",
            id="crashed and kept",
        ),
    ],
)
def test_the_domain(domains: tuple[Domain, ...], said: str) -> None:
    assert Case(domains=domains).status().domain == Known(said)


def test_a_guest_whose_profile_has_errors_is_known_by_its_name() -> None:
    assert status_of(replace(Case().seen(), guest=None), NOW).domain == Known("idle (domain 3)")


RUNS = {
    "never": (Case(), "never", 0, ()),
    "ready": (Case(runs=(DONE,)), "done", 2, ()),
    "ready and off": (Case(runs=(DONE,), domains=()), "done", 2, ("xl create /var/lib/domu/web1/web1.cfg",)),
    "cut off": (Case(runs=(run([], BEGUN),)), "cut off", 1, ("domu rebuild web1",)),
    "stopped": (Case(runs=(run([1500], Stopped(NOW, "stopped")),)), "stopped", 2, ("domu rebuild web1",)),
    "failed": (Case(runs=(FAILED,)), "failed", 1, ("write mirror/country into the preseed", "domu rebuild web1")),
    "given up": (Case(runs=(run([], BEGUN, Ended(NOW, "given up")),)), "given up", 1, ()),
    "installing": (Case(runs=(run([], BEGUN),), at_work=True), "under way", 1, ("to look on: xl console -t pv web1",)),
    "starting": (Case(runs=(run([1500]),), at_work=True), "under way", 2, ()),
    "removed": (Case(runs=(run([2], Ended(NOW, "done"), steps=REMOVAL),), domains=()), "done", 1, ()),
    "removal cut off": (Case(runs=(run([], BEGUN, steps=REMOVAL),)), "cut off", 1, ("domu remove web1",)),
    "not built": (Case(build=BuildSeen(there=False)), "never", 0, ("domu build web1",)),
    "stale": (Case(build=BuildSeen(there=True, stale="it changed")), "never", 0, ("domu build web1",)),
    "stale and cut off": (
        Case(build=BuildSeen(there=True, stale="it changed"), runs=(run([], BEGUN),)),
        "cut off",
        1,
        ("domu build web1", "domu rebuild web1 --anew"),
    ),
    "stale and failed": (
        Case(build=BuildSeen(there=True, stale="it changed"), runs=(FAILED,)),
        "failed",
        1,
        ("write mirror/country into the preseed", "domu build web1", "domu rebuild web1"),
    ),
}


def last_of(status: GuestStatus) -> RunSeen:
    assert isinstance(status.last, Known)
    return status.last.value


@pytest.mark.parametrize("name", RUNS)
def test_the_last_run_and_what_to_do(name: str) -> None:
    case, standing, step, todo = RUNS[name]
    status = case.status()
    last = last_of(status)
    assert (last.standing, last.step) == (standing, step)
    assert status.next == todo
    assert status.bad == (standing in {"cut off", "stopped", "failed"})


def test_how_long_it_takes_still() -> None:
    last = last_of(Case(runs=(run([], BEGUN),), at_work=True).status())
    assert (last.since, last.left) == (journals.NIGHT, 2400 - 1800 + 10)
    assert last_of(Case(runs=(run([], BEGUN),)).status()).left is None


def test_the_last_good_rebuild_is_no_removal_and_no_failure() -> None:
    removed = run([2], Ended(NOW, "done"), steps=REMOVAL)
    assert Case(runs=(DONE, FAILED)).status().good == DONE
    assert Case(runs=(DONE, removed)).status().good == DONE
    assert Case(runs=(removed, FAILED)).status().good is None


def test_what_cannot_be_known_is_said_once() -> None:
    seen = replace(Case().seen(), domains=AWAY, runs=AWAY, drills=AWAY)
    status = status_of(seen, datetime.now(NOW.tzinfo))
    assert (status.domain, status.last, status.drill) == (AWAY, AWAY, AWAY)
    assert status.next == ()
    assert not status.bad
    assert unknown_here([status, status]) == ("this machine is no dom0",)
