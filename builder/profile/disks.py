"""A guest's system disk with its partitions, and its data volumes."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from builder.profile import fields
from builder.profile.base import Model

Filesystem = Literal["ext2", "ext3", "ext4", "xfs", "btrfs"]


class Partition(Model):
    """One line of a partman recipe; sizes may be a percentage of the guest's memory."""

    mount: fields.AbsolutePath | Literal["swap"] = Field(description="Where it is mounted, or swap")
    filesystem: Filesystem | Literal["swap"] = Field("ext4", description="What it is formatted with")
    minimum: fields.SizeOrPercent = Field(description="With less than this the recipe does not fit")
    priority: fields.SizeOrPercent | None = Field(
        None, description="partman's priority, minimum to maximum: who gets the space beyond the minimum"
    )
    maximum: fields.SizeOrPercent | Literal["unlimited"] = Field(
        "unlimited", description="It grows no further; partman ignores this for the last partition on the disk"
    )
    primary: fields.Flag | None = Field(None, description="msdos only; the partition of / unless given")
    name: fields.VolumeName | None = Field(None, description="With method lvm, the name of its volume in the guest")

    @model_validator(mode="before")
    @classmethod
    def _swap_is_swap(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("mount") == "swap":
            return {"filesystem": "swap", **value}
        return value

    @model_validator(mode="after")
    def _swap_agrees(self) -> Self:
        if (self.mount == "swap") != (self.filesystem == "swap"):
            raise ValueError("mount: swap and filesystem: swap go together")
        return self


class Disk(Model):
    """The guest's system disk: one volume in dom0, partitioned by partman."""

    volume: fields.VolumeName | None = Field(None, description="The volume's name; NAME-disk unless given")
    size: Literal["auto"] | fields.SizeField = Field(
        "auto", description="auto: the least that the recipe needs + headroom"
    )
    headroom: fields.SizeOrPercent = Field(fields.Percent(20), description="Added to the least size by size: auto")
    thin: fields.Flag | None = Field(None, description="In the thin pool or not; unless given, wherever there is one")
    label: Literal["msdos", "gpt"] | None = Field(
        None, description="gpt for PVH and HVM booting by UEFI; msdos unless given"
    )
    method: Literal["regular", "lvm"] = Field("regular", description="lvm: a volume group inside the guest, too")
    recipe: Literal["atomic", "home", "multi", "server", "small_disk"] | None = Field(
        None, description="A stock recipe of the installer; atomic where there are no partitions either"
    )
    partitions: tuple[Partition, ...] = Field((), description="A recipe of one's own, in the order of the disk")

    @model_validator(mode="after")
    def _one_layout(self) -> Self:
        if self.recipe and self.partitions:
            raise ValueError("has both recipe and partitions; keep one")
        if self.partitions and "/" not in {partition.mount for partition in self.partitions}:
            raise ValueError("partitions name none with mount: /")
        mounts = [partition.mount for partition in self.partitions if partition.mount != "swap"]
        if twice := sorted({mount for mount in mounts if mounts.count(mount) > 1}):
            raise ValueError(f"partitions mount {', '.join(twice)} twice")
        return self


class Volume(Model):
    """A data volume. It is never attached while the installer runs, so no installer can touch it."""

    name: fields.VolumeName = Field(description="The volume is called GUEST-NAME, unless volume says otherwise")
    volume: fields.VolumeName | None = Field(None, description="Its whole name in the volume group, where another")
    size: fields.SizeField = Field(description="Made this big when it is new")
    keep: fields.Flag = Field(default=True, description="Survives every rebuild; false: made anew each time")
    thin: fields.Flag | None = Field(None, description="In the thin pool or not; unless given, wherever there is one")
    mount: fields.AbsolutePath | None = Field(None, description="Where the guest mounts it")
    filesystem: Literal["ext4", "xfs"] = Field("ext4", description="What it is formatted with when it is new")
