"""Whether a step still means what it meant when it was planned: asked once more right before it is carried out."""

from __future__ import annotations

from typing import assert_never

from builder.storage.facts import StorageFacts
from builder.storage.labels import KEEP, MARK, UNFINISHED
from builder.storage.steps import (
    ActivateVolume,
    CreateVolume,
    FinishVolume,
    GrowVolume,
    RemoveVolume,
    Step,
    TagVolume,
    Target,
    WipeGrown,
)


def why_stale(step: Step, facts: StorageFacts) -> str:
    """What is another way than planned, in words; empty when the step may be carried out."""
    match step:
        case CreateVolume():
            return _cannot_create(step, facts)
        case RemoveVolume(target=target):
            return _changed(target, facts) or _cannot_destroy(target, facts)
        case FinishVolume(target=target):
            unmarked = "" if UNFINISHED in target.tags else f"{target.path} is finished"
            return _changed(target, facts) or unmarked or _in_use(target, facts)
        case GrowVolume(target=target):
            smaller = f"{target.path} is larger already" if step.size <= target.size else ""
            return _changed(target, facts) or smaller or _is_no_more(step, facts)
        case TagVolume(target=target) | ActivateVolume(target=target) | WipeGrown(target=target):
            return _changed(target, facts)
        case _:
            assert_never(step)


def _cannot_create(step: CreateVolume, facts: StorageFacts) -> str:
    group = facts.group(step.group)
    if group is None:
        return f"the volume group {step.group} is gone"
    if group.find(step.name):
        return f"{step.path} is there now"
    if not step.pool and group.free < step.extents:
        return f"{step.group} has {group.free} free extents now, and {step.path} needs {step.extents}"
    return ""


def _is_no_more(step: GrowVolume, facts: StorageFacts) -> str:
    group = facts.group(step.target.group)
    if group is None or step.thin:
        return ""
    more = step.extents - step.target.size.extents(group.extent)
    if group.free < more:
        return f"{group.name} has {group.free} free extents now, and {step.target.path} needs {more} more"
    return ""


def _changed(target: Target, facts: StorageFacts) -> str:
    found = facts.find(target.group, target.name)
    if found is None:
        return f"{target.path} is gone"
    if found.uuid != target.uuid:
        return f"{target.path} is another volume now: {found.uuid} instead of {target.uuid}"
    if found.tags != target.tags:
        return f"the tags of {target.path} are {', '.join(sorted(found.tags)) or 'none'} now"
    if found.size != target.size:
        return f"{target.path} has {found.size.human} now, not {target.size.human}"
    return ""


def _in_use(target: Target, facts: StorageFacts) -> str:
    found = facts.find(target.group, target.name)
    if found is None or found.is_open is False:
        return ""
    if found.is_open is None:
        return f"whether {target.path} is in use cannot be known"
    return f"{target.path} is in use now: {', '.join(found.used_by) or 'by a domain or a program'}"


def _cannot_destroy(target: Target, facts: StorageFacts) -> str:
    """The last gate before lvremove, whatever the plan says."""
    found = facts.find(target.group, target.name)
    if found and (MARK not in found.tags or KEEP in found.tags):
        return f"{target.path} is not one that may be removed: its tags are {', '.join(sorted(found.tags)) or 'none'}"
    if found and "origin" in found.roles:
        return f"{target.path} has snapshots now"
    return _in_use(target, facts)
