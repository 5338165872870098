"""What is left of a step that was begun by a run which was then cut off, going by what there is now."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from builder.storage.facts import LogicalVolume, StorageFacts
from builder.storage.labels import UNFINISHED
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


def rest_of(step: Step, facts: StorageFacts) -> Step | None:
    """The step to carry out now; None when all of it was done. `why_stale` still has to look at what is returned.

    A volume counts as made by the step only with all of its tags, and as finished when the sign that it is not is gone.
    """
    match step:
        case CreateVolume():
            return _rest_of_create(step, facts.find(step.group, step.name))
        case RemoveVolume(target=target):
            there = any(volume.uuid == target.uuid for volume in facts.volumes())
            return step if there else None
        case FinishVolume(target=target):
            done = replace(target, tags=target.tags - {UNFINISHED})
            return None if _is(done, facts) else step
        case GrowVolume(target=target):
            grown = replace(target, size=step.size)
            if not _is(grown, facts):
                return step
            nothing = step.thin or step.wipe == "signatures"
            return None if nothing else WipeGrown(step.guest, grown, target.size, step.wipe)
        case TagVolume(target=target):
            tagged = replace(target, tags=target.tags - step.remove | step.add)
            return None if _is(tagged, facts) else step
        case ActivateVolume() | WipeGrown():
            return step
        case _:
            assert_never(step)


def _rest_of_create(step: CreateVolume, found: LogicalVolume | None) -> Step | None:
    if found is None or found.size != step.size or found.tags - {UNFINISHED} != step.tags:
        return step  # stale where another volume is there
    if UNFINISHED not in found.tags:
        return None
    return FinishVolume(step.guest, Target.of(found), thin=bool(step.pool), wipe=step.wipe, filesystem=step.filesystem)


def _is(target: Target, facts: StorageFacts) -> bool:
    found = facts.find(target.group, target.name)
    return found is not None and Target.of(found) == target
