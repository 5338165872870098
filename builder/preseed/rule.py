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
from builder.preseed.catalogue import Known, Question, Unknown, Unread
from builder.preseed.given import NOTHING, Given
from builder.preseed.loader import BLANKS
from builder.preseed.syntax import Entry, PreseedFile

INSTALLER = "d-i"  # post-base-installer.d/05preseed: grep -v "^d-i[ TAB]"
FEW = 200  # a search for similar names takes milliseconds, and a hostile file may hold a hundred thousand


@dataclass(frozen=True)
class Subject:
    """What rules look at: the file, and what else is known."""

    file: PreseedFile
    given: Given = NOTHING

    @cached_property
    def settings(self) -> tuple[Entry, ...]:
        """The entries that set a value, those behind a line that ends the load included."""
        return tuple(entry for entry in self.file.entries if entry.type.text != "seen")

    @cached_property
    def meant(self) -> tuple[Entry, ...]:
        """The entries, without what was meant as a comment (L102) or as a continuation (L129)."""
        entries = self.file.entries
        return tuple(entry for entry in entries if "/" in entry.question.text and entry.owner.text[:1] != "#")

    @cached_property
    def passed_on(self) -> tuple[Entry, ...]:
        """Of these the ones that the installed system's debconf is given, too: those whose owner is not d-i."""
        return tuple(entry for entry in self.meant if entry.owner.text != INSTALLER)

    @cached_property
    def by_question(self) -> Mapping[str, list[Entry]]:
        """The settings of each question, in the order of the file."""
        found: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in self.settings:
            found[entry.question.text].append(entry)
        return dict(found)

    @cached_property
    def marked(self) -> frozenset[str]:
        """The questions that a `seen` line is about."""
        return frozenset(entry.question.text for entry in self.file.entries if entry.type.text == "seen")

    def last(self, question: str) -> Entry | None:
        """The setting that wins, or None without any."""
        return found[-1] if (found := self.by_question.get(question)) else None

    def value(self, question: str, default: str = "") -> str:
        """The value that wins, as the installer keeps it."""
        entry = self.last(question)
        return entry.value.text.rstrip(BLANKS) if entry else default

    @cached_property
    def known(self) -> tuple[tuple[Entry, Question], ...]:
        """The settings of questions that the catalogue has."""
        if not (catalogue := self.given.catalogue):
            return ()
        found = ((entry, catalogue.find(entry.question.text)) for entry in self.settings)
        return tuple((entry, question) for entry, question in found if question)

    @cached_property
    def strays(self) -> tuple[tuple[Entry, Unknown | Unread], ...]:
        """The first setting of each question that the catalogue lacks; similar names are looked for FEW times."""
        if not (catalogue := self.given.catalogue):
            return ()
        found: list[tuple[Entry, Unknown | Unread]] = []
        looked = 0
        known = {question.name for _entry, question in self.known}
        for name, entries in self.by_question.items():
            if name in known:
                continue
            owners = catalogue.possible_owners(name)
            answer = Unread(owners) if owners else catalogue.may_exist(name) if looked < FEW else Unknown(())
            looked += not owners
            if not isinstance(answer, Known):
                found.append((entries[0], answer))
        return tuple(found)


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
    sign: bytes = b""  # what a file must hold to be looked at
