"""Which guests of a run begin when: after those they wait for, as room allows, and no more at once than is wanted.

Room is Xen's memory and the extents of volume groups. A guest that would take what another one of the run needs lets
it go first, so that what was planned never runs out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from builder.findings import Finding
from builder.profile.model import Guest
from builder.storage.facts import VolumeGroup
from builder.storage.room import GroupUse
from builder.units import Size
from builder.xen.memory import memory_needed
from builder.xen.readings import Domain

# done: it answered, and what was to be done after that is done; skipped: it was left as it is.
State = Literal["waiting", "running", "done", "failed", "skipped"]
MEMORY = ""  # stands among the names of volume groups, none of which is empty


@dataclass(frozen=True, slots=True)
class Take:
    """What a rebuild takes beside what the guest has: `most` at some moment, `ends` at its end; below 0: gives back."""

    most: int
    ends: int

    def in_state(self, state: State) -> int:
        """What is to be counted as taken; of a guest that failed, all that it may have got."""
        if state in {"running", "failed"}:
            return max(self.most, 0)
        return self.ends if state == "done" else 0


@dataclass(frozen=True, slots=True)
class Turn:
    """A guest of a run, those of the run that it starts after, and what it takes: bytes of MEMORY, groups' extents."""

    guest: str
    after: frozenset[str]
    takes: Mapping[str, Take]

    @property
    def rank(self) -> tuple[int, int]:
        """Those that end with less memory than they had, the modest first; then by what they give back at their end.

        In this order all find memory one by one, if there is any order in which they do (`after` aside).
        """
        memory = self.takes[MEMORY]
        return (0, memory.most) if memory.ends <= 0 else (1, memory.ends - memory.most)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The guests of a run, each behind those that it starts after; `free`: what there is before anything is touched."""

    turns: tuple[Turn, ...] = ()
    free: Mapping[str, int] = field(default_factory=dict)
    at_once: int = 1

    @property
    def begin(self) -> dict[str, State]:
        """Every guest waiting."""
        return {turn.guest: "waiting" for turn in self.turns}

    def room(self, states: Mapping[str, State]) -> dict[str, int]:
        """What is nobody's, below 0 where more was taken than there is."""
        left = dict(self.free)
        for turn in self.turns:
            for name, take in turn.takes.items():
                left[name] -= take.in_state(states[turn.guest])
        return left


def make_schedule(
    guests: Iterable[Guest], takes: Mapping[str, Mapping[str, Take]], free: Mapping[str, int], at_once: int = 1
) -> Schedule:
    """For guests in order, with what each takes. What they start after outside of the run is as it is."""
    ordered = tuple(guests)
    run = frozenset(guest.name for guest in ordered)
    turns = tuple(Turn(guest.name, run.intersection(guest.start_after), takes[guest.name]) for guest in ordered)
    return Schedule(turns, free, at_once)


def takes_of(
    guest: Guest, sizes: Iterable[Size], domains: Iterable[Domain], uses: Iterable[GroupUse]
) -> dict[str, Take]:
    """What a guest takes: `sizes` of the domains that are made for it, `uses` of the volume groups by it alone."""
    held = sum(domain.memory.bytes for domain in domains if domain.uuid == guest.domain_uuid)
    needs = [memory_needed(guest, size).bytes - held for size in sizes]
    memory = Take(max(needs), needs[-1]) if needs else Take(0, 0)
    return {MEMORY: memory} | {use.name: Take(use.free - use.least, use.free - use.after) for use in uses}


def free_of(memory: Size, groups: Iterable[VolumeGroup]) -> dict[str, int]:
    """What is nobody's before a run."""
    return {MEMORY: memory.bytes} | {group.name: group.free for group in groups}


