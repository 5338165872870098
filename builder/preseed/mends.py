"""The mends: for some of the linter's codes, the edit that removes the fault, where there is no doubt about it.

What changes which commands run, or what a value might have been meant to be, is left to a person.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from builder.preseed.rule import Problem, Subject
from builder.preseed.rules_fields import near_type
from builder.preseed.rules_lines import ENTRY
from builder.preseed.syntax import Entry, Line, LineKind


class Edit(NamedTuple):
    """Replace the bytes from `start` to `end` by `text`."""

    start: int
    end: int
    text: bytes


Mend = Callable[[Subject, Problem], Iterator[Edit]]


def _line(subject: Subject, offset: int) -> int:
    """Which of the file's lines a byte stands in."""
    return bisect_right(subject.file.lines, offset, key=lambda line: line.start) - 1


def _entry(subject: Subject, offset: int) -> Entry | None:
    """The entry that a byte belongs to."""
    number = _line(subject, offset)
    at = bisect_right(subject.file.items, number, key=lambda item: item.first) - 1
    item = subject.file.items[at] if at >= 0 else None
    return item if isinstance(item, Entry) and number <= item.last else None


def _unindent(subject: Subject, problem: Problem) -> Iterator[Edit]:
    """Not where a backslash makes the next line part of what is no comment: as a comment it would not continue."""
    line = subject.file.lines[_line(subject, problem.offset)]
    if not line.continues:
        yield Edit(line.start, problem.offset, b"")


def _indent(_subject: Subject, problem: Problem) -> Iterator[Edit]:
    yield Edit(problem.offset, problem.offset, b"  ")


def _end_in_backslash(subject: Subject, problem: Problem) -> Iterator[Edit]:
    """Where the next line is indented and no entry of its own, it was meant to be joined."""
    number = _line(subject, problem.offset)
    line = subject.file.lines[number]
    following = subject.file.lines[number + 1 : number + 2]
    if following and _continues_another(following[0]):
        yield Edit(problem.offset + 1, line.start + len(line.body.rstrip(b"\r")), b"")


def _continues_another(line: Line) -> bool:
    indented = line.raw[:1] in {b" ", b"\t"}
    return (
        line.kind is LineKind.TEXT
        and indented
        and not line.body.lstrip().startswith(b"#")
        and not ENTRY.match(line.body)
    )


def _without_mark(_subject: Subject, problem: Problem) -> Iterator[Edit]:
    yield Edit(problem.offset, problem.offset + 3, b"")


def _unix_ends(subject: Subject, _problem: Problem) -> Iterator[Edit]:
    for line in subject.file.lines:
        if line.raw.endswith(b"\r\n"):
            kept = line.body.rstrip(b"\r")
            yield Edit(line.start + len(kept), line.start + len(line.body), b"")


def _strip_end(subject: Subject, problem: Problem) -> Iterator[Edit]:
    """Not behind a backslash, which would then continue the line."""
    line = subject.file.lines[_line(subject, problem.offset)]
    end = line.start + len(line.body.rstrip(b"\r"))
    blanks = subject.file.data[problem.offset : end]
    if blanks and not blanks.strip() and subject.file.data[problem.offset - 1 : problem.offset] != b"\\":
        yield Edit(problem.offset, end, b"")


def _one_blank(subject: Subject, problem: Problem) -> Iterator[Edit]:
    if (entry := _entry(subject, problem.offset)) and b"\r" not in subject.file.data[
        problem.offset : entry.value.start
    ]:
        yield Edit(problem.offset + 1, entry.value.start, b"")


def _type(subject: Subject, problem: Problem) -> Iterator[Edit]:
    """A misspelt type that is near one, if the catalogue does not say otherwise."""
    entry = _entry(subject, problem.offset)
    if entry is None:
        return
    known = _type_in_catalogue(subject, entry)
    near = near_type(entry.type.text)
    if near and known in {"", near} and _is_plain(subject, entry.type.start, entry.type.end):
        yield Edit(entry.type.start, entry.type.end, near.encode())


def _insert_type(subject: Subject, problem: Problem) -> Iterator[Edit]:
    entry = _entry(subject, problem.offset)
    if entry and (known := _type_in_catalogue(subject, entry)):
        yield Edit(entry.type.start, entry.type.start, known.encode() + b" ")


def _type_in_catalogue(subject: Subject, entry: Entry) -> str:
    """Empty when the question is not known."""
    catalogue = subject.given.catalogue
    question = catalogue.find(entry.question.text) if catalogue else None
    return question.type if question else ""


_WORD = re.compile(rb"[!-~]+")


def _is_plain(subject: Subject, start: int, end: int) -> bool:
    """Whether a field is one run of visible ASCII in the file: nothing within it would be lost."""
    return _WORD.fullmatch(subject.file.data[start:end]) is not None


MENDS: Mapping[str, Mend] = {
    "L102": _unindent,
    "L108": _end_in_backslash,
    "L110": _without_mark,
    "L112": _unix_ends,
    "L117": _strip_end,
    "L118": _one_blank,
    "L119": _type,
    "L120": _type,
    "L121": _insert_type,
    "L124": _indent,
    "L126": _indent,
}
