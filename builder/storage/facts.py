"""What LVM says there is (`lvm fullreport`, JSON) as volume groups and volumes. What is not known here is an error.

Rows that are not asked for in REPORTS are not read; host/lvm.py runs the command.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from builder.errors import BuilderError
from builder.storage.attributes import GroupState, VolumeState, read_group_state, read_volume_state
from builder.units import Size

_AGAIN = "run it again; if it stays so, please report it with the output of: lvm fullreport --reportformat json"
# One report of everything, taken under one lock for each volume group, so that its parts agree with each other.
REPORTS: Mapping[str, tuple[str, ...]] = {
    "vg": ("vg_name", "vg_uuid", "vg_attr", "vg_extent_size", "vg_extent_count", "vg_free_count", "vg_tags"),
    "pv": ("pv_name", "pv_uuid", "pv_attr", "pv_pe_count", "pv_pe_alloc_count"),
    "lv": (
        *("lv_name", "lv_uuid", "lv_attr", "lv_size", "lv_tags", "lv_layout", "lv_role", "pool_lv", "origin"),
        *("lv_kernel_major", "lv_kernel_minor"),
        *("data_percent", "metadata_percent", "lv_metadata_size"),
    ),
    "seg": ("lv_uuid", "segtype", "chunk_size"),
}


@dataclass(frozen=True, slots=True)
class PhysicalVolume:
    """One disk of a volume group; `usable`: new extents may be taken from it."""

    name: str
    uuid: str
    extents: int
    free: int
    usable: bool
    missing: bool


@dataclass(frozen=True, slots=True)
class LogicalVolume:
    """A volume as it is. `used_by`: why its device is open, as far as the kernel's tables tell.

    `data_percent` of a thin pool: how full it is; of a thin volume: how much of its size the pool holds for it.
    """

    group: str
    name: str
    uuid: str
    size: Size
    tags: frozenset[str]
    state: VolumeState
    roles: frozenset[str]
    layout: frozenset[str]
    device: str = ""  # as the kernel counts it, 253:4; empty where it is not active
    pool: str = ""
    origin: str = ""
    data_percent: Decimal | None = None
    metadata_percent: Decimal | None = None
    metadata_size: Size | None = None
    chunk: Size | None = None
    hidden: bool = False  # a part of another volume, which LVM shows in brackets; a pool is private, and not hidden
    used_by: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """GROUP/NAME, as LVM's commands take it."""
        return f"{self.group}/{self.name}"

    @property
    def is_open(self) -> bool | None:
        """Somebody has its device open: a mount, a domain, another device; None where that cannot be known."""
        return self.state.is_open

    @property
    def is_thin(self) -> bool:
        """It takes its extents from a pool, as they are written to."""
        return self.state.kind == "thin volume"

    @property
    def is_pool(self) -> bool:
        """A thin pool."""
        return self.state.kind == "thin pool"


@dataclass(frozen=True, slots=True)
class VolumeGroup:
    """A volume group; `free`: extents of disks that may be allocated from, which vg_free_count may exceed."""

    name: str
    uuid: str
    extent: Size
    extents: int
    free: int
    tags: frozenset[str]
    state: GroupState
    disks: tuple[PhysicalVolume, ...] = ()
    volumes: tuple[LogicalVolume, ...] = ()

    def find(self, name: str) -> LogicalVolume | None:
        """The volume of this name."""
        return next((volume for volume in self.volumes if volume.name == name), None)


@dataclass(frozen=True, slots=True)
class StorageFacts:
    """Every volume group that LVM shows on this machine."""

    groups: tuple[VolumeGroup, ...] = ()
    twice: frozenset[str] = field(default=frozenset())  # names that several groups have

    def group(self, name: str) -> VolumeGroup | None:
        """The one group of this name; None where there is none, or where two have it (`twice`)."""
        found = [group for group in self.groups if group.name == name]
        return found[0] if len(found) == 1 else None

    def volumes(self) -> Iterator[LogicalVolume]:
        """All volumes of all groups."""
        for group in self.groups:
            yield from group.volumes

    def find(self, group: str, name: str) -> LogicalVolume | None:
        """A volume by group and name."""
        found = self.group(group)
        return found.find(name) if found else None

    def with_uses(self, uses: Mapping[str, tuple[str, ...]]) -> StorageFacts:
        """The same, with what is known of who holds which device (kernel number -> words)."""

        def told(volume: LogicalVolume) -> LogicalVolume:
            return replace(volume, used_by=uses.get(volume.device, ()) if volume.device else ())

        groups = tuple(replace(group, volumes=tuple(map(told, group.volumes))) for group in self.groups)
        return replace(self, groups=groups)


