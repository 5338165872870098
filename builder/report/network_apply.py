"""What `domu network apply` and its companions say, for people and as plain data."""

from __future__ import annotations

from typing import Any, Literal

from builder.findings import Finding
from builder.report.findings import finding_data


def ending_text(outcome: Literal["confirmed", "taken back"], reason: str, problems: tuple[str, ...]) -> str:
    """How a change ended, and what could not be done."""
    head = "confirmed: it stays, after the next boot too" if outcome == "confirmed" else f"taken back: {reason}"
    return "\n".join([head, *(f"problem: {one}" for one in problems)])


def waiting_text(trial: str, within: int) -> str:
    """What a person has to do now."""
    return (
        f"applied on trial ({trial}): nothing is written to /etc yet\n"
        f"If you can read this from outside, make it last within {within} s:  domu network confirm\n"
        "Otherwise everything goes back by itself; at once with:  domu network rollback"
    )


def done_data(
    diff: str,
    findings: tuple[Finding, ...],
    trial: str | None,
    ending: tuple[str, str, tuple[str, ...]] | None,
) -> dict[str, Any]:
    """The same for programs."""
    outcome, reason, problems = ending or ("waiting" if trial else "unchanged" if not diff else "not done", "", ())
    return {
        "diff": diff,
        "findings": [finding_data(one) for one in findings],
        "id": trial,
        "outcome": outcome,
        "problems": list(problems),
        "reason": reason,
    }
