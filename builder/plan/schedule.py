"""Which guests of a run begin when: after those they wait for, as memory allows, and no more at once than is wanted.

A guest that would take what another one of the run needs lets it go first, so that what was planned never runs out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from builder.findings import Finding
from builder.profile.model import Guest
from builder.units import Size
from builder.xen.memory import memory_needed
from builder.xen.readings import Domain

# done: it answered, and what was to be done after that is done; skipped: it was left as it is.
State = Literal["waiting", "running", "done", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Turn:
    """A guest of a run: those of the run that it starts after, and its share of Xen's memory.

    `held` by its domain before, `needed` at most while it is rebuilt, `stays` once it runs again.
    """

    guest: str
    after: frozenset[str]
    held: Size
    needed: Size
    stays: Size

    def share(self, state: State) -> int:
        """Bytes that are to be counted as its own; of one that failed all that it may have got."""
        if state in {"running", "failed"}:
            return max(self.held.bytes, self.needed.bytes)
        return self.stays.bytes if state == "done" else self.held.bytes

    @property
    def rank(self) -> tuple[int, int]:
        """First those that end with less than they had, the modest before; then by what they give back at their end.

        In this order all go one by one if there is any order in which they do (`after` aside).
        """
        if self.stays <= self.held:
            return 0, self.needed.bytes - self.held.bytes
        return 1, self.stays.bytes - self.needed.bytes


@dataclass(frozen=True, slots=True)
class Schedule:
    """The guests of a run, each behind those that it starts after; `free`: Xen's memory before anything is touched."""

    turns: tuple[Turn, ...]
    free: Size
    at_once: int = 1

    @property
    def begin(self) -> dict[str, State]:
        """Every guest waiting."""
        return {turn.guest: "waiting" for turn in self.turns}

    def unclaimed(self, states: Mapping[str, State]) -> int:
        """Bytes of memory that are nobody's, below zero where more was taken than there is."""
        return self.free.bytes + sum(turn.held.bytes - turn.share(states[turn.guest]) for turn in self.turns)


def make_schedule(guests: Iterable[Guest], domains: Iterable[Domain], free: Size, at_once: int = 1) -> Schedule:
    """For guests in order; what they start after outside of the run is as it is, and nobody waits for it."""
    ordered = tuple(guests)
    run = frozenset(guest.name for guest in ordered)
    known = tuple(domains)
    return Schedule(tuple(_turn(guest, run, known) for guest in ordered), free, at_once)


def _turn(guest: Guest, run: frozenset[str], domains: tuple[Domain, ...]) -> Turn:
    held = sum(domain.memory.bytes for domain in domains if domain.uuid == guest.domain_uuid)
    needed = memory_needed(guest, max(guest.memory_for_install, guest.memory))
    stays = memory_needed(guest, guest.memory)
    return Turn(guest.name, run.intersection(guest.start_after), Size(held), needed, stays)


def begin_now(schedule: Schedule, states: Mapping[str, State]) -> tuple[str, ...]:
    """The guests that may begin now, in order."""
    now = dict(states)
    begun = []
    for turn in schedule.turns:
        if sum(state == "running" for state in now.values()) >= schedule.at_once:
            break
        if now[turn.guest] != "waiting" or not _is_ready(turn, now) or _missing(schedule, turn, now) > 0:
            continue
        then: dict[str, State] = now | {turn.guest: "running"}
        if _left_over(schedule, then) <= _left_over(schedule, now):
            now = then
            begun.append(turn.guest)
    return tuple(begun)


def without_room(schedule: Schedule) -> Iterator[Finding]:
    """Guests that never find the memory that they need, whoever goes first (G107)."""
    end = _at_the_end(schedule, schedule.begin)
    for turn in schedule.turns:
        if end[turn.guest] == "waiting" and _is_ready(turn, end):
            room = Size(max(turn.needed.bytes - _missing(schedule, turn, end), 0)).human
            message = f"needs {turn.needed.human} of memory, and Xen has {room} free when its turn comes"
            yield Finding("G107", message, "stop other guests, or give it less (install_memory)", guest=turn.guest)


def in_vain(schedule: Schedule, states: Mapping[str, State]) -> Iterator[Finding]:
    """Of the guests that wait, those whose turn never comes (G130, G131), each named by `guest` of its finding."""
    now = dict(states)
    for turn in schedule.turns:
        if now[turn.guest] != "waiting":
            continue
        lost = [name for name in sorted(turn.after) if now[name] in {"failed", "skipped"}]
        if lost:
            why = "failed" if now[lost[0]] == "failed" else "was left as it is, too"
            message = f"is left as it is: it starts after {lost[0]}, which {why}"
            yield Finding("G130", message, f"mend that, then: domu rebuild {turn.guest}", guest=turn.guest)
        elif "running" in now.values() or not _is_ready(turn, now) or turn.guest not in _left_over(schedule, now):
            continue
        else:
            message = f"is left as it is: its {turn.needed.human} of memory may be held by guests that failed"
            yield Finding("G131", message, f"mend those, then: domu rebuild {turn.guest}", guest=turn.guest)
        now[turn.guest] = "skipped"


def _is_ready(turn: Turn, states: Mapping[str, State]) -> bool:
    return all(states[name] == "done" for name in turn.after)


def _missing(schedule: Schedule, turn: Turn, states: Mapping[str, State]) -> int:
    """Bytes that a waiting guest lacks to begin; none or below where it lacks nothing."""
    return turn.needed.bytes - turn.held.bytes - schedule.unclaimed(states)


def _left_over(schedule: Schedule, states: Mapping[str, State]) -> frozenset[str]:
    """Those that wait for ever."""
    end = _at_the_end(schedule, states)
    return frozenset(name for name, state in end.items() if state == "waiting")


def _at_the_end(schedule: Schedule, states: Mapping[str, State]) -> dict[str, State]:
    """When those that run have ended well, and then one by one as many others as find room."""
    now: dict[str, State] = {name: "done" if state == "running" else state for name, state in states.items()}
    waiting = sorted((turn for turn in schedule.turns if now[turn.guest] == "waiting"), key=lambda turn: turn.rank)
    unclaimed = schedule.unclaimed(now)
    while True:
        fits = (turn for turn in waiting if turn.needed.bytes - turn.held.bytes <= unclaimed and _is_ready(turn, now))
        best = next(fits, None)
        if best is None:
            return now
        waiting.remove(best)
        now[best.guest] = "done"
        unclaimed += best.held.bytes - best.stays.bytes
