"""The plan of a rebuild for people and as plain data: each guest's steps, and what is destroyed on lines of its own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from builder.plan.rebuild import RebuildPlan
from builder.plan.steps import commands_of, describe
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
        lines = [f"{number}. {one.guest}"]
        for letter, step in zip("abcdefghijklmnopqrstuvwxyz" * 4, one.steps, strict=False):
            lines.append(f"   {letter}. {describe(step)}")
            lines += [f"        {shlex.join(command)}" for command in commands_of(step)] if commands else []
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def plan_data(plan: RebuildPlan) -> Mapping[str, Any]:
    """The same for `--json`."""
    return {
        "ok": not plan.refused,
        "guests": [
            {
                "guest": one.guest,
                "steps": [
                    {"what": describe(step), "commands": [list(command) for command in commands_of(step)]}
                    for step in one.steps
                ],
            }
            for one in plan.guests
        ],
        "destroyed": [
            {"guest": one.guest, "volume": one.path, "size_bytes": one.size.bytes, "why": one.why}
            for one in plan.destroyed
        ],
        "kept": [{"guest": one.guest, "volume": one.path, "size_bytes": one.size.bytes} for one in plan.kept],
        "findings": [finding_data(finding) for finding in plan.findings],
    }
