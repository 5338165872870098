"""Journals of made-up runs, as a rebuild writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from builder.plan.journal import Begun, Done, Ended, Outcome, Record, Started, record_line
from builder.plan.steps import Step

NIGHT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def records(
    guest: str,
    steps: Sequence[Step],
    seconds: Sequence[float],
    *,
    begin: datetime = NIGHT,
    outcome: Outcome | None = "done",
) -> list[Record]:
    """A run whose first steps took so long, one after the other; without an outcome it was cut off after the last."""
    now = begin
    found: list[Record] = [Begun(f"{begin:%Y%m%dT%H%M%SZ}", guest, begin, "key", tuple(steps))]
    for number, span in enumerate(seconds):
        found.append(Started(number, now))
        now += timedelta(seconds=span)
        found.append(Done(number, now))
    return [*found, *([Ended(now, outcome)] if outcome else [])]


def text(found: Sequence[Record]) -> str:
    """As the journal's file has them."""
    return "".join(map(record_line, found))
