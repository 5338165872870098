"""Which questions an installation stops at: the rows of asked_rows held against a situation and its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from builder.preseed.asked_rows import ASKED
from builder.preseed.situation import PRIORITIES, Asked, Priority, Situation


def still_asked(situation: Situation, answers: Mapping[str, str], *, priority: Priority = "high") -> Iterator[Asked]:
    """The rows at which an installation with these answers (question -> value) stops, in their order."""
    limit = PRIORITIES.index(priority)
    for row in ASKED:
        heard = PRIORITIES.index(row.priority) <= limit
        if heard and not row.is_answered(answers) and row.condition.holds(situation, answers):
            yield row


def rows_about(name: str) -> tuple[Asked, ...]:
    """The rows that show this question or that its answer affects."""
    return tuple(row for row in ASKED if name in row.mentioned)
