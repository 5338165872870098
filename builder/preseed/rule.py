"""What a rule of the linter is: one small function, its documentation, and examples that the tests walk.

A module of rules ends in a table `RULES`; builder/preseed/lint.py lists the tables. A rule sees one file at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from builder.findings import Severity
from builder.preseed.loader import Loaded
from builder.preseed.syntax import PreseedFile


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules look at: the file and what the installer's database would hold."""

    file: PreseedFile
    loaded: Loaded


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
    """A rule and its page: `title` says what is found, `why` what comes of it, `mend` what to do."""

    code: str
    severity: Severity
    title: str
    check: Callable[[Subject], Iterator[Problem]]
    why: str
    mend: str
    failing: tuple[Failing, ...]
    passing: tuple[bytes, ...]
