"""Whether there is room for all steps of a run: the extents of each volume group, at every moment of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from builder.findings import Finding
from builder.storage.facts import LogicalVolume, StorageFacts, VolumeGroup
from builder.storage.judge import Decision
from builder.storage.steps import CreateVolume, GrowVolume, RemoveVolume, Step
from builder.storage.wishes import VolumeWish
from builder.units import Size


@dataclass(frozen=True, slots=True)
class GroupUse:
    """A volume group's free extents, before and after; `least`: the fewest at any moment in between."""

    name: str
    extent: Size
    extents: int
    free: int
    after: int
    least: int


def check_groups(facts: StorageFacts, wishes: Sequence[VolumeWish]) -> Iterator[tuple[str, Finding]]:
    """Groups that are missing or not fit to be changed, each with its name, once for each guest."""
    for guest, name in dict.fromkeys((wish.guest, wish.group) for wish in wishes):
        group = facts.group(name)
        if group is None:
            seen = ", ".join(sorted(one.name for one in facts.groups)) or "none"
            message = (
                f"there are two volume groups {name}" if name in facts.twice else f"there is no volume group {name}"
            )
            hint = "vgrename one, by its UUID" if name in facts.twice else f"the groups here are: {seen}"
            yield name, Finding("V101", message, hint, guest=guest)
        elif problem := _group_problem(group):
            yield name, Finding("V102", f"the volume group {name} {problem[0]}", problem[1], guest=guest)


def _group_problem(group: VolumeGroup) -> tuple[str, str] | None:
    state = group.state
    if not state.writable:
        return "is read-only", f"vgchange has no option for it; see vgs --options +vg_permissions {group.name}"
    if state.exported:
        return "is exported", f"vgimport {group.name}"
    if state.partial:
        return "misses a disk", f"bring it back, or see vgreduce(8): vgs --options +pv_name,pv_missing {group.name}"
    if state.shared:
        return f"is {state.shared} with other hosts", "domu changes groups of this host alone"
    if state.allocation == "contiguous":
        return "allocates contiguously, which domu does not work out", f"vgchange --alloc normal {group.name}"
    return None


def measure_groups(facts: StorageFacts, decisions: Sequence[Decision]) -> tuple[GroupUse, ...]:
    """Every group that is wished in, with the steps taken in their order."""
    uses = []
    for name in sorted({decision.wish.group for decision in decisions}):
        own = [decision for decision in decisions if decision.wish.group == name]
        if group := facts.group(name):
            uses.append(measure_steps(group, [(step, decision.found) for decision in own for step in decision.steps]))
    return tuple(uses)


def measure_steps(group: VolumeGroup, steps: Iterable[tuple[Step, LogicalVolume | None]]) -> GroupUse:
    """The group with these steps taken in their order, each with the volume that it is for, if there is one."""
    free = least = group.free
    for step, found in steps:
        free -= _taken(step, found, group)
        least = min(least, free)
    return GroupUse(group.name, group.extent, group.extents, group.free, free, least)


def _taken(step: Step, found: LogicalVolume | None, group: VolumeGroup) -> int:
    """Extents of the group that the step takes, negative for what it gives back."""
    match step:
        case CreateVolume():
            return 0 if step.pool else step.extents
        case GrowVolume():
            return 0 if step.thin else step.extents - step.target.size.extents(group.extent)
        case RemoveVolume():
            return 0 if found is None or found.is_thin else -step.target.size.extents(group.extent)
        case _:
            return 0


def check_room(uses: Sequence[GroupUse], decisions: Sequence[Decision]) -> Iterator[Finding]:
    """Groups whose extents do not do for all steps."""
    for use in uses:
        if use.least < 0:
            need, free = use.free - use.least, Size(use.free * use.extent.bytes)
            message = (
                f"the volume group {use.name} has {use.free} free extents ({free.human}), and this run needs {need}"
            )
            hint = f"{-use.least} extents more: add a disk (vgextend), remove a volume, or wish for less"
            yield Finding("V110", f"{message}, for {', '.join(_takers(decisions, use.name))}", hint)


def _takers(decisions: Sequence[Decision], group: str) -> list[str]:
    """Guests for which the group gives extents."""
    taking = {
        decision.wish.guest
        for decision in decisions
        for step in decision.steps
        if decision.wish.group == group and isinstance(step, CreateVolume | GrowVolume)
    }
    return sorted(taking)
