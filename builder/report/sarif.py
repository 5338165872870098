"""Findings as SARIF 2.1.0 (OASIS), which code scanning reads: one run, the rules that spoke with their pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from builder import __version__
from builder.findings import Finding, Severity
from builder.preseed.linted import Linted, Spot
from builder.preseed.rule import Rule
from builder.report.lint import only

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif_data(files: Sequence[Linted], rules: Iterable[Rule]) -> Mapping[str, Any]:
    """The log. Columns are Unicode characters; `properties.suites` names the suites that a result is about."""
    found = {spot.finding.code: spot.finding for file in files for spot in file.spots}
    known = {rule.code: _rule(rule) for rule in rules}
    codes = sorted(known.keys() | found.keys())
    described = [known.get(code) or _unwritten(found[code]) for code in codes]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "domu lint", "version": __version__, "rules": described}},
                "columnKind": "unicodeCodePoints",
                "artifacts": [{"location": _location(file.name)} for file in files],
                "results": [
                    _result(spot, file, index, codes.index(spot.finding.code))
                    for index, file in enumerate(files)
                    for spot in file.spots
                ],
            }
        ],
    }


def _rule(rule: Rule) -> Mapping[str, Any]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.mend, "markdown": f"{rule.why}\n\n{rule.mend}"},
        "defaultConfiguration": {"level": _level(rule.severity)},
    }


def _unwritten(finding: Finding) -> Mapping[str, Any]:
    """A code that is no rule of the linter's: its first finding speaks for it."""
    return {"id": finding.code, "defaultConfiguration": {"level": _level(finding.severity)}}


def _level(severity: Severity) -> str:
    return severity.word  # SARIF has the same three words


def _result(spot: Spot, file: Linted, index: int, rule: int) -> Mapping[str, Any]:
    finding, place = spot.finding, spot.finding.place
    physical: dict[str, Any] = {"artifactLocation": {**_location(file.name), "index": index}}
    if place.line:
        columns = {"startColumn": place.column, "endColumn": spot.end} if place.column else {}
        physical["region"] = {"startLine": place.line, **columns}
    text = ". ".join(part for part in (finding.message + only(spot, file.suites), finding.hint) if part)
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _level(finding.severity),
        "message": {"text": _fit(text)},
        "locations": [{"physicalLocation": physical}],
        "properties": {"suites": list(spot.suites)},
    }


def _location(name: str) -> dict[str, str]:
    """A relative reference stays one; bytes of a name that are no UTF-8 are escaped as they are."""
    path = quote(name.encode("utf-8", "surrogateescape"), safe="/")
    return {"uri": f"file://{path}" if name.startswith("/") else path}


def _fit(text: str) -> str:
    """Surrogates, which stand for bytes that are no UTF-8, are no JSON text to many readers."""
    return text.encode(errors="replace").decode()
