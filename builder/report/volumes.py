"""A storage plan for people and as plain data: what becomes of each volume, and what is destroyed, on its own lines."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from builder.report.findings import finding_data
from builder.storage.judge import Decision
from builder.storage.pools import PoolUse
from builder.storage.room import GroupUse
from builder.storage.steps import GrowVolume, commands_of, describe
from builder.storage.storage_plan import StoragePlan
from builder.storage.table import align


def plan_text(plan: StoragePlan) -> str:
    """The groups, a row for each volume, what will be destroyed, and what is to be done in the guests afterwards."""
    parts = [_groups_text(plan)] if plan.groups or plan.pools else []
    rows = [("guest", "volume", "is to", "size", "")]
    for decision in plan.decisions:
        wish = decision.wish
        rows.append((wish.guest, wish.path, _ACTIONS[decision.action], _size(decision), _remark(decision)))
    parts.append("\n".join(align(rows)))
    if plan.destroyed and not plan.refused:
        lines = [f"  {one.path}  {one.size.human}  {one.guest}: {one.why}" for one in plan.destroyed]
        parts.append("\n".join(["This DESTROYS what is on:", *lines]))
    if afterwards := [line for decision in plan.decisions for line in _afterwards(decision)]:
        parts.append("\n".join(["Afterwards, in the guest:", *(f"  {line}" for line in afterwards)]))
    if not plan.steps and not plan.refused:
        parts.append("Nothing is to be done.")
    return "\n\n".join(parts)


def commands_text(plan: StoragePlan) -> str:
    """Every step with its command lines, for `--dry-run`."""
    lines = []
    for step in plan.steps:
        lines += [f"# {describe(step)}", *(shlex.join(command) for command in commands_of(step))]
    return "\n".join(lines)


def plan_data(plan: StoragePlan) -> Mapping[str, Any]:
    """The same for `--json`."""
    return {
        "ok": not plan.refused,
        "purpose": plan.purpose,
        "volumes": [_decision_data(decision) for decision in plan.decisions],
        "destroyed": [
            {"guest": one.guest, "volume": one.path, "size_bytes": one.size.bytes, "why": one.why}
            for one in plan.destroyed
        ],
        "groups": [_group_data(use) for use in plan.groups],
        "pools": [_pool_data(use) for use in plan.pools],
        "steps": [
            {"guest": step.guest, "what": describe(step), "commands": [list(one) for one in commands_of(step)]}
            for step in plan.steps
        ],
        "findings": [finding_data(finding) for finding in plan.findings],
    }


_ACTIONS = {
    "keep": "stay",
    "create": "be made",
    "finish": "be finished",
    "grow": "grow",
    "recreate": "be made anew",
    "refuse": "- refused -",
}


def _groups_text(plan: StoragePlan) -> str:
    lines = [
        f"{use.name}: {use.free} of {use.extents} extents of {use.extent.human} are free; "
        + (f"{use.after} afterwards" if use.least >= 0 else f"{-use.least} too few")
        for use in plan.groups
    ]
    lines += [
        f"{use.path}: data {use.data:.1f}% full, {use.data_after:.1f}% afterwards; "
        f"metadata {use.metadata:.1f}%, {use.metadata_after:.1f}% afterwards"
        for use in plan.pools
    ]
    return "\n".join(lines)


def _size(decision: Decision) -> str:
    found, wish = decision.found, decision.wish
    if found is None or decision.action == "refuse" or found.size == wish.size:
        return wish.size.human
    return found.size.human if decision.action == "keep" else f"{found.size.human} -> {wish.size.human}"


def _remark(decision: Decision) -> str:
    wish = decision.wish
    kind = f"in the thin pool {wish.pool}" if wish.pool else "thick"
    match decision.action:
        case "create" | "recreate":
            return ", ".join(filter(None, (kind, wish.filesystem)))
        case "keep" | "grow" if decision.adopted:
            return "taken as domu's"
        case _:
            return ""


def _afterwards(decision: Decision) -> list[str]:
    """LVM makes the volume larger; the file system in it is the guest's own."""
    wish = decision.wish
    if not any(isinstance(step, GrowVolume) for step in decision.steps) or decision.action != "grow":
        return []
    if wish.is_disk:
        return [f"{wish.guest}: {wish.device} is larger; its partitions stay as they are until a rebuild"]
    line = f"xfs_growfs {wish.mount or 'MOUNT POINT'}" if wish.filesystem == "xfs" else f"resize2fs {wish.device}"
    return [f"{wish.guest}: {line}"]


def _decision_data(decision: Decision) -> Mapping[str, Any]:
    found, wish = decision.found, decision.wish
    return {
        "guest": wish.guest,
        "volume": wish.path,
        "action": decision.action,
        "size_bytes": wish.size.bytes,
        "was_bytes": found.size.bytes if found else None,
        "uuid": found.uuid if found else None,
        "pool": wish.pool or None,
        "keep": wish.keep,
        "adopted": decision.adopted,
        "destroys": decision.destroys,
    }


def _group_data(use: GroupUse) -> Mapping[str, Any]:
    return {
        "name": use.name,
        "extent_bytes": use.extent.bytes,
        "extents": use.extents,
        "free": use.free,
        "free_after": use.after,
        "free_least": use.least,
    }


def _pool_data(use: PoolUse) -> Mapping[str, Any]:
    return {
        "pool": use.path,
        "size_bytes": use.size.bytes,
        "promised_bytes": use.promised.bytes,
        "data_percent": round(float(use.data), 2),
        "data_percent_after": round(float(use.data_after), 2),
        "metadata_percent": round(float(use.metadata), 2),
        "metadata_percent_after": round(float(use.metadata_after), 2),
        "watermark_percent": use.watermark,
    }
