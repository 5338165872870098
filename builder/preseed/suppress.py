"""Comments that silence the linter: `# domu: ignore L105` above an entry, `# domu: ignore-file L112` for the file.

They stand on lines of their own, for a comment behind a value would be part of it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from builder.preseed.syntax import LineKind, PreseedFile

_COMMENT = re.compile(rb"#+\s*domu:\s*(?P<verb>\S*)(?P<rest>.*)", re.DOTALL)
_CODES = re.compile(rb"\s+(?P<codes>[A-Z][0-9]{3}(?:[\s,]+[A-Z][0-9]{3})*)(?![A-Za-z0-9])")
_EVERYWHERE = 1 << 62


@dataclass(slots=True)
class Suppression:
    """One comment: its byte, its codes, the lines it is about, and the codes that it silenced."""

    offset: int
    codes: tuple[str, ...]
    first: int
    last: int
    used: set[str] = field(default_factory=set)


def find_suppressions(file: PreseedFile) -> tuple[tuple[Suppression, ...], tuple[int, ...]]:
    """The comments that silence, and the bytes of those that begin with `domu:` but say nothing known."""
    if b"domu:" not in file.data:
        return (), ()
    found: list[Suppression] = []
    unread: list[int] = []
    starts = [item.first for item in file.items]
    for index, line in enumerate(file.lines):
        if line.kind is not LineKind.COMMENT or not (comment := _COMMENT.match(line.body)):
            continue
        codes = _CODES.match(comment["rest"])
        if codes is None or comment["verb"] not in {b"ignore", b"ignore-file"}:
            unread.append(line.start)
            continue
        first, last = (0, _EVERYWHERE) if comment["verb"] == b"ignore-file" else _lines_below(file, starts, index)
        names = tuple(re.split(r"[\s,]+", codes["codes"].decode()))
        found.append(Suppression(line.start, names, first, last))
    return tuple(found), tuple(unread)


def _lines_below(file: PreseedFile, starts: list[int], index: int) -> tuple[int, int]:
    """First and last line of the entry that the comment stands in, or else of the next one; none: nothing."""
    at = bisect_right(starts, index) - 1
    if at < 0 or file.items[at].last < index:
        at += 1
    if at >= len(file.items):
        return (_EVERYWHERE, 0)
    return (file.items[at].line, file.items[at].last_line)


class Silence:
    """Says whether a finding is silenced, and notes which comments were of use."""

    def __init__(self, suppressions: Iterable[Suppression]) -> None:
        self._all = tuple(suppressions)
        self._by_code: dict[str, list[Suppression]] = {}
        for suppression in self._all:
            for code in suppression.codes:
                self._by_code.setdefault(code, []).append(suppression)
        for of_code in self._by_code.values():
            of_code.sort(key=lambda suppression: suppression.first)

    def covers(self, code: str, line: int) -> bool:
        """Whether a comment silences this code in this line."""
        of_code = self._by_code.get(code, [])
        at = bisect_right(of_code, line, key=lambda suppression: suppression.first)
        for suppression in (*of_code[max(at - 1, 0) : at], *of_code[:1]):
            if suppression.first <= line <= suppression.last:
                suppression.used.add(code)
                return True
        return False

    def unused(self) -> Iterator[tuple[Suppression, str]]:
        """Each comment with each of its codes that silenced nothing."""
        for suppression in self._all:
            for code in suppression.codes:
                if code not in suppression.used:
                    yield suppression, code
