"""Guests of a run, each in a thread of its own, as its schedule lets them begin."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event
from typing import Generic, TypeVar

from builder.errors import BuilderError
from builder.findings import Finding
from builder.plan.schedule import Schedule, State, begin_now, in_vain
from builder.progress import Stages

T = TypeVar("T")
# Seconds. A signal that another thread got is heard by this one, the main thread, when it wakes up.
_WAKE = 0.5


@dataclass(slots=True)
class Ends(Generic[T]):
    """What came of each guest: its end, or why it has none. Guests that a stop came before are not in here."""

    ends: dict[str, T] = field(default_factory=dict)
    errors: dict[str, BuilderError] = field(default_factory=dict)
    skipped: dict[str, Finding] = field(default_factory=dict)


def take_turns(
    schedule: Schedule,
    carry_out: Callable[[str], T],
    is_ready: Callable[[T], bool],
    *,
    stop: Event,
    progress: Stages,
) -> Ends[T]:
    """Carry out every guest, and return when none is under way. `is_ready`: those that wait for it may begin.

    A BuilderError of one is its own end and stops no other; any other exception of one stops all, and is raised again
    when they have ended. Once `stop` is set nobody begins, and who is under way ends by itself.
    """
    found: Ends[T] = Ends()
    states = schedule.begin
    running: dict[Future[T], str] = {}
    with ThreadPoolExecutor(schedule.at_once, "guest") as threads:
        while True:
            if not stop.is_set():
                _skip(schedule, states, found, progress)
                for name in begin_now(schedule, states):
                    states[name] = "running"
                    running[threads.submit(carry_out, name)] = name
            if not running:
                break
            for future in wait(running, _WAKE, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                states[name] = _take(name, future, found, is_ready, stop)
    return found


def _take(name: str, future: Future[T], found: Ends[T], is_ready: Callable[[T], bool], stop: Event) -> State:
    """Keep what came of a guest."""
    error = future.exception()
    if isinstance(error, BuilderError):
        found.errors[name] = error
        return "failed"
    if error:
        stop.set()
    found.ends[name] = future.result()
    return "done" if is_ready(found.ends[name]) else "failed"


def _skip(schedule: Schedule, states: dict[str, State], found: Ends[T], progress: Stages) -> None:
    for finding in in_vain(schedule, states):
        states[finding.guest] = "skipped"
        found.skipped[finding.guest] = finding
        progress.ended(finding.guest, finding.message, ready=False)
