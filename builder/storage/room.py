"""Whether there is room for all steps of a run: extents of each group at every moment, and how full thin pools get."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from builder.findings import Finding, Severity
from builder.storage.facts import LogicalVolume, StorageFacts, VolumeGroup
from builder.storage.judge import Decision
from builder.storage.steps import CreateVolume, GrowVolume, RemoveVolume, Step
from builder.storage.wishes import VolumeWish
from builder.units import Size

# Kernel, Documentation/admin-guide/device-mapper/thin-provisioning.rst: 48 bytes of metadata for each block of data.
METADATA_PER_CHUNK = 48


@dataclass(frozen=True, slots=True)
class GroupUse:
    """A volume group's free extents, before and after; `least`: the fewest at any moment in between."""

    name: str
    extent: Size
    extents: int
    free: int
    after: int
    least: int


@dataclass(frozen=True, slots=True)
class PoolUse:
    """How full a thin pool is, in percent, before and after; `promised`: the sizes of all its volumes together."""

    path: str
    size: Size
    data: Decimal
    data_after: Decimal
    metadata: Decimal
    metadata_after: Decimal
    promised: Size
    watermark: int


def measure_groups(facts: StorageFacts, decisions: Sequence[Decision]) -> tuple[GroupUse, ...]:
    """Every group that is wished in, with the steps taken in their order."""
    uses = []
    for name in sorted({decision.wish.group for decision in decisions}):
        group = facts.group(name)
        if group is None:
            continue
        free = least = group.free
        for decision in decisions:
            for step in decision.steps if decision.wish.group == name else ():
                free -= _taken(step, decision.found, group)
                least = min(least, free)
        uses.append(GroupUse(name, group.extent, group.extents, group.free, free, least))
    return tuple(uses)


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


def measure_pools(facts: StorageFacts, decisions: Sequence[Decision]) -> tuple[PoolUse, ...]:
    """Every thin pool that gets a new volume or a larger one; those that cannot be measured are refused elsewhere."""
    touched: defaultdict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        for name in {_pool(step, decision.found) for step in decision.steps} - {""}:
            touched[f"{decision.wish.group}/{name}"].append(decision)
    found = (_measure(facts, path, inside) for path, inside in sorted(touched.items()))
    return tuple(use for use in found if use)


def _pool(step: Step, found: LogicalVolume | None) -> str:
    """The pool in which the step makes or grows a volume."""
    match step:
        case CreateVolume():
            return step.pool
        case GrowVolume() if found:
            return found.pool
        case _:
            return ""


def _measure(facts: StorageFacts, path: str, decisions: Sequence[Decision]) -> PoolUse | None:
    pool = facts.find(*path.split("/"))
    gauge = read_gauge(pool) if pool else ""
    if pool is None or isinstance(gauge, str):
        return None
    written = freed = grown = 0
    for decision in decisions:
        for step in decision.steps:
            if isinstance(step, CreateVolume):
                written += min(decision.wish.soon.bytes, step.size.bytes)
                grown += step.size.bytes
            elif isinstance(step, GrowVolume):
                grown += step.size.bytes - step.target.size.bytes
            elif isinstance(step, RemoveVolume) and decision.found and decision.found.pool == pool.name:
                grown -= decision.found.size.bytes
                freed += _mapped(decision.found)
    more = written - freed
    blocks = Decimal(more) / gauge.chunk.bytes
    promised = sum(one.size.bytes for one in facts.volumes() if (one.group, one.pool) == (pool.group, pool.name))
    return PoolUse(
        path,
        pool.size,
        gauge.data,
        gauge.data + 100 * Decimal(more) / pool.size.bytes,
        gauge.metadata,
        gauge.metadata + 100 * METADATA_PER_CHUNK * blocks / gauge.metadata_size.bytes,
        Size(promised + grown),
        min(decision.wish.watermark.percent for decision in decisions),
    )


def _mapped(volume: LogicalVolume) -> int:
    """What of the pool a thin volume holds alone; nothing for a snapshot, which shares it with its origin."""
    if volume.data_percent is None or "snapshot" in volume.roles:
        return 0
    return int(volume.size.bytes * volume.data_percent / 100)


