"""What the linter found, for people: the line, a caret below the column, the mend. And as plain data for `--json`."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from builder.preseed.linted import Linted, Spot
from builder.preseed.secrecy import Secrecy
from builder.preseed.syntax import parse_preseed
from builder.report.findings import count_text, finding_data, paint

_WIDEST = 100  # terminal columns of a line that is shown; more of it is cut off around the caret
_CUT = "..."
_TAB = 4
_NAMES = {"\r": "CR", "\0": "NUL", "\x1b": "ESC"}


def lint_text(files: Sequence[Linted], *, colour: bool = False) -> str:
    """Every finding of every file, what its lines say before what they leave out, and a line that counts them."""
    parts = [spot_text(spot, of=file.suites, colour=colour) for file in files for spot in _lines_first(file)]
    return "\n".join([*parts, summary(files)])


def _lines_first(file: Linted) -> Sequence[Spot]:
    return sorted(file.spots, key=lambda spot: not spot.finding.place.line)


def mended_text(mended: Mapping[str, Mapping[str, int]], *, verb: str = "mended") -> str:
    """`; 3 mended (L102 1, L112 2)`, or nothing."""
    counts: Counter[str] = Counter()
    for of_file in mended.values():
        counts.update(of_file)
    each = ", ".join(f"{code} {count}" for code, count in sorted(counts.items()))
    return f"; {counts.total()} {verb} ({each})" if counts else ""


def summary(files: Sequence[Linted]) -> str:
    """`2 files linted for bookworm, trixie: 1 error, 2 warnings`."""
    suites = ", ".join(dict.fromkeys(suite for file in files for suite in file.suites))
    findings = [finding for file in files for finding in file.findings]
    return f"{len(files)} file{'s' * (len(files) != 1)} linted for {suites}: {count_text(findings)}"


def spot_text(spot: Spot, *, of: Sequence[str], colour: bool = False) -> str:
    """One finding; when not all suites have it, those that have."""
    finding = spot.finding
    label = paint(f"{finding.severity.word} {finding.code}", finding.severity, colour=colour)
    where = f"{finding.place}: " if finding.place.file else ""
    lines = [f"{_printable(where)}{label}: {_printable(finding.message)}{only(spot, of)}"]
    if finding.place.line and finding.place.column:
        lines += _excerpt(spot, colour=colour)
    return "\n".join([*lines, *([f"    {_printable(finding.hint)}"] if finding.hint else [])])


def diff_text(name: str, before: bytes, after: bytes) -> str:
    """A unified diff for eyes, not for patch(1): secrets are masked, and what is not printable is spelt out."""
    old, new = _shown_lines(before), _shown_lines(after)
    return "".join(f"{line}\n" for line in difflib.unified_diff(old, new, name, f"{name} (mended)", lineterm=""))


def _shown_lines(data: bytes) -> list[str]:
    secrecy = Secrecy(parse_preseed(data))
    count = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    return [_printable(secrecy.line(number).text) for number in range(1, count + 1)]


def only(spot: Spot, of: Sequence[str]) -> str:
    """` (trixie only)` for what the other suites do not have."""
    return "" if set(spot.suites) == set(of) else f" ({', '.join(spot.suites)} only)"


def _excerpt(spot: Spot, *, colour: bool) -> Iterator[str]:
    """The line and, below it, a caret under every column that a terminal gives to the span."""
    shown, place = spot.shown, spot.finding.place
    column = shown.column(place.column)
    span = max(shown.column(spot.end) - column, 1)
    signs = [_sign(sign) for sign in shown.text]
    before, marked, behind = signs[: column - 1], signs[column - 1 : column - 1 + span], signs[column - 1 + span :]
    head, tail = _end_of(before, _WIDEST // 2), ""
    room = _WIDEST - _width(head)
    middle = _start_of(marked, room)
    if not _is_cut(marked, middle):
        tail = _start_of(behind, room - _width(middle))
    gutter = str(place.line)
    carets = "^" * max(_width(middle), 1)
    yield f"    {gutter} | {head}{middle}{tail}".rstrip()
    yield f"    {' ' * len(gutter)} | {' ' * _width(head)}{paint(carets, spot.finding.severity, colour=colour)}"


def _is_cut(signs: Sequence[str], text: str) -> bool:
    return text.endswith(_CUT) and text != "".join(signs)


def _start_of(signs: Sequence[str], room: int) -> str:
    whole = _fitting(signs, room)
    return "".join(signs) if whole == len(signs) else "".join(signs[: _fitting(signs, room - len(_CUT))]) + _CUT


def _end_of(signs: Sequence[str], room: int) -> str:
    back = signs[::-1]
    whole = _fitting(back, room)
    if whole == len(signs):
        return "".join(signs)
    return _CUT + "".join(back[: _fitting(back, room - len(_CUT))][::-1])


def _fitting(signs: Sequence[str], room: int) -> int:
    """How many of the signs, from the first, fit into the room."""
    for count, sign in enumerate(signs):
        room -= _width(sign)
        if room < 0:
            return count
    return len(signs)


def _sign(sign: str) -> str:
    """As it is, or what stands for it: what is not printable would move the caret, or do worse to a terminal."""
    if sign == "\t":
        return " " * _TAB
    if "\udc80" <= sign <= "\udcff":
        return f"<{ord(sign) - 0xDC00:02X}>"
    return sign if sign.isprintable() else f"<{_NAMES.get(sign) or f'U+{ord(sign):04X}'}>"


def _printable(text: str) -> str:
    return "".join(map(_sign, text))


def _width(text: str) -> int:
    """Columns that a terminal gives to printable text: two to wide signs, none to combining ones."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF") for sign in text)


def lint_data(files: Sequence[Linted], *, ok: bool) -> Mapping[str, Any]:
    """For JSON. `column` and `end` count the file's characters from 1, `end` is the column behind; 0: unknown."""
    return {
        "ok": ok,
        "files": [file.name for file in files],
        "suites": list(dict.fromkeys(suite for file in files for suite in file.suites)),
        "findings": [
            {**finding_data(spot.finding), "end": spot.end, "suites": list(spot.suites)}
            for file in files
            for spot in file.spots
        ],
    }
