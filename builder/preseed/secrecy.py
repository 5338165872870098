"""What of a preseed file is shown to nobody: values of passwords, and commands and URLs that hold any.

It errs on the side of hiding: a line that only looks as if it held a password is hidden, too.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from builder.preseed.loader import BLANKS
from builder.preseed.syntax import Broken, Entry, LineKind, PreseedFile

MASK = "******"
# In names of questions, misspelt ones too (root-pasword), and in commands.
_WORDS = r"pas+[sw]|passphrase|pwd|secret|psk|token|credential|private|api[-_]?key|wireless_w[ep]"
_NAME = re.compile(_WORDS, re.IGNORECASE)
# A crypt hash (crypt(5)), and a URL with a password.
_TELLING = re.compile(
    rf"{_WORDS}|\$[0-9a-z]{{1,3}}\$[./A-Za-z0-9]|://[^\s/@]{{0,200}}:[^\s/@]{{0,200}}@", re.IGNORECASE
)
_TYPES = frozenset({"string", "boolean", "select", "multiselect", "password", "note", "text", "title", "seen"})
_HARMLESS = frozenset({"", "true", "false"})
# Words of commands that are nobody's password, and that our own messages use.
_SHELL = frozenset({
    "chpasswd", "chroot", "curl", "debconf-set", "done", "echo", "else", "eval", "exit", "grep", "in-target", "printf",
    "read", "sleep", "tail", "test", "then", "touch", "usermod", "wget", "while",
})  # fmt: skip
_NAME_ENDS, _NAME_BEGINS = re.compile(r"(?<![A-Za-z0-9_.+/-])[A-Za-z0-9_.+/-]*\Z"), re.compile(r"[A-Za-z0-9_.+/-]*")
_LEAST = 4  # signs; shorter words are hidden only in messages about their own entry


class ShownLine(NamedTuple):
    """A line as it may be shown; columns `first` to `last` (from 1, `last` exclusive) are one MASK, 0: nothing is."""

    text: str
    first: int = 0
    last: int = 0

    def column(self, column: int) -> int:
        """Where in `text` what stands at this column of the file is."""
        if not self.first or column < self.first:
            return column
        return self.first if column < self.last else column - self.last + self.first + len(MASK)


class Secrecy:
    """Tells what of one file to hide. Looks through the whole of it once, when it is first asked about a message."""

    def __init__(self, file: PreseedFile) -> None:
        self._file = file

    def line(self, number: int) -> ShownLine:
        """A line of the file, without its end."""
        if not 0 < number <= len(self._starts):
            return ShownLine("")
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self._file.data)
        data = self._file.data
        spans = [(max(one, start), min(other, end)) for one, other in self._spans(number) if one < end > start < other]
        if not spans:
            return ShownLine(_text(data[start:end]))
        first, last = min(one for one, _ in spans), max(other for _, other in spans)
        before = _text(data[start:first])
        column = len(before) + 1
        return ShownLine(before + MASK + _text(data[last:end]), column, column + len(_text(data[first:last])))

    def hide(self, message: str, line: int) -> str:
        """A message about this line of the file, without secrets; words of questions' names and `root's` are none."""
        words = {*self._secrets, *(word for item in self._items(line) for word in _words(item))}
        for word in sorted(words, key=len, reverse=True):
            for form in {word, repr(word)[1:-1]}:
                if form in message:
                    found = re.compile(rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9]|'s )")
                    message = found.sub(lambda match: match[0] if _is_in_name(match) else MASK, message)
        return message

    @cached_property
    def _starts(self) -> list[int]:
        """Where lines begin, as an editor counts them."""
        return [0, *(at.end() for at in re.finditer(rb"\n", self._file.data))]

    @cached_property
    def _lasts(self) -> list[int]:
        return [item.last_line for item in self._file.items]

    def _items(self, line: int) -> Iterator[Entry | Broken]:
        """The items that this line is of; several only where a NUL ends one."""
        for at in range(bisect_left(self._lasts, line), len(self._lasts)):
            item = self._file.items[at]
            if item.line > line:
                return
            yield item

    def _spans(self, number: int) -> Iterator[tuple[int, int]]:
        """Bytes to hide in and around a line."""
        for item in self._items(number):
            last = self._file.lines[item.last]
            if isinstance(item, Broken) and _TELLING.search(item.text):
                yield self._file.start(item), last.start + len(last.body)
            elif isinstance(item, Entry) and _is_secret(item):
                yield (item.value.start if item.type.text in _TYPES else item.type.start), item.value.end
        first = bisect_right(self._file.lines, number - 1, key=lambda line: line.number)
        for at in range(first, len(self._file.lines)):
            line = self._file.lines[at]
            if line.number != number:
                return
            if line.kind is LineKind.COMMENT and _TELLING.search(_text(line.body)):
                yield line.start + 1, line.start + len(line.body)

    @cached_property
    def _secrets(self) -> frozenset[str]:
        """Every secret value of the file that is long enough to be told from plain words."""
        values = (
            value
            for entry in self._file.entries
            if _is_secret(entry)
            for value in (entry.value.text.strip(BLANKS), entry.type.text)
        )
        return frozenset(value for value in values if len(value) >= _LEAST) - _TYPES


def _is_in_name(match: re.Match[str]) -> bool:
    """Whether a word of a message is part of a name, as in debian-installer/locale; values stand in quotes."""
    text = match.string
    before, behind = _NAME_ENDS.search(text[: match.start()]), _NAME_BEGINS.match(text, match.end())
    left, right = before[0] if before else "", behind[0] if behind else ""
    return (
        "/" in left.strip("/") + right and "//" not in left and not left.startswith("/") and not _is_quoted(match, left)
    )


def _is_quoted(match: re.Match[str], left: str) -> bool:
    return match.string[: match.start() - len(left)][-1:] in {"'", '"', ":", "@"}


def _is_secret(entry: Entry) -> bool:
    value, kind = entry.value.text.strip(BLANKS), entry.type.text
    if kind in _TYPES and value in _HARMLESS:
        return False
    return _names_secret(entry) or _TELLING.search(value if kind in _TYPES else f"{kind} {value}") is not None


def _names_secret(entry: Entry) -> bool:
    """By type or name; all names below passwd/ hold the word, so what follows counts."""
    _, _, name = entry.question.text.partition("/")
    return "pass" in entry.type.text.lower() or _NAME.search(name or entry.question.text) is not None


def _words(item: Entry | Broken) -> set[str]:
    """What a message about this item may not repeat."""
    if isinstance(item, Broken):
        return {word for word in item.text.split() if len(word) >= _LEAST} if _TELLING.search(item.text) else set()
    if not _is_secret(item):
        return set()
    named = _names_secret(item)
    least, harmless = (1, _HARMLESS) if named else (_LEAST, _HARMLESS | _SHELL)
    return {word for word in (item.type.text, *item.value.text.split()) if len(word) >= least} - _TYPES - harmless


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
