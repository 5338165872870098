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


def done_text(runs: Iterable[Run]) -> str:
    """Guests that need not be rebuilt again."""
    ready = ((run, run.records[-1].at.astimezone()) for run in runs)
    return "\n".join(
        f"{run.begun.guest}: ready since {at:%Y-%m-%d %H:%M}, by the command that goes on now; --anew rebuilds it again"
        for run, at in ready
    )


def _going_on(run: Run) -> Iterator[str]:
    steps = run.begun.steps
    yield f"{run.begun.guest}: run {run.id} goes on at step {run.next_step + 1} of {len(steps)}:"
    for step in steps[run.next_step :]:
        yield f"   - {describe(step)}"


def proposal_data(
    plan: RebuildPlan, runs: Iterable[Run], done: Iterable[Run], findings: Sequence[Finding]
) -> Mapping[str, Any]:
    """What would be done, for `--json`; `runs` are gone on with, those of guests that are ready are `done`."""
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
        "done": [{"guest": run.begun.guest, "run": run.id} for run in done],
        "findings": [*data["findings"], *map(finding_data, findings)],
    }


def end_text(run: Run, folder: Path, message: str, hint: str, findings: Sequence[Finding] = ()) -> str:
    """How it ended for a guest: what is not as its profile says; or where it failed, what was kept and what to do."""
    guest = run.begun.guest
    if run.state == "done":
        seconds = (run.records[-1].at - run.begun.at).total_seconds()
        return "\n".join([f"{guest}: rebuilt in {_time(seconds)} (run {run.id})", *map(str, findings)])
    step = run.begun.steps[run.next_step]
    stands = "failed" if run.state == "failed" else "stopped"
    lines = [f"{guest}: {stands} at step {run.next_step + 1} of {len(run.begun.steps)}, {title(step)}", f"  {message}"]
    if hint:
        lines.append(f"  next: {hint}")
    lines.append(f"  kept: {folder}")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def end_data(run: Run, folder: Path, message: str, hint: str, findings: Sequence[Finding] = ()) -> Mapping[str, Any]:
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
        "findings": [finding_data(finding) for finding in findings],
    }
