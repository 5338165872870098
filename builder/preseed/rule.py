"""What a rule of the linter is: one small function, its documentation, and examples that the tests walk.

A module of rules ends in a table `RULES`; builder/preseed/lint.py lists the tables. A rule sees one file at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from builder.findings import Severity
from builder.preseed.given import NOTHING, Given
from builder.preseed.loader import BLANKS, Loaded
from builder.preseed.syntax import Entry, PreseedFile


@dataclass(frozen=True)
class Subject:
    """What rules look at: the file, what the installer's database would hold, and what else is known."""

    file: PreseedFile
    loaded: Loaded
    given: Given = NOTHING

    @cached_property
    def settings(self) -> tuple[Entry, ...]:
        """The entries that set a value, those behind a line that ends the load included."""
        return tuple(entry for entry in self.file.entries if entry.type.text != "seen")

    @cached_property
    def by_question(self) -> Mapping[str, list[Entry]]:
        """The settings of each question, in the order of the file."""
        found: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in self.settings:
            found[entry.question.text].append(entry)
        return dict(found)

    def last(self, question: str) -> Entry | None:
        """The setting that wins, or None without any."""
        return found[-1] if (found := self.by_question.get(question)) else None

    def value(self, question: str, default: str = "") -> str:
        """The value that wins, as the installer keeps it."""
        entry = self.last(question)
        return entry.value.text.rstrip(BLANKS) if entry else default


class Problem(NamedTuple):
    """One place that breaks a rule: the byte to point at, what is wrong there, and what to write."""

    offset: int
    message: str
    hint: str


class Failing(NamedTuple):
    """A file that breaks the rule once, in this line."""

    data: bytes
    line: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule and its page: `title` says what is found, `why` what comes of it, `mend` what to do.

    The examples are judged with what is `given`, and by trixie's catalogue, bookworm's being the other.
    """

    code: str
    severity: Severity
    title: str
    check: Callable[[Subject], Iterator[Problem]]
    why: str
    mend: str
    failing: tuple[Failing, ...]
    passing: tuple[bytes, ...]
    given: Given = NOTHING
