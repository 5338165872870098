"""The mends: for some of the linter's codes, the edit that removes the fault, where there is no doubt about it.

What changes which commands run, or what a value might have been meant to be, is left to a person.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from builder.preseed.catalogue import Unknown
from builder.preseed.loader import BLANKS
from builder.preseed.rule import Problem, Subject
from builder.preseed.rules_fields import TYPES, near_type
from builder.preseed.rules_lines import ENTRY
from builder.preseed.rules_questions import is_alike
from builder.preseed.rules_values import TRUE_WORDS
from builder.preseed.syntax import Entry, Field, Line, LineKind
from builder.preseed.untemplated import BOOT_ALIASES


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


def _near_type(subject: Subject, problem: Problem) -> Iterator[Edit]:
    """A misspelt type that is near one, if the catalogue does not say otherwise."""
    if entry := _entry(subject, problem.offset):
        near = near_type(entry.type.text)
        if near and _type_in_catalogue(subject, entry) in {"", near}:
            yield from _written(subject, entry.type, near)


def _templates_type(subject: Subject, problem: Problem) -> Iterator[Edit]:
    entry = _entry(subject, problem.offset)
    if entry and (known := _type_in_catalogue(subject, entry)):
        yield from _written(subject, entry.type, known)


def _insert_type(subject: Subject, problem: Problem) -> Iterator[Edit]:
    entry = _entry(subject, problem.offset)
    if entry and (known := _type_in_catalogue(subject, entry)):
        yield Edit(entry.type.start, entry.type.start, known.encode() + b" ")


def _type_in_catalogue(subject: Subject, entry: Entry) -> str:
    """Empty when the question is not known, or of a type that no preseed line has."""
    catalogue = subject.given.catalogue
    question = catalogue.find(entry.question.text) if catalogue else None
    return question.type if question and question.type in TYPES else ""


def _spelling(subject: Subject, problem: Problem) -> Iterator[Edit]:
    """Where one name alone is near, and the file does not answer that one elsewhere."""
    entry = _entry(subject, problem.offset)
    answer = subject.given.catalogue.may_exist(entry.question.text) if entry and subject.given.catalogue else None
    if not entry or not isinstance(answer, Unknown):
        return
    name = entry.question.text
    alike = [near for near in answer.near if is_alike(name, near)]
    relatives = [near for near in alike if near.partition("/")[0] == name.partition("/")[0]]
    match relatives or alike:
        case [only] if only not in subject.by_question:
            yield from _written(subject, entry.question, only)


def _full_name(subject: Subject, problem: Problem) -> Iterator[Edit]:
    """Of a boot parameter's short name, unless the file answers that question, too."""
    if entry := _entry(subject, problem.offset):
        full = BOOT_ALIASES[entry.question.text].rpartition(":")[2]
        if full not in subject.by_question:
            yield from _written(subject, entry.question, full)


def _package_for_owner(subject: Subject, problem: Problem) -> Iterator[Edit]:
    """Where one package alone has the question."""
    entry = _entry(subject, problem.offset)
    question = subject.given.catalogue.find(entry.question.text) if entry and subject.given.catalogue else None
    if entry and question and not question.also:
        yield from _written(subject, entry.owner, question.package)


def _commas(subject: Subject, problem: Problem) -> Iterator[Edit]:
    if entry := _entry(subject, problem.offset):
        yield from _written(subject, entry.value, ", ".join(entry.value.text.split()))


def _true(subject: Subject, problem: Problem) -> Iterator[Edit]:
    entry = _entry(subject, problem.offset)
    if entry and entry.value.text.rstrip(BLANKS).lower() in TRUE_WORDS:
        yield from _written(subject, entry.value, "true")


def _false(subject: Subject, problem: Problem) -> Iterator[Edit]:
    if entry := _entry(subject, problem.offset):
        yield from _written(subject, entry.value, "false")


def _written(subject: Subject, field: Field, text: str) -> Iterator[Edit]:
    """A field written anew, if it stands on one line and every byte of it is seen; blanks behind it stay."""
    old = field.text.rstrip(BLANKS)
    end = field.start + len(old)
    if _VISIBLE.fullmatch(old) and subject.file.data[field.start : end] == old.encode():
        yield Edit(field.start, end, text.encode())


def _others(subject: Subject, problem: Problem) -> Iterator[Edit]:
    """All entries of a question but the first, where they are the same word by word and no `seen` line is about it.

    Not behind a comment to the linter, which would then be about the entry that follows.
    """
    entry = _entry(subject, problem.offset)
    if entry is None:
        return
    first, *others = subject.by_question[entry.question.text]
    if others[0] is not entry or first.question.text in subject.marked:
        return
    if {_words(one) for one in others} != {_words(first)}:
        return
    for one in others:
        lines = subject.file.lines[one.first : one.last + 1]
        above = subject.file.lines[one.first - 1]
        about = above.kind is LineKind.COMMENT and b"domu:" in above.raw
        if not about and all(line.kind is LineKind.TEXT and not line.raw.endswith(b"\0") for line in lines):
            yield Edit(lines[0].start, lines[-1].start + len(lines[-1].raw), b"")


def _words(entry: Entry) -> tuple[str, str, str]:
    return entry.owner.text, entry.type.text, entry.value.text


_VISIBLE = re.compile(r"[!-~]+(?: +[!-~]+)*")


MENDS: Mapping[str, Mend] = {
    "L102": _unindent,
    "L108": _end_in_backslash,
    "L110": _without_mark,
    "L112": _unix_ends,
    "L117": _strip_end,
    "L118": _one_blank,
    "L119": _near_type,
    "L120": _near_type,
    "L121": _insert_type,
    "L124": _indent,
    "L126": _indent,
    "L202": _spelling,
    "L205": _full_name,
    "L210": _package_for_owner,
    "L301": _templates_type,
    "L302": _templates_type,
    "L305": _commas,
    "L306": _true,
    "L307": _false,
    "L330": _others,
}
