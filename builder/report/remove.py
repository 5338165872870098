"""The plan of a removal for people and as plain data: what is lost and what stays on lines of their own, then steps."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from builder.plan.journal import Run
from builder.plan.remove import RemovePlan
from builder.plan.steps import commands_of, describe, title
from builder.report.findings import finding_data


def remove_text(plan: RemovePlan, *, commands: bool = False) -> str:
    """What is lost, what stays and why, and the steps; with `commands` what to type for each."""
    parts = []
    if not plan.refused:
        lost = [f"  {one.path}  {one.size.human}  {one.why}" for one in plan.destroyed]
        parts.append("\n".join(["This would DESTROY what is on:", *lost] if lost else ["Nothing would be destroyed."]))
    if left := [f"  {one.path}  {one.size.human}  {one.why}" for one in plan.left]:
        parts.append("\n".join(["These stay as they are:", *left]))
    if plan.steps:
        parts.append("\n".join(["The steps:", *_steps(plan, commands=commands)]))
    elif not plan.refused:
        parts.append(f"dom0 has nothing of {plan.guest} to remove.")
    return "\n\n".join(parts)


def _steps(plan: RemovePlan, *, commands: bool) -> Iterator[str]:
    for number, step in enumerate(plan.steps, 1):
        yield f"  {number}. {describe(step)}"
        if commands:
            yield from (f"       {shlex.join(command)}" for command in commands_of(step))


def remove_data(plan: RemovePlan) -> Mapping[str, Any]:
    """The same for `--json`."""
    return {
        "ok": not plan.refused,
        "guest": plan.guest,
        "steps": [
            {"what": describe(step), "commands": [list(command) for command in commands_of(step)]}
            for step in plan.steps
        ],
        "destroyed": [{"volume": one.path, "size_bytes": one.size.bytes, "what": one.why} for one in plan.destroyed],
        "left": [{"volume": one.path, "size_bytes": one.size.bytes, "why": one.why} for one in plan.left],
        "findings": [finding_data(finding) for finding in plan.findings],
    }


def removed_text(run: Run, folder: Path, message: str, hint: str) -> str:
    """How it ended; where it did not, what to do."""
    guest = run.begun.guest
    if run.state == "done":
        return f"{guest}: removed. Its profile stays, and the journal of its runs: {folder.parent}"
    lines = [f"{guest}: {run.state} at: {title(run.begun.steps[run.next_step])}", f"  {message}"]
    return "\n".join([*lines, f"  next: {hint}" if hint else "  next: the same command goes on with what is left"])
