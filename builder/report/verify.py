"""What runs, compared with the profiles, for people and as plain data: one guest, a table of many, and the checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from builder.findings import Finding, Severity
from builder.plan.verify.check import Check
from builder.report.findings import count_text, finding_data, findings_text


class Result(Protocol):
    """One guest: what its domain does, whether it was asked itself, what was found."""

    @property
    def guest(self) -> str:
        """Its name."""

    @property
    def state(self) -> str:
        """Of its domain, in a word or two."""

    @property
    def asked(self) -> bool:
        """Its own side was compared, too."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Sorted."""


def verdict_of(one: Result) -> str:
    """`same`, `differs`, `cannot be asked`, or what else its domain does."""
    if one.asked:
        return "differs" if any(finding.severity < Severity.NOTE for finding in one.findings) else "same"
    return "cannot be asked" if one.state == "running" else one.state


def verify_text(one: Result, *, colour: bool = False) -> str:
    """Findings, and a line that sums them up."""
    if not one.findings:
        return f"{one.guest} is as its profile says"
    return f"{findings_text(one.findings, colour=colour)}\n{one.guest}: {verdict_of(one)}, {count_text(one.findings)}"


def drift_text(results: Sequence[Result], *, colour: bool = False) -> str:
    """A table of guests, and below it what was found."""
    if not results:
        return "no guest runs here"
    rows = [("guest", "verdict", "findings"), *((one.guest, verdict_of(one), _counted(one)) for one in results)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{guest:{widths[0]}}  {verdict:{widths[1]}}  {found}".rstrip() for guest, verdict, found in rows]
    found = findings_text([finding for one in results for finding in one.findings], colour=colour)
    return "\n".join([*lines, "", found] if found else lines)


def _counted(one: Result) -> str:
    return count_text(one.findings) if one.findings else "none"


def result_data(one: Result) -> Mapping[str, Any]:
    """One guest for `--json`."""
    return {
        "guest": one.guest,
        "state": one.state,
        "asked": one.asked,
        "verdict": verdict_of(one),
        "findings": [finding_data(finding) for finding in one.findings],
    }


def checks_rows(checks: Sequence[Check]) -> list[str]:
    """Their rows of docs/findings.md."""
    return [
        f"| {one.code} | {one.subject[0].upper()}{one.subject[1:]} differs. Expected: {one.wants}. | {one.mend} |"
        for one in checks
    ]


def checks_table(checks: Sequence[Check]) -> str:
    """The table of docs/verify.md."""
    rows = [f"| {one.code} | {one.subject} | {one.asks} | {one.looks_at} | {one.wants} |" for one in checks]
    return "\n".join(["| code | what | asked of | looks at | expected |", "|---|---|---|---|---|", *rows]) + "\n"
