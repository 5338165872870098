"""How long a rebuild takes: from earlier runs on the guest or on guests like it, and nothing where there is none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builder.plan.estimate import LATEST, Estimate, Span, make_history, whole_run
from builder.plan.journal import Done, Ended, Outcome, Record, Run, Started, Stopped, parse_journal
from builder.plan.schedule import MEMORY, Schedule, Take, Turn
from builder.plan.steps import ChangeVolume, Install, RunHook, Start, Step
from builder.storage.steps import CreateVolume, RemoveVolume, Target
from builder.units import Size
from tests import journals
from tests.guests import guest

GIB = Size(1 << 30)
UUID = "3f0a3c5e-1111-4222-8333-0123456789ab"
WEB1, DB1, PVH1 = guest(), guest({"name": "db1"}), guest({"name": "pvh1", "type": "pvh"})


def create(name: str) -> ChangeVolume:
    return ChangeVolume("web1", CreateVolume("web1", "vg0", name, 4, Size(4 << 20), frozenset({"domu"})))


REMOVE = ChangeVolume("web1", RemoveVolume("web1", Target("vg0", "web1-disk", "abc", GIB, frozenset({"domu"}))))
INSTALL = Install("web1", UUID, "web1.install.cfg", GIB)
START = Start("web1", UUID, "web1.cfg", GIB)
STEPS: tuple[Step, ...] = (create("web1-disk"), INSTALL, START)


def runs(*seconds: tuple[float, ...], steps: tuple[Step, ...] = STEPS, name: str = "web1") -> list[Run]:
    return [run(one, steps, name) for one in seconds]


def run(seconds: tuple[float, ...], steps: tuple[Step, ...] = STEPS, name: str = "web1") -> Run:
    outcome: Outcome | None = "done" if len(seconds) == len(steps) else None
    return parse_journal(journals.text(journals.records(name, steps, seconds, outcome=outcome)))[0]


def test_the_guests_own_runs_give_the_shortest_and_the_longest_time() -> None:
    history = make_history({"web1": runs((2, 1500, 9), (3, 1800, 9)), "db1": runs((9, 99, 9))}, [WEB1, DB1])
    assert history.estimate(WEB1, STEPS) == Estimate((Span(2, 3), Span(1500, 1800), Span(9, 9)))


def test_only_the_latest_runs_count() -> None:
    history = make_history({"web1": runs((2, 9000, 9), *[(2, 1000 + n, 9) for n in range(LATEST)])}, [WEB1])
    assert history.estimate(WEB1, [INSTALL]).steps == (Span(1000, 1000 + LATEST - 1),)


def test_steps_done_before_a_run_failed_count() -> None:
    assert make_history({"web1": runs((2, 1500))}, [WEB1]).estimate(WEB1, STEPS).steps == (
        Span(2, 2),
        Span(1500, 1500),
        None,
    )


def test_volumes_count_by_what_is_done_to_them() -> None:
    steps = (REMOVE, create("web1-disk"), create("web1-srv"))
    history = make_history({"web1": runs((1, 2, 8), steps=steps)}, [WEB1])
    assert history.estimate(WEB1, steps).steps == (Span(1, 1), Span(2, 8), Span(2, 8))


def test_guests_installed_the_same_way_stand_in_step_by_step() -> None:
    history = make_history({"db1": runs((2, 1500, 9), name="db1"), "web1": runs((4,))}, [WEB1, DB1, PVH1])
    assert history.estimate(WEB1, STEPS).steps == (Span(4, 4), Span(1500, 1500), Span(9, 9))
    assert history.estimate(PVH1, STEPS).steps == (None, None, None)


def test_a_guest_that_the_site_has_no_more_stands_in_for_none() -> None:
    history = make_history({"old1": runs((2, 1500, 9), name="old1")}, [WEB1])
    assert history.estimate(WEB1, STEPS).known is None


def test_hooks_count_where_they_are_the_same_program() -> None:
    hook, other = (RunHook("web1", 1, "", (name,), 60) for name in ("restore", "ansible"))
    history = make_history({"web1": runs((70,), steps=(hook,))}, [WEB1])
    assert history.estimate(WEB1, [hook, other]).steps == (Span(70, 70), None)


def test_a_step_that_was_gone_on_with_after_a_crash_has_no_time() -> None:
    begun, started, *_ = journals.records("web1", [INSTALL], [1500])
    assert isinstance(started, Started)
    later = started.at + timedelta(hours=9)
    again: list[Record] = [Stopped(later, "Ctrl-C"), Started(0, later), Done(0, later), Ended(later, "done")]
    history = make_history({"web1": parse_journal(journals.text([begun, started, *again]))}, [WEB1])
    assert history.estimate(WEB1, [INSTALL]).known is None


@pytest.mark.parametrize(
    ("step", "elapsed", "left"),
    [(0, 0, 1512), (1, 0, 1510), (1, 1000, 510), (1, 9999, 10), (2, 4, 6), (3, 0, None), (9, 0, None)],
)
def test_what_is_left(step: int, elapsed: float, left: float | None) -> None:
    assert Estimate((Span(1, 3), Span(1400, 1600), Span(10, 10))).left(step, elapsed) == left


def test_what_is_left_is_not_known_with_a_gap_ahead_of_it() -> None:
    estimate = Estimate((None, Span(10, 10)))
    assert estimate.left(0, 0) is None
    assert estimate.left(1, 0) == 10
    assert estimate.whole is False
    assert estimate.known == Span(10, 10)


def schedule(at_once: int, *names: str, after: dict[str, str] | None = None) -> Schedule:
    turns = tuple(Turn(name, frozenset((after or {}).get(name, "").split()), {MEMORY: Take(1, 1)}) for name in names)
    return Schedule(turns, {MEMORY: 9}, at_once)


@pytest.mark.parametrize(
    ("plan", "span"),
    [
        pytest.param(schedule(1, "a", "b", "c"), Span(60, 120), id="one by one"),
        pytest.param(schedule(2, "a", "b", "c"), Span(40, 80), id="two at once"),
        pytest.param(schedule(3, "a", "b", "c"), Span(30, 60), id="all at once"),
        pytest.param(schedule(3, "a", "b", "c", after={"c": "b"}), Span(50, 100), id="one after another"),
    ],
)
def test_a_whole_run(plan: Schedule, span: Span) -> None:
    seconds = {"a": 10, "b": 20, "c": 30}
    estimates = {name: Estimate((Span(seconds[name], seconds[name] * 2), None)) for name in seconds}
    assert whole_run(plan, estimates) == span


def test_a_whole_run_of_which_nothing_is_known() -> None:
    assert whole_run(schedule(1, "a", "b"), {"a": Estimate((None,)), "b": Estimate(())}) is None
