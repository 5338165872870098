"""Findings: problems as values, collected, sorted and shown together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum


class Severity(IntEnum):
    """Errors refuse; warnings and notes inform. The order is the order of display."""

    ERROR = 0
    WARNING = 1
    NOTE = 2

    @property
    def word(self) -> str:
        """`error`, `warning` or `note`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file that a person wrote; line and column count from 1, 0 means unknown."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        numbers = [str(number) for number in (self.line, self.column) if number]
        return ":".join([self.file, *numbers]) if self.file else ""


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: a stable code (docs/findings.md), what is wrong, and what to write or do instead."""

    code: str
    message: str
    hint: str = ""
    place: Place = NOWHERE
    severity: Severity = Severity.ERROR
    guest: str = ""

    @property
    def sort_key(self) -> tuple[Place, Severity, str, str, str]:
        """By file and line, so that a person can mend from top to bottom."""
        return (self.place, self.severity, self.code, self.guest, self.message)

    def __str__(self) -> str:
        where = str(self.place) or self.guest
        head = f"{where}: " if where else ""
        text = f"{head}{self.severity.word} {self.code}: {self.message}"
        return f"{text}\n    {self.hint}" if self.hint else text


@dataclass(slots=True)
class Findings:
    """A set of findings that grows; iterating gives each once, sorted."""

    _items: dict[Finding, None] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Keep the finding, once."""
        self._items[finding] = None

    def extend(self, findings: Iterable[Finding]) -> None:
        """Keep all of them."""
        for finding in findings:
            self.add(finding)

    def for_guest(self, guest: str) -> Iterator[Finding]:
        """The same findings, those without a guest named for this one."""
        return (replace(finding, guest=finding.guest or guest) for finding in self)

    def __iter__(self) -> Iterator[Finding]:
        return iter(sorted(self._items, key=lambda finding: finding.sort_key))

    def __len__(self) -> int:
        return len(self._items)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Those that refuse."""
        return tuple(finding for finding in self if finding.severity is Severity.ERROR)


def did_you_mean(seen: str, known: Iterable[str]) -> str:
    """`did you mean 'memory'?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(seen, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""
