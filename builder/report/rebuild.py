"""What a rebuild proposes, and how it ended, for people and as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from builder.findings import Finding
from builder.plan.journal import Run
from builder.plan.rebuild import RebuildPlan
from builder.plan.steps import describe, title
from builder.report.findings import finding_data
from builder.report.plan import plan_data


def going_on_text(runs: Iterable[Run]) -> str:
    """The runs that are gone on with, and what is left of them."""
    return "\n\n".join("\n".join(_going_on(run)) for run in runs)


def _going_on(run: Run) -> Iterator[str]:
    steps = run.begun.steps
    yield f"{run.begun.guest}: run {run.id} goes on at step {run.next_step + 1} of {len(steps)}:"
    for step in steps[run.next_step :]:
        yield f"   - {describe(step)}"


def proposal_data(plan: RebuildPlan, runs: Iterable[Run], findings: Sequence[Finding]) -> Mapping[str, Any]:
    """What would be done, for `--json`."""
    data = plan_data(plan)
    return {
        **data,
        "ok": data["ok"] and not findings,
        "going_on": [
            {
                "guest": run.begun.guest,
                "run": run.id,
                "step": run.next_step + 1,
                "steps": [{"what": describe(step)} for step in run.begun.steps[run.next_step :]],
            }
            for run in runs
        ],
        "findings": [*data["findings"], *map(finding_data, findings)],
    }


def end_text(run: Run, folder: Path, message: str, hint: str) -> str:
    """How it ended for a guest; where it failed, what was kept and what to do."""
    guest = run.begun.guest
    seconds = (run.records[-1].at - run.begun.at).total_seconds() if run.records else 0.0
    if run.state == "done":
        return f"{guest}: rebuilt in {_time(seconds)} (run {run.id})"
    step = run.begun.steps[run.next_step]
    lines = [f"{guest}: {run.state} at: {title(step)}", f"  {message}"]
    if hint:
        lines.append(f"  next: {hint}")
    lines.append(f"  kept: {folder}")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def end_data(run: Run, folder: Path, message: str, hint: str) -> Mapping[str, Any]:
    """The same for `--json`."""
    return {
        "guest": run.begun.guest,
        "run": run.id,
        "state": run.state,
        "begun": run.begun.at.isoformat(),
        "steps": [
            {"what": describe(step), "seconds": run.seconds_of(number)} for number, step in enumerate(run.begun.steps)
        ],
        "kept": str(folder),
        "message": message,
        "hint": hint,
    }
