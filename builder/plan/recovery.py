"""What drills said: how long each guest took to come back, when that was, and how long the whole host would take.

A record is a line of JSON in the guest's own file; the estimate is of a run of all guests, with so many at once.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from builder.errors import BuilderError
from builder.plan.schedule import MEMORY, Schedule, Take, Turn, length
from builder.profile.model import Guest

Outcome = Literal["passed", "unasked", "differs", "failed"]


@dataclass(frozen=True, slots=True)
class DrillRecord:
    """A drill that ended. passed: the guest came back as its profile says; differs: otherwise; failed: not at all.

    unasked: it came back, and nobody could ask it how it is.
    `seconds` from the first step to the last; `steps`: of each, in words, in order; `differs`: from a true rebuild;
    `findings`: what was found wrong, in words.
    """

    guest: str
    at: datetime
    outcome: Outcome
    seconds: float
    steps: tuple[tuple[str, float], ...] = ()
    differs: tuple[str, ...] = ()
    findings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class GuestReport:
    """A guest's drills: the last of all, and the last in which it came back (`good`); None where there was none."""

    guest: str
    last: DrillRecord | None
    good: DrillRecord | None

    def age(self, now: datetime) -> timedelta | None:
        """How long ago the last drill ended."""
        return now - self.last.at if self.last else None


@dataclass(frozen=True, slots=True)
class Report:
    """All guests of a site. `seconds`: until the last with a time is back, with `at_once` being installed together."""

    guests: tuple[GuestReport, ...]
    at_once: int
    seconds: float

    @property
    def never(self) -> tuple[str, ...]:
        """Guests that never came back in a drill, of which the estimate knows nothing."""
        return tuple(one.guest for one in self.guests if one.good is None)


def record_line(record: DrillRecord) -> str:
    """As the line of a file, with its end."""
    data = asdict(record) | {"at": record.at.astimezone(UTC).isoformat(timespec="seconds")}
    return json.dumps(data, ensure_ascii=True) + "\n"


def parse_records(text: str, name: str = "the records of drills") -> tuple[DrillRecord, ...]:
    """Every drill of a guest, the oldest first. A last line without its end was torn by a crash and does not count.

    Raises BuilderError for anything else that this version of domu would not have written.
    """
    records = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            records.append(_record(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            hint = "look at it, and move it away to go on without it"
            raise BuilderError(f"{name}, line {number}, is not what domu writes: {error!r}", hint) from error
    return tuple(records)


def _record(data: Mapping[str, Any]) -> DrillRecord:
    at = datetime.fromisoformat(data["at"])
    if (
        at.tzinfo is None
        or data["outcome"] not in get_args(Outcome)
        or data.keys() != DrillRecord.__dataclass_fields__.keys()
    ):
        raise ValueError(f"{data!a:.80}")
    steps = tuple((str(what), float(seconds)) for what, seconds in data["steps"])
    texts = {key: tuple(map(str, data[key])) for key in ("differs", "findings")}
    return DrillRecord(str(data["guest"]), at, data["outcome"], float(data["seconds"]), steps, **texts)


def report(guests: Sequence[Guest], records: Mapping[str, Sequence[DrillRecord]], at_once: int) -> Report:
    """`records`: by guest, the oldest first; of guests that are not the site's any more none is shown."""
    rows = tuple(_row(guest.name, records.get(guest.name, ())) for guest in guests)
    seconds = {row.guest: row.good.seconds for row in rows if row.good}
    after = {guest.name: frozenset(guest.start_after) for guest in guests}
    return Report(rows, at_once, recovery_seconds(seconds, after, at_once))


def _row(guest: str, records: Sequence[DrillRecord]) -> GuestReport:
    good = [one for one in records if one.outcome != "failed"]
    return GuestReport(guest, records[-1] if records else None, good[-1] if good else None)


def recovery_seconds(seconds: Mapping[str, float], after: Mapping[str, Collection[str]], at_once: int) -> float:
    """Until all are back, when each begins as soon as those that it starts after are back and a place is free.

    By name, as a rebuild of all goes; memory is taken as enough. A guest in a circle, which profiles cannot have, is
    never begun.
    """
    nothing = {MEMORY: Take(0, 0)}
    turns = tuple(Turn(name, frozenset(after.get(name, ())) & seconds.keys(), nothing) for name in sorted(seconds))
    return length(Schedule(turns, {MEMORY: 0}, at_once), seconds)