def begin_now(schedule: Schedule, states: Mapping[str, State]) -> tuple[str, ...]:
    """The guests that may begin now, in order."""
    now = dict(states)
    begun = []
    for turn in schedule.turns:
        if sum(state == "running" for state in now.values()) >= schedule.at_once:
            break
        if now[turn.guest] == "waiting" and _is_ready(turn, now) and not _lacks(turn, schedule.room(now)):
            then: dict[str, State] = now | {turn.guest: "running"}
            lost = _left_over(schedule, now)
            if any(_waiting_for_ever(schedule, then, order) <= lost for order in _orders(schedule)):
                now = then
                begun.append(turn.guest)
    return tuple(begun)


def length(schedule: Schedule, seconds: Mapping[str, float]) -> float:
    """Seconds until the last has ended, when each takes what is said for it; those that never begin do not count."""
    now = 0.0
    states: dict[str, State] = schedule.begin
    ends: dict[str, float] = {}
    while True:
        for name in begin_now(schedule, states):
            states[name] = "running"
            ends[name] = now + seconds[name]
        if not ends:
            return now
        first = min(ends, key=lambda name: (ends[name], name))
        now = ends.pop(first)
        states[first] = "done"


def without_room(schedule: Schedule) -> Iterator[Finding]:
    """Guests that never find the room that they need, whoever goes first (G107, G132)."""
    left_over = _left_over(schedule, schedule.begin)
    states: dict[str, State] = {name: "waiting" if name in left_over else "done" for name in schedule.begin}
    for turn in schedule.turns:
        if turn.guest not in left_over or not _is_ready(turn, states):
            continue
        room = schedule.room(states)
        for name in _lacks(turn, room):
            most, free = turn.takes[name].most, max(room[name], 0)
            if name == MEMORY:
                message = f"needs {Size(most).human} of free memory when its turn comes, and Xen has {Size(free).human}"
                hint = "stop other guests, or give it less (install_memory)"
                yield Finding("G107", f"{message} then", hint, guest=turn.guest)
            else:
                message = f"needs {most} free extents of {name} when its turn comes, and there are {free} then"
                yield Finding("G132", message, f"rebuild it alone: domu rebuild {turn.guest}", guest=turn.guest)


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
            yield Finding("G130", message, "when that is mended, the same command goes on with it", guest=turn.guest)
        elif "running" in now.values() or not _is_ready(turn, now) or turn.guest not in _left_over(schedule, now):
            continue
        else:
            what = "memory" if MEMORY in _lacks(turn, schedule.room(now)) else "room for volumes"
            message = f"is left as it is: the {what} that it needs may be held by guests that failed"
            yield Finding("G131", message, "when those are mended, the same command goes on with it", guest=turn.guest)
        now[turn.guest] = "skipped"


def _is_ready(turn: Turn, states: Mapping[str, State]) -> bool:
    return all(states[name] == "done" for name in turn.after)


def _lacks(turn: Turn, room: Mapping[str, int]) -> list[str]:
    """Of what there is too little for it to begin."""
    return [name for name, take in turn.takes.items() if take.most > max(room[name], 0)]


def _left_over(schedule: Schedule, states: Mapping[str, State]) -> frozenset[str]:
    """Guests that wait for ever, in the order in which they are fewer."""
    return min((_waiting_for_ever(schedule, states, order) for order in _orders(schedule)), key=len)


def _orders(schedule: Schedule) -> tuple[Sequence[Turn], ...]:
    """The best for memory, and the plan's own."""
    return sorted(schedule.turns, key=lambda turn: turn.rank), schedule.turns


def _waiting_for_ever(schedule: Schedule, states: Mapping[str, State], order: Sequence[Turn]) -> frozenset[str]:
    """Those left when all that run have ended well, and then one by one as many others as find room."""
    now: dict[str, State] = {name: "done" if state == "running" else state for name, state in states.items()}
    waiting = [turn for turn in order if now[turn.guest] == "waiting"]
    room = schedule.room(now)
    while best := next((turn for turn in waiting if _is_ready(turn, now) and not _lacks(turn, room)), None):
        waiting.remove(best)
        now[best.guest] = "done"
        for name, take in best.takes.items():
            room[name] -= take.ends
    return frozenset(turn.guest for turn in waiting)
