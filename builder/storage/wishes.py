"""What the profiles wish for: each guest's volumes as the storage plan compares them with what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from builder.profile.fields import Percent
from builder.profile.model import Guest
from builder.storage.labels import KEEP, Label
from builder.storage.plan import VolumePlan
from builder.units import Size

Wipe = Literal["signatures", "discard", "zero"]
NOTHING = Size(0)
WATERMARK = Percent(80)


@dataclass(frozen=True, slots=True)
class VolumeWish:
    """One volume. `pool`: the thin pool it belongs in, empty for a thick one. `soon`: what is written to it at once.

    `watermark` and `wipe` are the guest's; `filesystem` is what a new data volume is formatted with.
    """

    guest: str
    group: str
    name: str
    volume: str  # the data volume's name in the profile; empty for the system disk
    size: Size
    keep: bool = False
    pool: str = ""
    watermark: Percent = WATERMARK
    wipe: Wipe = "signatures"
    filesystem: str = ""
    device: str = ""
    mount: str = ""
    soon: Size = NOTHING

    @property
    def path(self) -> str:
        """GROUP/NAME."""
        return f"{self.group}/{self.name}"

    @property
    def is_disk(self) -> bool:
        """The system disk, which every rebuild makes anew."""
        return not self.volume

    @property
    def label(self) -> Label:
        """Whose it is."""
        return Label(self.guest, self.volume)

    @property
    def tags(self) -> frozenset[str]:
        """The tags it is to have when it is finished."""
        return frozenset((*self.label.tags, *([KEEP] if self.keep else [])))


def wishes_of(guest: Guest, plan: VolumePlan) -> tuple[VolumeWish, ...]:
    """The system disk first. `plan`: the guest's volumes, sized for the extents of its volume group."""
    names = ("", *(volume.name for volume in guest.volumes))
    return tuple(
        VolumeWish(
            guest.name,
            plan.volume_group,
            planned.name,
            volume=name,
            size=planned.size,
            keep=planned.keep,
            pool=planned.pool,
            watermark=guest.thin_watermark,
            wipe=guest.wipe,
            filesystem=planned.filesystem,
            device=planned.device,
            mount=planned.mount,
            # An installation fills about what its recipe needs at least; a new file system next to nothing.
            soon=plan.least if planned.role == "disk" else NOTHING,
        )
        for name, planned in zip(names, plan.volumes, strict=True)
    )
