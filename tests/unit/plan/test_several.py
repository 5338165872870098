"""A command about several guests that was cut off: who is ready, what new runs are called, and what the rest takes."""

from __future__ import annotations

import pytest

from builder.plan.going_on import Begin, Choice, GoOn
from builder.plan.journal import Outcome, Run, parse_journal
from builder.plan.rebuild import Build, Candidate
from builder.plan.schedule import MEMORY, Schedule, Take, Turn
from builder.plan.several import done_before, family_for, family_of, schedule_all
from builder.plan.steps import ChangeVolume, Install, RemoveFiles, Start, Step
from builder.storage.steps import CreateVolume
from builder.units import Size
from builder.xen.memory import memory_needed
from tests import journals
from tests.guests import guest
from tests.lvm_reports import lv
from tests.unit.plan.test_rebuild import Case

GIB = Size(1 << 30)
WEB1, DB1 = guest(), guest({"name": "db1", "install_memory": "2G"})
BUILD = Build("/site/build/web1", GIB, {}, key="key")
FAMILY = "20261122T030000Z"


def run(name: str, *, outcome: Outcome | None = "done", family: str = FAMILY, steps: int = 3, done: int = 0) -> Run:
    """A run with the key of BUILD; of `steps`, the last so many, and `done` of these."""
    uuid = guest({"name": name}).domain_uuid
    disk = CreateVolume(name, "vg0", f"{name}-disk", 250, Size(250 << 22), frozenset({"domu"}))
    own: tuple[Step, ...] = (
        ChangeVolume(name, disk),
        Install(name, uuid, f"{name}.install.cfg", Size(2 << 30)),
        Start(name, uuid, f"{name}.cfg", GIB),
    )
    chosen = own[-steps:]
    seconds = [1.0] * (len(chosen) if outcome == "done" else done)
    text = journals.text(journals.records(name, chosen, seconds, outcome=outcome))
    return parse_journal(text.replace(FAMILY, family))[0]


def candidate(name: str, build: Build | None = BUILD) -> Candidate:
    return Candidate(guest({"name": name}), build, ())


def ready(*runs: Run, build: Build | None = BUILD) -> list[str]:
    """Guests of a command about web1, db1 and app1 that need not be rebuilt, after these as their last runs."""
    last = {one.begun.guest: one for one in runs}
    choices: dict[str, Choice] = {
        name: GoOn(last[name]) if name in last and last[name].state != "done" else Begin()
        for name in ("web1", "db1", "app1")
    }
    found = done_before([candidate(name, build) for name in choices], choices, {name: [last[name]] for name in last})
    assert all(found[name] is last[name] for name in found)
    return sorted(found)


@pytest.mark.parametrize("other", [None, "failed", "given up"])
def test_who_is_ready_is_not_rebuilt_while_others_of_the_command_are_not(other: Outcome | None) -> None:
    assert ready(run("web1"), run("db1", outcome=other)) == ["web1"]


def test_a_command_that_came_to_its_end_begins_anew() -> None:
    assert ready(run("web1"), run("db1"), run("app1")) == []


def test_another_commands_run_tells_nothing() -> None:
    assert ready(run("web1"), run("db1", outcome=None, family="20261123T000000Z")) == []


def test_a_run_that_was_begun_later_by_the_same_command_belongs_to_it() -> None:
    assert ready(run("web1", family=f"{FAMILY}-2"), run("db1", outcome=None)) == ["web1"]


@pytest.mark.parametrize(
    "build",
    [None, Build("/site/build/web1", GIB, {}, key="another"), Build("/site/build/web1", GIB, {}, "it changed", "key")],
    ids=["not built", "built anew", "stale"],
)
def test_what_was_changed_since_is_rebuilt(build: Build | None) -> None:
    assert ready(run("web1"), run("db1", outcome=None), build=build) == []


def test_a_guest_that_was_removed_is_not_ready() -> None:
    gone = RemoveFiles("web1", "/var/lib/domu/web1", ("web1.cfg",))
    removed = parse_journal(journals.text(journals.records("web1", [gone], [1])))[0]
    assert ready(removed, run("db1", outcome=None)) == []


def test_new_runs_are_called_as_those_that_are_gone_on_with() -> None:
    assert family_for({"web1": Begin()}, {}) == ""
    assert family_for({"web1": Begin(), "db1": GoOn(run("db1", outcome=None))}, {}) == FAMILY
    assert family_for({"web1": Begin()}, {"db1": run("db1", family=f"{FAMILY}-3")}) == FAMILY
    assert family_of(run("db1", family=f"{FAMILY}-3")) == FAMILY


PLANNED = Schedule((Turn("web1", frozenset(), {MEMORY: Take(7, 7)}),), {MEMORY: 1}, 1)


@pytest.mark.parametrize(
    ("left", "there", "takes"),
    [
        pytest.param(3, False, {"install": 2, "vg0": 250}, id="all of it"),
        pytest.param(3, True, {"install": 2}, id="its volume was made before the crash"),
        pytest.param(2, False, {"install": 2}, id="from the installation on"),
        pytest.param(1, False, {"install": 1}, id="from the start on"),
    ],
)
def test_the_rest_of_a_run_takes_what_is_left_to_take(left: int, there: bool, takes: dict[str, int]) -> None:
    case = Case(guests=(WEB1,), volumes=(lv("db1-disk", 250, lv_tags="domu"),) if there else ())
    found = schedule_all(
        [candidate("db1"), candidate("web1")], PLANNED, {"db1": run("db1", outcome=None, steps=left)}, case.dom0()
    )
    first, second = found.turns
    assert second == PLANNED.turns[0]
    most = memory_needed(DB1, Size(takes["install"] << 30)).bytes
    ends = memory_needed(DB1, GIB).bytes
    groups = {"vg0": Take(takes["vg0"], takes["vg0"])} if "vg0" in takes else {}
    assert first.takes == {MEMORY: Take(most, ends)} | groups
    assert found.free[MEMORY] == case.free.bytes
