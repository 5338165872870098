"""The grammar of xl's config files (xl.cfg(5); libxlu_cfg_l.l and libxlu_cfg_y.y of Xen 4.17): text to settings.

It takes what xl takes and refuses what xl refuses, and besides that octal escapes, which xl drops. What the
settings mean is judged elsewhere: xl itself passes by every name that it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from builder.errors import RefusalError
from builder.findings import Finding, Place

Value = str | tuple["Value", ...]
# As libxlu_cfg_l.l has them. Blanks are blank and tab only, and a comment ends with its line, or it is none.
_TOKEN = re.compile(
    r"(?P<name>[a-z][._0-9a-z]*)|(?P<number>[0-9][0-9a-fx]*)|(?P<blank>[ \t]+)|(?P<sign>\+=|[,\[\]=;])"
    r"|(?P<end>(?:#[^\n]*)?\n)"
    r"|(?P<string>'(?:[^'\\\n]|\\[^\n])*'|\"(?:[^\"\\\n]|\\[^\n])*\")",
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", '"': '"', "\\": "\\"}
# What only the Python of xm's configs has. xl says so, too, at these signs (likely_python).
_PYTHON = re.compile(
    r"^[ \t]*(?:def|import|from|if|for|class|print|try)\b|^[ \t]*\w+[ \t]*=[ \t]*\w*[(]|[\"')][ \t]*[%+]", re.MULTILINE
)
_NUMBER = re.compile(r"[ \t]*(?P<sign>[+-]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0(?P<octal>[0-7]*)|(?P<decimal>[1-9][0-9]*))")


@dataclass(frozen=True, slots=True)
class Setting:
    """One `name = value`; a number stays the text that it is, as in xl. `line` counts from 1."""

    name: str
    value: Value
    line: int

    @property
    def text(self) -> str | None:
        """The value, unless it is a list."""
        return self.value if isinstance(self.value, str) else None

    @property
    def number(self) -> int | None:
        """The value as xl's strtol takes it: decimal, 0x for hexadecimal, 0 for octal; None where it is none."""
        match = _NUMBER.fullmatch(self.text or "")
        if match is None:
            return None
        if match["hex"]:
            number = int(match["hex"], 16)
        else:
            number = int(match["decimal"]) if match["decimal"] else int(match["octal"] or "0", 8)
        return -number if match["sign"] == "-" else number

    @property
    def texts(self) -> tuple[str, ...]:
        """The list's items that are no lists themselves; of a single value, itself."""
        items = (self.value,) if isinstance(self.value, str) else self.value
        return tuple(item for item in items if isinstance(item, str))


@dataclass(frozen=True, slots=True)
class XlConfig:
    """A config file: what counts, by name; what was said before and does not count any more; its first comments."""

    settings: dict[str, Setting]
    overruled: tuple[Setting, ...] = ()
    comments: tuple[str, ...] = ()
    file: str = ""

    def get(self, name: str) -> Setting | None:
        """The setting that counts."""
        return self.settings.get(name)

    def text(self, name: str) -> str | None:
        """Its value; None where it is missing or a list."""
        setting = self.settings.get(name)
        return setting.text if setting else None

    def number(self, name: str) -> int | None:
        """Its value; None where it is missing or no number."""
        setting = self.settings.get(name)
        return setting.number if setting else None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


class _SyntaxError(Exception):
    def __init__(self, message: str, line: int, hint: str = "") -> None:
        super().__init__(message)
        self.line, self.hint = line, hint


@dataclass(slots=True)
class _Tokens:
    """The rest of the file; the token in front is `token`."""

    rest: Iterator[_Token]
    token: _Token = field(default_factory=lambda: _Token("", "", 1))

    def __post_init__(self) -> None:
        self.next()

    def next(self) -> _Token:
        """Go on, and return what was in front."""
        seen, self.token = self.token, next(self.rest, _Token("eof", "", self.token.line))
        return seen

    def skip_ends(self) -> None:
        while self.token.kind == "end":
            self.next()


