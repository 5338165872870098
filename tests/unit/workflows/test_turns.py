"""Guests in threads: in order, never more than allowed at once, one's failure no other's, and a clean stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import pytest

from builder.errors import BuilderError
from builder.plan.schedule import MEMORY, Schedule, Take, Turn
from builder.progress import Silence
from builder.workflows.turns import Ends, take_turns

TOGETHER = 60.0  # seconds after which a test that waits for two at once has failed


def schedule(at_once: int, **after: str) -> Schedule:
    """`after`: guest -> those that it waits for, as words."""
    turns = tuple(Turn(name, frozenset(words.split()), {MEMORY: Take(1, 1)}) for name, words in after.items())
    return Schedule(turns, {MEMORY: 100}, at_once)


@dataclass
class Crew:
    """Carries out guests, and remembers who was at it when."""

    fails: Collection[str] = ()
    raises: dict[str, Exception] = field(default_factory=dict)
    meanwhile: Callable[[str], object] = lambda _name: None
    stop: threading.Event = field(default_factory=threading.Event)
    begun: list[str] = field(default_factory=list)
    at_work: set[str] = field(default_factory=set)
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def carry_out(self, name: str) -> str:
        with self.lock:
            self.begun.append(name)
            self.at_work.add(name)
            self.most = max(self.most, len(self.at_work))
        try:
            self.meanwhile(name)
            if name in self.raises:
                raise self.raises[name]
            return "failed" if name in self.fails else "ready"
        finally:
            with self.lock:
                self.at_work.remove(name)

    def run(self, plan: Schedule) -> Ends[str]:
        return take_turns(plan, self.carry_out, lambda end: end == "ready", stop=self.stop, progress=Silence())


def test_a_chain_goes_link_by_link_however_many_may_go_at_once() -> None:
    crew = Crew()
    ends = crew.run(schedule(9, db1="", web1="db1", app1="web1"))
    assert crew.begun == ["db1", "web1", "app1"]
    assert crew.most == 1
    assert ends.ends == dict.fromkeys(["db1", "web1", "app1"], "ready")


def test_two_are_at_work_at_once_and_never_three() -> None:
    pairs = threading.Barrier(2, timeout=TOGETHER)
    crew = Crew(meanwhile=lambda _name: pairs.wait())
    ends = crew.run(schedule(2, a="", b="", c="", d=""))
    assert crew.most == 2
    assert sorted(ends.ends) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "crew",
    [Crew(fails={"b"}), Crew(raises={"b": BuilderError("the journal cannot be written")})],
    ids=["its run failed", "its thread gave up"],
)
def test_a_failure_in_the_middle_skips_what_waits_for_it_and_nothing_else(crew: Crew) -> None:
    ends = crew.run(schedule(1, a="", b="", c="b", d="c", e="a"))
    assert crew.begun == ["a", "b", "e"]
    assert list(ends.skipped) == ["c", "d"]
    assert [one.code for one in ends.skipped.values()] == ["G130", "G130"]
    assert {"b": "failed"}.items() <= ends.ends.items() or "b" in ends.errors
    assert ends.ends["e"] == "ready"


def test_a_fault_of_our_own_stops_all_and_is_not_hidden() -> None:
    crew = Crew(raises={"a": ZeroDivisionError("a fault")})
    with pytest.raises(ZeroDivisionError):
        crew.run(schedule(1, a="", b=""))
    assert crew.begun == ["a"]
    assert crew.stop.is_set()


def test_a_fault_waits_for_those_who_are_under_way() -> None:
    both = threading.Barrier(2, timeout=TOGETHER)
    ended: list[str] = []

    def work(name: str) -> None:
        both.wait()
        if name == "b":
            assert crew.stop.wait(TOGETHER)
            ended.append(name)

    crew = Crew(raises={"a": ZeroDivisionError("a fault")}, meanwhile=work)
    with pytest.raises(ZeroDivisionError):
        crew.run(schedule(2, a="", b="", c=""))
    assert ended == ["b"]
    assert sorted(crew.begun) == ["a", "b"]


def test_nobody_begins_after_a_stop() -> None:
    crew = Crew(meanwhile=lambda _name: crew.stop.set())
    ends = crew.run(schedule(1, a="", b="a", c=""))
    assert crew.begun == ["a"]
    assert ends == Ends({"a": "ready"})


def test_a_run_without_guests_is_over_at_once() -> None:
    assert Crew().run(schedule(1)) == Ends()
