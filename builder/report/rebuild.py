"""What a rebuild proposes, and how it ended, for people and as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from builder.plan.journal import Run
from builder.plan.steps import describe, title


def going_on_text(runs: Iterable[Run]) -> str:
    """The runs that are gone on with, and what is left of them."""
    return "\n\n".join("\n".join(_going_on(run)) for run in runs)


def _going_on(run: Run) -> Iterator[str]:
    steps = run.begun.steps
    yield f"{run.begun.guest}: run {run.id} goes on at step {run.next_step + 1} of {len(steps)}:"
    for step in steps[run.next_step :]:
        yield f"   - {describe(step)}"


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
