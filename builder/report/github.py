"""Findings as workflow commands of GitHub Actions, which shows them beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from builder.findings import Severity
from builder.preseed.linted import Linted, Spot
from builder.report.lint import only

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
# actions/toolkit, packages/core/src/command.ts: escapeData, and what escapeProperty adds to it.
_IN_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTY = _IN_DATA | {":": "%3A", ",": "%2C"}


def github_text(files: Sequence[Linted]) -> str:
    """One command a line; nothing for clean files."""
    return "\n".join(_command(spot, file) for file in files for spot in file.spots)


def _command(spot: Spot, file: Linted) -> str:
    finding = spot.finding
    properties = ",".join(f"{name}={_escaped(value, _IN_PROPERTY)}" for name, value in _properties(spot, file))
    text = "\n".join(part for part in (finding.message + only(spot, file.suites), finding.hint) if part)
    return f"::{_COMMANDS[finding.severity]} {properties}::{_escaped(text, _IN_DATA)}"


def _properties(spot: Spot, file: Linted) -> Iterator[tuple[str, str]]:
    place = spot.finding.place
    yield "file", file.name
    if place.line:
        yield "line", str(place.line)
    if place.line and place.column:
        yield "col", str(place.column)
        yield "endColumn", str(spot.end)
    yield "title", spot.finding.code


def _escaped(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(sign, sign) for sign in text).encode(errors="replace").decode()
