"""How full thin pools get: by what is in them, what goes, and what new guests write at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from builder.findings import Finding, Severity
from builder.storage.facts import LogicalVolume, StorageFacts
from builder.storage.judge import Decision
from builder.storage.steps import CreateVolume, FinishVolume, GrowVolume, RemoveVolume, Step
from builder.units import Size

# Kernel, Documentation/admin-guide/device-mapper/thin-provisioning.rst: 48 bytes of metadata for each block of data.
METADATA_PER_CHUNK = 48


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
    guests: tuple[str, ...]


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


def touched_pools(decisions: Sequence[Decision]) -> Mapping[str, Sequence[Decision]]:
    """GROUP/POOL of each thin pool that gets a new volume or a larger one, and the decisions that do it."""
    touched: defaultdict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        for name in {_pool(step, decision.found) for step in decision.steps} - {""}:
            touched[f"{decision.wish.group}/{name}"].append(decision)
    return dict(sorted(touched.items()))


def measure_pools(facts: StorageFacts, decisions: Sequence[Decision]) -> tuple[PoolUse, ...]:
    """Every pool that is touched; what cannot be measured is left out, and refused by check_pools."""
    found = (_measure(facts, path, inside) for path, inside in touched_pools(decisions).items())
    return tuple(use for use in found if use)


def check_pools(facts: StorageFacts, uses: Sequence[PoolUse], decisions: Sequence[Decision]) -> Iterator[Finding]:
    """Pools that are not there, not well, hand out old data, or would be too full."""
    for path, inside in touched_pools(decisions).items():
        for decision in inside:
            yield from _unfit(facts.find(*path.split("/")), path, decision)
    for use in uses:
        yield from _fullness(use)


def _pool(step: Step, found: LogicalVolume | None) -> str:
    """The pool in which the step makes a volume, finishes or grows one."""
    match step:
        case CreateVolume():
            return step.pool
        case GrowVolume() | FinishVolume() if found:
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
            elif isinstance(step, FinishVolume):
                written += decision.wish.soon.bytes
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
        tuple(sorted({decision.wish.guest for decision in decisions})),
    )


def _mapped(volume: LogicalVolume) -> int:
    """What of the pool a thin volume holds alone; nothing for a snapshot, which shares it with its origin."""
    if volume.data_percent is None or "snapshot" in volume.roles:
        return 0
    return int(volume.size.bytes * volume.data_percent / 100)


def _unfit(pool: LogicalVolume | None, path: str, decision: Decision) -> Iterator[Finding]:
    wish = decision.wish
    if pool is None:
        group, name = path.split("/")
        hint = f"lvcreate --type thin-pool --extents N --name {name} {group}, or take thin_pool out"
        yield Finding("V103", f"there is no thin pool {path}", hint, guest=wish.guest)
    elif isinstance(trouble := read_gauge(pool), str):
        hint = f"lvchange --activate y {path}" if "not active" in trouble else f"look at: lvs --all {path}"
        yield Finding("V103", f"{path} {trouble}", hint, guest=wish.guest)
    elif wish.wipe != "signatures" and not pool.state.zeroes:
        message = f"{path} hands out blocks with what was in them before, and the profile says wipe: {wish.wipe}"
        yield Finding("V113", message, f"lvchange --zero y {path}", guest=wish.guest)


def _fullness(use: PoolUse) -> Iterator[Finding]:
    levels = (("data", use.data, use.data_after), ("metadata", use.metadata, use.metadata_after))
    full = [f"{what} from {before:.1f}% to {after:.1f}%" for what, before, after in levels if after > use.watermark]
    if full:
        message = f"{use.path} would fill up for {', '.join(use.guests)}, {' and '.join(full)}"
        hint = f"lvextend --extents +N {use.path} (for metadata: --poolmetadatasize +SIZE), or free something in it"
        yield Finding("V111", f"{message}; thin_watermark is {use.watermark}%", hint)
    if use.promised > use.size:
        message = f"the volumes in {use.path} are {use.promised.human} together, and it has {use.size.human}"
        hint = "watch it, or let LVM grow it: thin_pool_autoextend_threshold in lvm.conf(5)"
        yield Finding("V112", message, hint, severity=Severity.WARNING)
