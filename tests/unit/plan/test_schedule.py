"""Which guests of a run begin when: in order, as memory allows, no more at once than is wanted, and without deadlock."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.plan.schedule import (
    MEMORY,
    Schedule,
    State,
    Take,
    Turn,
    begin_now,
    in_vain,
    make_schedule,
    takes_of,
    without_room,
)
from builder.storage.room import GroupUse
from builder.units import Size
from builder.xen.readings import Domain, DomainState
from tests.guests import guest

GIB = 1 << 30


def turn(name: str, *after: str, held: int = 0, needed: int = 1, stays: int = 1, **groups: tuple[int, int]) -> Turn:
    """Memory in GiB; of volume groups the most that is taken, and what is at the end."""
    memory = Take((needed - held) * GIB, (stays - held) * GIB)
    return Turn(name, frozenset(after), {MEMORY: memory} | {group: Take(*take) for group, take in groups.items()})


def schedule(*turns: Turn, free: int = 100, at_once: int = 1, **groups: int) -> Schedule:
    return Schedule(turns, {MEMORY: free * GIB, **groups}, at_once)


CHAIN = (turn("db1"), turn("web1", "db1"), turn("app1", "web1"))
FOUR = tuple(turn(name) for name in ("a", "b", "c", "d"))


@pytest.mark.parametrize(
    ("plan", "states", "expected"),
    [
        pytest.param(schedule(*FOUR), {}, ["a"], id="one at a time"),
        pytest.param(schedule(*FOUR, at_once=2), {}, ["a", "b"], id="two at a time"),
        pytest.param(schedule(*FOUR, at_once=2), {"a": "running"}, ["b"], id="a second one"),
        pytest.param(schedule(*FOUR, at_once=2), {"a": "running", "b": "running"}, [], id="no third one"),
        pytest.param(schedule(*FOUR, at_once=2), {"a": "done", "b": "running"}, ["c"], id="the next in order"),
        pytest.param(schedule(*FOUR), {"a": "failed"}, ["b"], id="the others go on"),
        pytest.param(schedule(*CHAIN, at_once=9), {}, ["db1"], id="the first of a chain"),
        pytest.param(schedule(*CHAIN, at_once=9), {"db1": "running"}, [], id="nobody before it answers"),
        pytest.param(schedule(*CHAIN, at_once=9), {"db1": "done"}, ["web1"], id="the next of a chain"),
        pytest.param(schedule(*CHAIN, at_once=9), {"db1": "failed"}, [], id="nobody after one that failed"),
        pytest.param(schedule(*FOUR, free=3, at_once=9), {}, ["a", "b", "c"], id="as many as memory has room for"),
        pytest.param(
            schedule(turn("a", needed=3), turn("b"), free=2, at_once=9),
            {},
            ["b"],
            id="one that fits before one too big",
        ),
        pytest.param(
            schedule(turn("a", needed=3, stays=3), turn("b", needed=4, stays=1), free=4, at_once=2),
            {},
            ["b"],
            id="one that would take what another needs waits",
        ),
        pytest.param(
            schedule(turn("a", needed=3, stays=3), turn("b", needed=4, stays=1), free=4, at_once=2),
            {"b": "done"},
            ["a"],
            id="and has its turn later",
        ),
        pytest.param(
            schedule(turn("a", held=4, needed=4, stays=4), free=0),
            {},
            ["a"],
            id="what its own domain gives back counts",
        ),
        pytest.param(
            schedule(turn("a", held=4, needed=2, stays=1), turn("b", needed=3), free=0, at_once=2),
            {"a": "running"},
            [],
            id="what another domain gives back counts once it is ready",
        ),
        pytest.param(
            schedule(turn("a", held=4, needed=2, stays=1), turn("b", needed=3), free=0, at_once=2),
            {"a": "done"},
            ["b"],
            id="and then it counts",
        ),
        pytest.param(
            schedule(turn("a", vg0=(0, -50)), turn("b", vg0=(60, 60)), vg0=10, at_once=2),
            {},
            ["a"],
            id="extents that another gives back counts once it is ready",
        ),
        pytest.param(
            schedule(turn("a", vg0=(0, -50)), turn("b", vg0=(60, 60)), turn("c", vg1=(5, 5)), vg0=10, vg1=5, at_once=2),
            {"a": "running"},
            ["c"],
            id="another group has room",
        ),
        pytest.param(
            schedule(
                turn("a", vg0=(80, 80)), turn("b", vg0=(0, -50)), turn("c", "b", vg0=(60, -60)), vg0=90, at_once=2
            ),
            {},
            ["a", "b"],
            id="extents that come back later do not stand in the way",
        ),
    ],
)
def test_who_may_begin(plan: Schedule, states: dict[str, State], expected: list[str]) -> None:
    assert list(begin_now(plan, plan.begin | states)) == expected


def said(plan: Schedule, **states: State) -> list[tuple[str, str, str]]:
    return [(one.guest, one.code, one.message) for one in in_vain(plan, plan.begin | states)]


def test_those_behind_a_guest_that_failed_are_told_at_once_with_the_reason() -> None:
    plan = schedule(*CHAIN, turn("other"), at_once=2)
    assert said(plan, db1="failed", other="running") == [
        ("web1", "G130", "is left as it is: it starts after db1, which failed"),
        ("app1", "G130", "is left as it is: it starts after web1, which was left as it is, too"),
    ]


def test_memory_that_a_failed_guest_may_hold_is_not_given_out() -> None:
    plan = schedule(turn("a", needed=3), turn("b", needed=2), turn("c", "b"), turn("d"), free=4, at_once=2)
    assert list(begin_now(plan, plan.begin | {"a": "failed"})) == ["d"]
    assert said(plan, a="failed", d="running") == []
    assert [(guest, code) for guest, code, _ in said(plan, a="failed", d="done")] == [("b", "G131"), ("c", "G130")]


def test_what_never_fits_is_told_with_what_is_free_when_its_turn_comes() -> None:
    plan = schedule(turn("a", needed=5), turn("b", held=1, needed=2, stays=2), turn("c", "a"), free=3)
    assert [(one.guest, one.code, one.message) for one in without_room(plan)] == [
        ("a", "G107", "needs 5.0 GiB of free memory when its turn comes, and Xen has 2.0 GiB then")
    ]


def test_extents_that_never_do_are_told() -> None:
    plan = schedule(turn("a", vg0=(5, -5)), turn("b", vg0=(60, 0)), vg0=5)
    assert [(one.guest, one.code, one.message) for one in without_room(plan)] == [
        ("b", "G132", "needs 60 free extents of vg0 when its turn comes, and there are 10 then")
    ]


def test_a_schedule_counts_what_libxl_asks_for_and_what_own_domains_hold() -> None:
    web1 = guest({"memory": "1G", "install_memory": "2G", "start_after": ["db1", "elsewhere"], "autostart": True})
    db1 = guest({"name": "db1"})
    own = Domain("web1", 3, Size(GIB), 1, DomainState(blocked=True), 1.0, web1.domain_uuid)
    stranger = Domain("db1", 4, Size(GIB), 1, DomainState(blocked=True), 1.0, "3f0a3c5e-1111-4222-8333-0123456789ab")
    use = GroupUse("vg0", Size(4 << 20), 2000, free=500, after=400, least=100)
    domains = [own, stranger]
    takes = {
        "db1": takes_of(db1, (db1.memory_for_install, db1.memory), domains, []),
        "web1": takes_of(web1, (web1.memory_for_install, web1.memory), domains, [use]),
    }
    free = {MEMORY: GIB, "vg0": 500}
    mebibyte = 1 << 20
    assert make_schedule([db1, web1], takes, free, 2) == Schedule(
        (
            Turn("db1", frozenset(), {MEMORY: Take(1026 * mebibyte, 1026 * mebibyte)}),
            Turn("web1", frozenset({"db1"}), {MEMORY: Take(1026 * mebibyte, 2 * mebibyte), "vg0": Take(400, 100)}),
        ),
        free,
        2,
    )


def test_a_guest_that_only_has_to_answer_takes_nothing() -> None:
    assert takes_of(guest(), (), [], []) == {MEMORY: Take(0, 0)}


@st.composite
def schedules(draw: st.DrawFn, *, chained: bool = True) -> Schedule:
    count = draw(st.integers(1, 5))
    turns: list[Turn] = []
    for number in range(count):
        after = draw(st.sets(st.sampled_from([one.guest for one in turns]))) if chained and turns else set()
        stays = draw(st.integers(0, 4))
        needed = stays + draw(st.integers(0, 4))
        ends = draw(st.integers(-3, 3)) if chained else 0
        vg0 = (max(ends, 0) + draw(st.integers(0, 3)), ends) if chained else (0, 0)
        turns.append(turn(f"g{number}", *after, held=draw(st.integers(0, 6)), needed=needed, stays=stays, vg0=vg0))
    return schedule(*turns, free=draw(st.integers(0, 8)), at_once=draw(st.integers(1, 4)), vg0=draw(st.integers(0, 6)))


def fits_one_by_one(plan: Schedule, order: Sequence[Turn]) -> bool:
    free = plan.free[MEMORY]
    for one in order:
        if one.takes[MEMORY].most > free:
            return False
        free -= one.takes[MEMORY].ends
    return True


@settings(deadline=None)
@given(schedules(chained=False))
def test_nothing_is_refused_that_fits_in_some_order(plan: Schedule) -> None:
    possible = any(fits_one_by_one(plan, order) for order in permutations(plan.turns))
    assert (not list(without_room(plan))) == possible


@settings(deadline=None)
@given(schedules(), st.data())
def test_every_run_comes_to_its_end_within_its_limits(plan: Schedule, data: st.DataObject) -> None:
    """Guests end in any order; one in a while fails."""
    may_fail = data.draw(st.booleans())
    sound = not list(without_room(plan))
    states: dict[str, Any] = plan.begin
    while True:
        for name in begin_now(plan, states):
            states[name] = "running"
            assert all(states[one] == "done" for turn in plan.turns if turn.guest == name for one in turn.after)
        states |= {one.guest: "skipped" for one in in_vain(plan, states)}
        running = [name for name, state in states.items() if state == "running"]
        assert len(running) <= plan.at_once
        assert min(plan.room(states).values()) >= 0
        if not running:
            break
        failed = may_fail and data.draw(st.integers(0, 4)) == 0
        states[data.draw(st.sampled_from(running))] = "failed" if failed else "done"
    assert "waiting" not in states.values()
    if sound and "failed" not in states.values():
        assert set(states.values()) == {"done"}
