"""A preseed file as the installer reads it: lines, entries and their fields, every byte kept.

The reader is /bin/debconf-set-selections of preseed-common 1.117 (bookworm) and 1.125 (trixie), a shell script that
is the same in both, run by the installer's busybox. docs/preseed-syntax.md compares it with debconf's own.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import NamedTuple

# A NUL ends a line as a newline does: bb_get_chunk_from_file of busybox, which its grep reads with.
_LINE = re.compile(rb"[^\n\0]*[\n\0]|[^\n\0]+")
# first_field and rest_line, one after the other; `\s` is [[:space:]] of the C locale, busybox-udeb knows no other.
_FIELDS = re.compile(rb"(\S*)(?:\s+(\S*)(?:\s+(\S*)(?:\s+(.*))?)?)?", re.DOTALL)
# busybox' echo takes a line of this form for options and prints an empty one.
ECHO_OPTION = re.compile(rb"-[neE]+")


class LineKind(Enum):
    """What a line is to the installer; an indented `#` does not make a comment."""

    COMMENT = "comment"
    BLANK = "blank"
    TEXT = "text"


class Fault(Enum):
    """Why a stretch of lines sets nothing. All but UNFINISHED end the load."""

    OWNER = "unable to determine template owner"
    QUESTION = "unable to determine template name"
    TYPE = "unable to determine template type"
    UNFINISHED = "the file ends within a continuation"


class Line(NamedTuple):
    """One line with its end (newline, NUL or nothing); `number` as an editor counts, `start` in bytes from 0."""

    number: int
    start: int
    raw: bytes
    kind: LineKind

    @property
    def body(self) -> bytes:
        """The line without its end."""
        return self.raw[:-1] if self.raw[-1:] in {b"\n", b"\0"} else self.raw

    @property
    def continues(self) -> bool:
        """Whether the installer joins the next line to this one."""
        return self.kind is LineKind.TEXT and self.body.replace(b"\r", b"").endswith(b"\\")


class Field(NamedTuple):
    """One field as the script sees it, bytes that are no UTF-8 as surrogates; `start` and `end` in bytes from 0.

    A field that continuations spread over lines lies between the two, with blanks, backslashes and comments.
    """

    text: str
    start: int
    end: int


class Entry(NamedTuple):
    """One setting; `file.lines[first:last + 1]` are its lines, comments and blanks between continuations included."""

    first: int
    last: int
    line: int
    last_line: int
    owner: Field
    question: Field
    type: Field
    value: Field


class Broken(NamedTuple):
    """Lines that set nothing, and why; `text` is what the script made of them."""

    first: int
    last: int
    line: int
    last_line: int
    text: str
    fault: Fault


@dataclass(frozen=True)
class PreseedFile:
    """A file taken apart; nothing is lost: `unparse` gives the bytes again."""

    data: bytes
    lines: tuple[Line, ...]
    items: tuple[Entry | Broken, ...]

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The settings in the order of the file, those behind a line that ends the load included."""
        return tuple(item for item in self.items if isinstance(item, Entry))

    def texts(self, item: Entry | Broken) -> tuple[Line, ...]:
        """The lines that make up an item, without comments and blank lines between them."""
        if item.first == item.last:
            return (self.lines[item.first],)
        return tuple(line for line in self.lines[item.first : item.last + 1] if line.kind is LineKind.TEXT)

    def start(self, item: Entry | Broken) -> int:
        """The first byte of an item that is no blank."""
        line = self.lines[item.first]
        return line.start + len(line.body) - len(line.body.lstrip())

    def line_of(self, offset: int) -> int:
        """The line, from 1, that a byte stands in."""
        return self.lines[max(bisect_right(self._starts, offset) - 1, 0)].number if self.lines else 1

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of a byte; columns count characters, as editors do."""
        if not self.lines:
            return (1, 1)
        here = max(bisect_right(self._starts, offset) - 1, 0)
        first = here
        while first and self.lines[first - 1].number == self.lines[here].number:
            first -= 1
        before = b"".join(line.raw for line in self.lines[first:here])
        before += self.lines[here].raw[: offset - self.lines[here].start]
        return (self.lines[here].number, len(_text(before)) + 1)

    @cached_property
    def _starts(self) -> list[int]:
        return [line.start for line in self.lines]


def parse_preseed(data: bytes) -> PreseedFile:
    """Take a file apart; never fails, whatever the bytes."""
    lines = tuple(_lines(data))
    return PreseedFile(data, lines, tuple(_items(lines)))


def unparse(file: PreseedFile) -> bytes:
    """The bytes of the file."""
    return b"".join(line.raw for line in file.lines)


def _lines(data: bytes) -> Iterator[Line]:
    number = 1
    for match in _LINE.finditer(data):
        raw = match[0]
        if raw[:1] == b"#":
            kind = LineKind.COMMENT
        else:
            kind = LineKind.TEXT if raw.strip(b" \t\v\f\r\n\0") else LineKind.BLANK
        yield Line(number, match.start(), raw, kind)
        if raw[-1:] == b"\n":
            number += 1


@dataclass(slots=True)
class _Logical:
    """The line that the script puts together, and where in the file its bytes come from."""

    first: int
    pieces: list[bytes] = field(default_factory=list)
    runs: list[tuple[int, int]] = field(default_factory=list)  # (index in the whole, offset in the file)
    length: int = 0

    def add(self, piece: bytes, offset: int) -> None:
        """Append what one line contributes; a blank joins it, but nothing joins it to an empty beginning."""
        self.length += len(self.pieces) > 0
        for run in piece.split(b"\r"):
            self.runs.append((self.length, offset))
            self.length += len(run)
            offset += len(run) + 1
        self.pieces.append(piece.replace(b"\r", b""))

    def offset(self, index: int) -> int:
        """Where in the file the byte `index` of the whole stands."""
        at, offset = self.runs[bisect_right(self.runs, (index, 1 << 62)) - 1]
        return offset + index - at


def _items(lines: tuple[Line, ...]) -> Iterator[Entry | Broken]:
    pending: _Logical | None = None
    last = 0
    for index, line in enumerate(lines):
        if line.kind is not LineKind.TEXT:
            continue
        body = line.body
        piece = body.lstrip()
        offset = line.start + len(body) - len(piece)
        if pending is None and b"\r" not in body and piece[-1:] != b"\\" and body[:1] != b"-":
            yield _item(lines, index, index, piece, offset.__add__)  # most lines are as simple as that
            continue
        logical, last = pending or _Logical(index), index
        whole = body.replace(b"\r", b"")
        if ECHO_OPTION.fullmatch(whole):
            piece = b""
        if whole.endswith(b"\\"):
            piece = piece.rstrip(b"\r")[:-1].rstrip()
            if piece or logical.pieces:
                logical.add(piece, offset)
            pending = logical
        else:
            logical.add(piece, offset)
            pending = None
            yield _item(lines, logical.first, index, b" ".join(logical.pieces), logical.offset)
    if pending is not None:
        numbers = (lines[pending.first].number, lines[last].number)
        yield Broken(pending.first, last, *numbers, _text(b" ".join(pending.pieces)), Fault.UNFINISHED)


def _item(lines: tuple[Line, ...], first: int, last: int, whole: bytes, offset: Callable[[int], int]) -> Entry | Broken:
    """What the script makes of the joined line `whole`; `offset` tells where in the file one of its bytes stands."""
    numbers = (first, last, lines[first].number, lines[last].number)
    match = _FIELDS.fullmatch(whole)
    if match is None:
        raise AssertionError(f"every line has this form: {whole[:80]!r}")
    if match[2] is None:
        return Broken(*numbers, _text(whole), Fault.OWNER)
    if match[3] is None:
        return Broken(*numbers, _text(whole), Fault.QUESTION)
    if not match[3]:
        return Broken(*numbers, _text(whole), Fault.TYPE)
    return Entry(*numbers, *(_field(offset, match, number) for number in (1, 2, 3, 4)))


def _field(offset: Callable[[int], int], match: re.Match[bytes], number: int) -> Field:
    if not match[number]:
        end = offset(match.end())
        return Field("", end, end)
    start, end = match.span(number)
    return Field(_text(match[number]), offset(start), offset(end - 1) + 1)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
