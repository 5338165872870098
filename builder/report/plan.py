"""The plan of a rebuild for people and as plain data: each guest's steps, and what is destroyed on lines of its own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from builder.plan.estimate import Span, whole_run
from builder.plan.rebuild import RebuildPlan
from builder.plan.steps import commands_of, describe
from builder.report.durations import range_text
from builder.report.findings import finding_data


def plan_text(plan: RebuildPlan, *, commands: bool = False) -> str:
    """What is lost and what stays, then the steps, guest after guest; with `commands` what to type for each."""
    parts = []
    if not plan.refused:
        lost = [f"  {one.path}  {one.size.human}  {one.guest}: {one.why}" for one in plan.destroyed]
        parts.append("\n".join(["This would DESTROY what is on:", *lost] if lost else ["Nothing would be destroyed."]))
    if kept := [f"  {wish.path}  {wish.size.human}  {wish.guest}: {wish.mount or 'kept'}" for wish in plan.kept]:
        parts.append("\n".join(["These stay as they are:", *kept]))
    for number, one in enumerate((one for one in plan.guests if one.steps), 1):
        estimate = plan.estimates[one.guest]
        lines = [f"{number}. {one.guest}{_in_brackets(estimate.known, whole=estimate.whole)}"]
        letters = "abcdefghijklmnopqrstuvwxyz" * 4
        for letter, step, span in zip(letters, one.steps, estimate.steps, strict=False):
            lines.append(f"   {letter}. {describe(step)}{_in_brackets(span)}")
            lines += [f"        {shlex.join(command)}" for command in commands_of(step)] if commands else []
        parts.append("\n".join(lines))
    if not plan.refused:
        parts.append(_time(plan))
    return "\n\n".join(parts)


def _in_brackets(span: Span | None, *, whole: bool = True) -> str:
    """` (24 to 31 min)`; nothing for less than a second, which is what most steps take."""
    if span is None or span.high < 1:
        return ""
    return f" ({'' if whole else 'more than '}{range_text(span.low, span.high)})"


def _time(plan: RebuildPlan) -> str:
    """How long the run takes, going by earlier ones."""
    span = whole_run(plan.schedule, plan.estimates)
    if span is None:
        return "How long it takes cannot be told: there was no earlier run on these guests or on any like them."
    at_once = plan.schedule.at_once
    together = f", up to {at_once} guests at a time" if at_once > 1 and len(plan.guests) > 1 else ""
    whole = all(one.whole for one in plan.estimates.values())
    more = "" if whole else ", and what the steps without a time take"
    return f"Going by earlier runs it takes {range_text(span.low, span.high)}{together}{more}."


def plan_data(plan: RebuildPlan) -> Mapping[str, Any]:
    """The same for `--json`."""
    return {
        "ok": not plan.refused,
        "guests": [
            {
                "guest": one.guest,
                "steps": [
                    {
                        "what": describe(step),
                        "commands": [list(command) for command in commands_of(step)],
                        "seconds": _span_data(span),
                    }
                    for step, span in zip(one.steps, plan.estimates[one.guest].steps, strict=True)
                ],
                "seconds": _span_data(plan.estimates[one.guest].known),
            }
            for one in plan.guests
        ],
        "destroyed": [
            {"guest": one.guest, "volume": one.path, "size_bytes": one.size.bytes, "why": one.why}
            for one in plan.destroyed
        ],
        "kept": [{"guest": one.guest, "volume": one.path, "size_bytes": one.size.bytes} for one in plan.kept],
        "installs_at_once": plan.schedule.at_once,
        "seconds": _span_data(whole_run(plan.schedule, plan.estimates)),
        "findings": [finding_data(finding) for finding in plan.findings],
    }


def _span_data(span: Span | None) -> Mapping[str, float] | None:
    """The shortest and the longest of earlier times; null: no such step before."""
    return {"low": round(span.low, 1), "high": round(span.high, 1)} if span else None