@dataclass(frozen=True, slots=True)
class Gauge:
    """How full a pool is, in percent, and what that is a percentage of."""

    data: Decimal
    metadata: Decimal
    metadata_size: Size
    chunk: Size


def read_gauge(pool: LogicalVolume) -> Gauge | str:
    """The pool's gauge, or why no volume can be made in it."""
    if not pool.is_pool:
        return f"is no thin pool but a {pool.state.kind} volume"
    if pool.state.trouble:
        return f"is not well: {pool.state.trouble}"
    data, metadata, size, chunk = pool.data_percent, pool.metadata_percent, pool.metadata_size, pool.chunk
    if data is None or metadata is None or size is None or chunk is None:
        return "is not active, so how full it is cannot be known"
    return Gauge(data, metadata, size, chunk)


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


def check_room(facts: StorageFacts, decisions: Sequence[Decision]) -> Iterator[Finding]:
    """Extents that are missing, pools that are not there, not well, or would be too full."""
    for group in measure_groups(facts, decisions):
        if group.least < 0:
            need, free = group.free - group.least, Size(group.free * group.extent.bytes)
            message = (
                f"the volume group {group.name} has {group.free} free extents ({free.human}), and this run needs {need}"
            )
            hint = f"{-group.least} extents more: add a disk (vgextend), remove a volume, or wish for less"
            yield Finding("V110", f"{message}, for {', '.join(_takers(decisions, group.name))}", hint)
    for decision in decisions:
        yield from _pool_findings(facts, decision)
    for use in measure_pools(facts, decisions):
        yield from _fullness(use, decisions)


def _takers(decisions: Sequence[Decision], group: str) -> list[str]:
    """Guests for which the group gives extents."""
    taking = {
        decision.wish.guest
        for decision in decisions
        for step in decision.steps
        if decision.wish.group == group and isinstance(step, CreateVolume | GrowVolume)
    }
    return sorted(taking)


def _pool_findings(facts: StorageFacts, decision: Decision) -> Iterator[Finding]:
    wish = decision.wish
    for name in sorted({_pool(step, decision.found) for step in decision.steps} - {""}):
        pool = facts.find(wish.group, name)
        path = f"{wish.group}/{name}"
        if pool is None:
            hint = f"lvcreate --type thin-pool --extents N --name {name} {wish.group}, or take thin_pool out"
            yield Finding("V103", f"there is no thin pool {path}", hint, guest=wish.guest)
        elif isinstance(trouble := read_gauge(pool), str):
            hint = f"lvchange --activate y {path}" if "not active" in trouble else f"look at: lvs --all {path}"
            yield Finding("V103", f"{path} {trouble}", hint, guest=wish.guest)
        elif wish.wipe != "signatures" and not pool.state.zeroes:
            message = f"{path} hands out blocks with what was in them before, and the profile says wipe: {wish.wipe}"
            yield Finding("V113", message, f"lvchange --zero y {path}", guest=wish.guest)


def _fullness(use: PoolUse, decisions: Sequence[Decision]) -> Iterator[Finding]:
    group, pool = use.path.split("/")
    guests = sorted(
        {
            decision.wish.guest
            for decision in decisions
            if decision.wish.group == group and pool in {_pool(step, decision.found) for step in decision.steps}
        }
    )
    full = [
        f"{what} from {before:.1f}% to {after:.1f}%"
        for what, before, after in (
            ("data", use.data, use.data_after),
            ("metadata", use.metadata, use.metadata_after),
        )
        if after > use.watermark
    ]
    who = ", ".join(guests)
    if full:
        message = f"{use.path} would fill up for {who}, {' and '.join(full)}; thin_watermark is {use.watermark}%"
        hint = f"lvextend --extents +N {use.path} (for metadata: --poolmetadatasize +SIZE), or free something in it"
        yield Finding("V111", message, hint)
    if use.promised > use.size:
        message = f"the volumes in {use.path} are {use.promised.human} together, and it has {use.size.human}"
        hint = "watch it, or let LVM grow it: thin_pool_autoextend_threshold in lvm.conf(5)"
        yield Finding("V112", message, hint, severity=Severity.WARNING)