def parse_xl_config(text: str, file: str = "") -> XlConfig:
    """Read a config file. RefusalError with one finding, A106, at the line that xl would stumble over, too."""
    settings: dict[str, Setting] = {}
    overruled: list[Setting] = []
    try:
        tokens = _Tokens(_tokens(text))
        while tokens.token.kind != "eof":
            if tokens.token.kind == "end" or tokens.token.text == ";":
                tokens.next()
                continue
            setting, added = _assignment(tokens)
            before = settings.get(setting.name)
            if before and added:
                setting = _joined(before, setting)
            elif before:
                overruled.append(before)
            settings[setting.name] = setting
    except _SyntaxError as error:
        hint = error.hint or "xl stumbles over it, too: correct the file"
        if _PYTHON.search(text):
            hint = "this is a config of xm, which is a Python program and was never for xl; write out what it computes"
        finding = Finding("A106", str(error), hint, Place(file, error.line))
        raise RefusalError(f"{file or 'the text'} is no xl config", [finding]) from error
    return XlConfig(settings, tuple(overruled), tuple(_comments(text)), file)


def _assignment(tokens: _Tokens) -> tuple[Setting, bool]:
    name = tokens.next()
    if name.kind != "name":
        raise _SyntaxError(f"{name.text!r} stands where a setting should begin", name.line)
    sign = tokens.next()
    if sign.text not in {"=", "+="}:
        raise _SyntaxError(f"{name.text} is not followed by =", sign.line)
    value = _value(tokens)
    if tokens.token.kind not in {"end", "eof"} and tokens.token.text != ";":
        raise _SyntaxError(f"{tokens.token.text!r} stands behind the value of {name.text}", tokens.token.line)
    return Setting(name.text, value, name.line), sign.text == "+="


def _value(tokens: _Tokens) -> Value:
    token = tokens.next()
    if token.kind == "string":
        return _unquoted(token)
    if token.kind == "number":
        return token.text
    if token.text != "[":
        seen = "the end of the line" if token.kind in {"end", "eof"} else repr(token.text)
        raise _SyntaxError(f"{seen} stands where a string, a number or a list should be", token.line)
    items: list[Value] = []
    tokens.skip_ends()
    while tokens.token.text != "]":
        items.append(_value(tokens))
        tokens.skip_ends()
        if tokens.token.text == ",":
            tokens.next()
            tokens.skip_ends()
        elif tokens.token.text != "]":
            raise _SyntaxError("the list has no comma between two items, or no end", tokens.token.line)
    tokens.next()
    return tuple(items)


def _joined(before: Setting, more: Setting) -> Setting:
    """`+=` adds text to text and list to list."""
    match before.value, more.value:
        case str(), str():
            return Setting(more.name, before.value + more.value, more.line)
        case tuple(), tuple():
            return Setting(more.name, (*before.value, *more.value), more.line)
        case _:
            raise _SyntaxError(f"+= cannot add a list to a single value of {more.name}, or one to a list", more.line)


def _unquoted(token: _Token) -> str:
    def plain(match: re.Match[str]) -> str:
        if match[1] in _ESCAPES:
            return _ESCAPES[match[1]]
        if match[1] in "01234567":
            # libxlu_cfg.c, xlu__cfgl_dequote: an octal escape is read and dropped.
            message = rf"xl reads \{match[1]}... otherwise than it is written"
            raise _SyntaxError(message, token.line, "write the sign itself")
        raise _SyntaxError(rf"\{match[1]} means nothing in a string", token.line)

    return _ESCAPE.sub(plain, token.text[1:-1])


def _tokens(text: str) -> Iterator[_Token]:
    if "\0" in text:
        raise _SyntaxError("the file has a NUL in it", text[: text.index("\0")].count("\n") + 1, "is it a text at all?")
    line = position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _SyntaxError(f"{_around(text, position)} is nothing that xl reads", line + 1)
        kind = str(match.lastgroup)
        if kind != "blank":
            yield _Token(kind, match[0], line + 1)
        line += kind == "end"
        position = match.end()


def _around(text: str, position: int) -> str:
    word = re.match(r"[^ \t\n]{1,30}", text[position:])
    seen = word[0] if word else text[position]
    if seen[0] == "#":
        return "a comment without an end of line"
    return f"{seen!a}" + (", a string without an end," if seen[0] in "\"'" else "")


def _comments(text: str) -> Iterator[str]:
    """The lines of comment that the file begins with."""
    for line in text.split("\n"):
        if not line.startswith("#"):
            return
        yield line.removeprefix("#").strip()
