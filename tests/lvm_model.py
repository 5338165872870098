"""A volume group in memory that takes a plan's steps as LVM would, and remembers what was written where."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from builder.storage.facts import StorageFacts
from builder.storage.labels import UNFINISHED
from builder.storage.steps import (
    ActivateVolume,
    CreateVolume,
    FinishVolume,
    GrowVolume,
    RemoveVolume,
    Step,
    TagVolume,
)
from tests.lvm_reports import facts, lv, pool, pv, thin, uuid, vg

POOL = "thin"
POOL_EXTENTS = 100


@dataclass(frozen=True)
class Held:
    """A volume of the model; `content` stands for what is on it."""

    name: str
    extents: int
    tags: frozenset[str] = frozenset()
    attr: str = "-wi-a-----"
    roles: str = "public"
    layout: str = "linear"
    uuid: str = ""
    content: str = ""
    mapped: int = 50  # percent of a thin volume

    @property
    def is_thin(self) -> bool:
        return self.attr[0] == "V"


@dataclass
class Model:
    """Its volumes by name; `total` extents, of which a thin pool has POOL_EXTENTS and its metadata two."""

    volumes: dict[str, Held]
    total: int
    group: str = "vg0"
    made: int = 0
    least_free: int = field(default=0)

    def __post_init__(self) -> None:
        self.volumes = {
            name: replace(one, uuid=one.uuid or uuid(f"{name}-0"), content=one.content or f"of {name}")
            for name, one in self.volumes.items()
        }
        self.least_free = self.free

    @property
    def free(self) -> int:
        return self.total - POOL_EXTENTS - 2 - sum(one.extents for one in self.volumes.values() if not one.is_thin)

    def facts(self) -> StorageFacts:
        """What LVM would report."""
        used = sum(one.extents * one.mapped for one in self.volumes.values() if one.is_thin)
        percent = min(Decimal(used) / POOL_EXTENTS, Decimal(100))
        rows = [pool(POOL, POOL_EXTENTS, data_percent=f"{percent:.2f}", metadata_percent="5.00")]
        for one in self.volumes.values():
            common = {
                "lv_attr": one.attr,
                "lv_tags": ",".join(sorted(one.tags)),
                "lv_role": one.roles,
                "lv_uuid": one.uuid,
            }
            if one.is_thin:
                rows.append(thin(one.name, one.extents, pool_lv=POOL, data_percent=f"{one.mapped}.00", **common))
            else:
                rows.append(lv(one.name, one.extents, lv_layout=one.layout, **common))
        taken = str(self.total - self.free)
        disk = pv(pv_pe_count=str(self.total), pv_pe_alloc_count=taken)
        return facts(*rows, group=vg(self.group, vg_extent_count=str(self.total)), pvs=[disk])

    def take(self, step: Step) -> None:
        """Do it, as LVM would; AssertionError for what LVM would refuse."""
        match step:
            case CreateVolume():
                assert step.name not in self.volumes
                self.made += 1
                kind = {"attr": "Vwi-a-tz--", "layout": "thin,sparse"} if step.pool else {}
                identity = uuid(f"{step.name}-made-{self.made}")
                new = Held(step.name, step.extents, step.tags, **kind, uuid=identity, content="new", mapped=0)
                self.volumes[step.name] = new
            case FinishVolume(target=target):
                there = self.volumes[target.name]
                assert there.attr[5] != "o"
                self._change(target.name, tags=there.tags - {UNFINISHED}, content="new")
            case GrowVolume(target=target):
                assert step.extents > self.volumes[target.name].extents
                self._change(target.name, extents=step.extents)
            case RemoveVolume(target=target):
                there = self.volumes[target.name]
                assert there.attr[5] == "-", "LVM removes nothing that is open"
                assert "origin" not in there.roles, "LVM would remove its snapshots, too"
                del self.volumes[target.name]
            case TagVolume(target=target):
                tags = (self.volumes[target.name].tags | step.add) - step.remove
                self._change(target.name, tags=tags)
            case ActivateVolume(target=target):
                attr = self.volumes[target.name].attr
                self._change(target.name, attr=f"{attr[:4]}a{attr[5:]}")
        self.least_free = min(self.least_free, self.free)

    def _change(self, name: str, **changes: object) -> None:
        self.volumes[name] = replace(self.volumes[name], **changes)  # type: ignore[arg-type]  # by the names of fields
