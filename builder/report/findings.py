"""Findings as text for people and as plain data for `--json`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from builder.findings import Finding, Severity

_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}


def finding_text(finding: Finding, *, colour: bool = False) -> str:
    """`profiles/web1.yaml:7:9: error P201: message`, the hint indented below."""
    label = f"{finding.severity.word} {finding.code}"
    return str(finding).replace(label, paint(label, finding.severity, colour=colour), 1)


def paint(text: str, severity: Severity, *, colour: bool) -> str:
    """In the severity's colour, bold, if colour is wanted."""
    return f"\x1b[1;{_COLOURS[severity]}m{text}\x1b[0m" if colour else text


def findings_text(findings: Iterable[Finding], *, colour: bool = False) -> str:
    """One finding after the other, as sorted by the collection; what several guests share is said once."""
    return "\n".join(dict.fromkeys(finding_text(finding, colour=colour) for finding in findings))


def finding_data(finding: Finding) -> Mapping[str, Any]:
    """A finding as JSON has it; `line` and `column` are 0 where unknown."""
    return {
        "code": finding.code,
        "severity": finding.severity.word,
        "guest": finding.guest,
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "message": finding.message,
        "hint": finding.hint,
    }


def count_text(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning`, or `no findings`."""
    counts = Counter(finding.severity for finding in findings)
    parts = [f"{counts[severity]} {severity.word}{'s' * (counts[severity] != 1)}" for severity in sorted(counts)]
    return ", ".join(parts) or "no findings"


def wants_colour(out: TextIO) -> bool:
    """On a terminal, unless NO_COLOR (no-color.org) is set or the terminal is dumb."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