def report_arguments() -> tuple[str, ...]:
    """The arguments of `lvm` that print what parse_report reads."""
    wanted = [
        word for name, columns in REPORTS.items() for word in ("--configreport", name, "--options", ",".join(columns))
    ]
    return ("fullreport", "--all", "--reportformat", "json", "--units", "b", "--nosuffix", *wanted)


def parse_report(text: str) -> StorageFacts:
    """Facts from the report's text. BuilderError with what was seen when anything in it is not understood."""
    try:
        # Physical volumes that belong to no group come as a report without one.
        reports = [report for report in json.loads(text)["report"] if report.get("vg")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuilderError("LVM's report is not the JSON that was asked for", f"it begins: {text[:80]!r}") from error
    groups = tuple(map(_group, reports))
    names = [group.name for group in groups]
    return StorageFacts(groups, frozenset(name for name in names if names.count(name) > 1))


def _group(report: Mapping[str, Any]) -> VolumeGroup:
    (row,) = _rows(report, "vg")
    name = row["vg_name"]
    disks = tuple(_disk(one) for one in _rows(report, "pv"))
    chunks = {one["lv_uuid"]: _size(one, "chunk_size") for one in _rows(report, "seg") if one["segtype"] == "thin-pool"}
    state = read_group_state(name, row["vg_attr"])
    return VolumeGroup(
        name,
        row["vg_uuid"],
        extent=_size(row, "vg_extent_size"),
        extents=_number(row, "vg_extent_count"),
        free=sum(disk.free for disk in disks if disk.usable),
        tags=_words(row, "vg_tags"),
        state=replace(state, partial=state.partial or any(disk.missing for disk in disks)),
        disks=disks,
        volumes=tuple(map(partial(_volume, name, chunks), _rows(report, "lv"))),
    )


def _disk(row: Mapping[str, str]) -> PhysicalVolume:
    """pvs(8): Attr is (d)uplicate, (a)llocatable or (u)sed; e(x)ported; (m)issing."""
    attr = row["pv_attr"]
    if len(attr) != 3 or attr[0] not in "-dau" or attr[1] not in "-x" or attr[2] not in "-m":
        raise BuilderError(f"the attributes {attr!r} of {row['pv_name']} are not known", "pvs(8) explains them")
    total, taken = _number(row, "pv_pe_count"), _number(row, "pv_pe_alloc_count")
    return PhysicalVolume(row["pv_name"], row["pv_uuid"], total, total - taken, attr == "a--", attr[2] == "m")


def _volume(group: str, chunks: Mapping[str, Size], row: Mapping[str, str]) -> LogicalVolume:
    name = row["lv_name"].strip("[]")
    active = row["lv_kernel_major"] != "-1"
    return LogicalVolume(
        group,
        name,
        row["lv_uuid"],
        size=_size(row, "lv_size"),
        tags=_words(row, "lv_tags"),
        state=read_volume_state(f"{group}/{name}", row["lv_attr"]),
        roles=_words(row, "lv_role"),
        layout=_words(row, "lv_layout"),
        device=f"{row['lv_kernel_major']}:{row['lv_kernel_minor']}" if active else "",
        pool=row["pool_lv"].strip("[]"),
        origin=row["origin"].strip("[]"),
        data_percent=_percent(row, "data_percent"),
        metadata_percent=_percent(row, "metadata_percent"),
        metadata_size=_size(row, "lv_metadata_size") if row["lv_metadata_size"] else None,
        chunk=chunks.get(row["lv_uuid"]),
        hidden=row["lv_name"].startswith("["),
    )


def _rows(report: Mapping[str, Any], name: str) -> Iterable[Mapping[str, str]]:
    rows = report.get(name, [])
    for row in rows:
        if missing := [column for column in REPORTS[name] if not isinstance(row.get(column), str)]:
            raise BuilderError(f"LVM's report has no {', '.join(missing)}", "domu knows lvm2 2.03.16 and later")
    return list(rows)


def _words(row: Mapping[str, str], column: str) -> frozenset[str]:
    return frozenset(filter(None, row[column].split(",")))


def _number(row: Mapping[str, str], column: str) -> int:
    if not (row[column].isascii() and row[column].isdigit()):
        raise BuilderError(f"LVM says {column} is {row[column]!r}, which is no number", _AGAIN)
    return int(row[column])


def _size(row: Mapping[str, str], column: str) -> Size:
    return Size(_number(row, column))


def _percent(row: Mapping[str, str], column: str) -> Decimal | None:
    try:
        return Decimal(row[column]) if row[column] else None
    except InvalidOperation as error:
        raise BuilderError(f"LVM says {column} is {row[column]!r}, which is no number", _AGAIN) from error
