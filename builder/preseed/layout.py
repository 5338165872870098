"""Where partman puts a recipe's partitions and LVM volumes, to the byte, on an empty disk of 512-byte sectors.

Follows auto-shared.sh and perform_recipe (partman-auto), auto-lvm.sh and perform_recipe_by_lvm (partman-auto-lvm),
and the constraints of parted_server (partman-base).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from builder.preseed.partman import (
    UNLIMITED,
    Entry,
    Machine,
    decode,
    expand,
    least_sum,
    to_megabytes,
)
from builder.preseed.recipe import Recipe
from builder.units import Size

SECTOR = 512
MIB = 1 << 20
# GPT has its header and table in front, and again at the end.
GPT_START = 34 * SECTOR
GPT_TAIL = 33 * SECTOR
PHYSICAL_EXTENT = 4 * MIB
# Where LVM's data begins on a physical volume.
PHYSICAL_START = MIB
# `vgs --units K` prints an extent of 4194304 bytes as 4194.30K, and the script divides by that.
PRINTED_EXTENT = 4_194_300
MAIN_DISK = "/dev/xvda"
_UNLIMITED_OF_OLD = 1_000_000_000
# No recipe that has not fit on 16 TiB fits at all.
_FAR_MB = (16 << 40) // 1_000_000


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as partman makes it; `start` and `end` are its first and last byte. `num` -1 is free space."""

    num: int
    start: int
    end: int
    type: Literal["primary", "logical"]
    parted_fs: str
    method: str = ""
    fs: str = ""
    mount: str = ""
    maximum_mb: int = UNLIMITED

    @property
    def use(self) -> str:
        """The filesystem, else what partman does with it: swap, lvm, biosgrub."""
        return self.fs or self.method

    @property
    def size(self) -> int:
        """In bytes."""
        return self.end - self.start + 1


@dataclass(frozen=True, slots=True)
class LogicalVolume:
    """A volume that partman makes inside the guest."""

    name: str
    extents: int
    minimum_mb: int
    maximum_mb: int
    method: str = ""
    fs: str = ""
    mount: str = ""

    @property
    def use(self) -> str:
        """The filesystem, else swap."""
        return self.fs or self.method


@dataclass(frozen=True, slots=True)
class Layout:
    """What partman makes of a recipe. `problem` says why it would stop in the middle although the recipe fits."""

    fits: bool
    min_size_mb: int
    decoded: tuple[Entry, ...]
    expanded_mb: tuple[int, ...] | None = None
    partitions: tuple[Partition, ...] = ()
    free: tuple[Partition, ...] = ()
    vg_extents: int | None = None
    lvs: tuple[LogicalVolume, ...] = ()
    problem: str = ""

    @property
    def is_sound(self) -> bool:
        """The recipe is taken, carried out to the end, and no LVM volume is shorter than its minimum asks for."""
        starved = any(volume.extents < volume.minimum_mb * 1_000_000 // PHYSICAL_EXTENT for volume in self.lvs)
        return self.fits and not self.problem and not starved


class _StopError(Exception):
    """partman gives up; the message says why."""


def predict(recipe: Recipe, machine: Machine, disk: Size) -> Layout:
    """What partman makes of the recipe on an empty disk of that size."""
    entries = decode(recipe, machine)
    minimum = least_sum(entries)
    outline = Layout(minimum <= to_megabytes(disk.bytes), minimum, entries)
    if machine.method == "lvm":
        return _predict_lvm(outline, machine, disk) if outline.fits else outline
    grown = expand(entries, to_megabytes(_free_bytes(machine, disk)), machine)
    outline = replace(outline, expanded_mb=tuple(entry.minimum for entry in grown))
    if not outline.fits:
        return outline
    try:
        partitions = tuple(_lay_out(grown, machine, disk))
    except _StopError as stop:
        return replace(outline, problem=str(stop))
    return _with_partitions(outline, partitions, machine, disk)


def least_disk(recipe: Recipe, machine: Machine) -> Size | None:
    """The least disk, in whole MB, on which the prediction is sound; None when there is none up to 16 TiB.

    partman lets alignment shorten partitions by up to about 2 MiB each at this size.
    """

    def sound(megabytes: int) -> bool:
        return predict(recipe, machine, Size(megabytes * 1_000_000)).is_sound

    low = least_sum(decode(recipe, machine)) - 1
    if low > _FAR_MB:
        return None
    step = 1
    while not sound(low + step):
        low, step = low + step, step * 2
        if low > _FAR_MB:
            return None
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if sound(middle) else (middle, high)
    return Size(high * 1_000_000)


def _free_start(machine: Machine) -> int:
    """Where the first free space begins; with msdos after a track."""
    return GPT_START if machine.label == "gpt" else machine.track * SECTOR


def _free_bytes(machine: Machine, disk: Size) -> int:
    end = disk.bytes // SECTOR * SECTOR - (GPT_TAIL if machine.label == "gpt" else 0)
    return max(0, end - _free_start(machine))


def _with_partitions(outline: Layout, partitions: tuple[Partition, ...], machine: Machine, disk: Size) -> Layout:
    problem = "" if partitions else "no partition of the recipe counts here"
    # command_partitions (parted_server.c) hides free space of less than a track of MiB where there can be extended
    # partitions.
    if machine.label == "msdos" and len(partitions) > 1 and disk.bytes - partitions[-2].end - 1 < machine.track * MIB:
        problem = f"less than {machine.track} MiB is left for the last partition, which partman does not see as free"
    free = tuple(_free_spaces(partitions, machine, disk))
    return replace(outline, partitions=partitions, free=free, problem=problem)


def _free_spaces(partitions: Sequence[Partition], machine: Machine, disk: Size) -> Iterator[Partition]:
    """The free space that partman lists before and after; none with msdos, where it is too short."""
    if machine.label == "gpt" and partitions:
        start = _free_start(machine)
        yield Partition(-1, start, partitions[0].start - 1, "primary", "free")
        yield Partition(-1, partitions[-1].end + 1, start + _free_bytes(machine, disk) - 1, "primary", "free")


def _in_order(entries: Sequence[Entry], machine: Machine) -> list[tuple[Entry, Literal["primary", "logical"]]]:
    """With msdos primary ones first: ensure_primary and create_primary_partitions (auto-shared.sh)."""
    if machine.label == "gpt":
        return [(entry, "primary") for entry in entries]
    rest = list(entries)
    if rest and not any("$primary{" in entry.text for entry in rest):
        rest[0] = replace(rest[0], words=(*rest[0].words, "$primary{", "}"))
    primary: list[Entry] = []
    # A fourth primary partition would leave no place for an extended one, so it stays only when it is the last of all.
    while wanted := [entry for entry in rest if "$primary{" in entry.text]:
        if len(primary) == 3 and len(rest) > 1:
            break
        primary.append(wanted[0])
        rest.remove(wanted[0])
    return [*((entry, "primary") for entry in primary), *((entry, "logical") for entry in rest)]


def _lay_out(entries: Sequence[Entry], machine: Machine, disk: Size) -> Iterator[Partition]:
    """NEW_PARTITION for each entry in turn; raises _StopError where partman says autopartitioning_failed."""
    order = _in_order(entries, machine)
    # partition_creation_constraint: one sector less than a multiple of 64 KiB, for MD metadata; ends lie on MiB.
    limit = max(0, disk.bytes // 65536 * 65536 - SECTOR) // MIB * MIB
    free = _free_start(machine)
    primaries, logicals = 0, 4
    for left, (entry, kind) in zip(range(len(order) - 1, -1, -1), order, strict=True):
        # A logical partition has its EBR in front.
        start = -(-free // MIB) * MIB + (MIB if kind == "logical" else 0)
        end = limit if left == 0 else min(max(_nearest_end(free + entry.minimum * 1_000_000 + 1), start + MIB), limit)
        if end <= start:
            raise _StopError("no space is left for the last partitions")
        number = primaries = primaries + 1
        if kind == "logical":
            number = logicals = logicals + 1
        use = _method_filesystem_mount(entry, machine)
        yield Partition(number, start, end - 1, kind, entry.filesystem, *use, maximum_mb=entry.maximum)
        free = end


def _nearest_end(byte: int) -> int:
    """The MiB boundary at which a partition that should reach `byte` ends; ped_alignment_align_nearest, in sectors."""
    sector = byte // SECTOR
    grain = MIB // SECTOR
    below = (sector + 1) // grain * grain - 1
    nearest = below + grain if below + grain - sector < sector - below else below
    return (nearest + 1) * SECTOR


def _method_filesystem_mount(entry: Entry, machine: Machine) -> tuple[str, str, str]:
    filesystem = ""
    for specifier in entry.specifiers:
        if specifier.name == "$default_filesystem":
            filesystem = machine.default_filesystem
        elif specifier.name == "filesystem":
            filesystem = specifier.value
    return entry.value("method") or "", filesystem, entry.value("mountpoint") or ""


def _predict_lvm(outline: Layout, machine: Machine, disk: Size) -> Layout:
    """auto_lvm_prepare and perform_recipe_by_lvm, with partman-auto-lvm/guided_size `max`."""
    volumes = [entry for entry in outline.decoded if "lvmok" in entry.text]
    try:
        scheme = expand(
            _outside_lvm(outline.decoded, volumes, machine), to_megabytes(_free_bytes(machine, disk)), machine
        )
        partitions = tuple(_lay_out(scheme, machine, disk))
        outline = _with_partitions(outline, partitions, machine, disk)
        physical = next((partition for partition in partitions if partition.method == "lvm"), None)
        if physical is None:
            raise _StopError("the physical volume has a second method")
        extents = max(0, physical.size - PHYSICAL_START) // PHYSICAL_EXTENT
        outline = replace(outline, vg_extents=extents)
        return replace(outline, lvs=tuple(_volumes(volumes, extents, machine)))
    except _StopError as stop:
        return replace(outline, problem=str(stop))


def _outside_lvm(entries: Sequence[Entry], volumes: Sequence[Entry], machine: Machine) -> list[Entry]:
    """The entries that become partitions: those without $lvmok{ }, then the physical volume (add_envelope*)."""
    if not volumes:
        raise _StopError("no partition of the recipe has $lvmok{ }: partman-auto-lvm/unusable_recipe")
    outside = [entry for entry in entries if "lvmok" not in entry.text]
    scheme = [entry for entry in outside if "method{ lvm }" not in entry.text]
    given = [entry for entry in outside if "method{ lvm }" in entry.text]
    here = re.compile(rf"device\{{ {MAIN_DISK}[0-9]* \}}")
    if any("device{" in entry.text and not here.search(entry.text) for entry in given):
        raise _StopError(f"a physical volume is wanted elsewhere than on {MAIN_DISK}: partman-auto-lvm/no_such_pv")
    if len(given) > 1:
        raise _StopError("several physical volumes on one disk: partman-auto-lvm gives each group the first of them")
    # Without a group of their own, volumes and the added physical volume share the default one.
    group = _within("vg_name", given[0]) if given else ""
    if any(_within("in_vg", entry) != group for entry in volumes):
        raise _StopError("a volume's group has no physical volume on this disk: partman-auto-lvm/no_pv_in_vg")
    return [*scheme, *(given or [_envelope(volumes, machine)])]


def _within(name: str, entry: Entry) -> str:
    found = re.search(rf".*{name}\{{ *([^ }}]*) *\}}", entry.text)
    return found[1] if found else ""


def _envelope(volumes: Sequence[Entry], machine: Machine) -> Entry:
    words = ("method{", "lvm", "}")
    if not machine.rules.envelope_from_volumes:
        return Entry(100, 1000, UNLIMITED, "ext3", words)
    maxima = [entry.maximum for entry in volumes]
    maximum = UNLIMITED if UNLIMITED in maxima else sum(maxima)
    return Entry(least_sum(volumes), sum(entry.priority for entry in volumes), maximum, "ext3", words)


def _volumes(entries: Sequence[Entry], extents: int, machine: Machine) -> Iterator[LogicalVolume]:
    """The sizes in kB, as perform_recipe_by_lvm counts; the last volume takes all that is left."""
    free = extents * PHYSICAL_EXTENT // 1000
    in_kilobytes = [
        replace(
            entry,
            minimum=entry.minimum * 1000,
            priority=entry.priority * 1000,
            maximum=entry.maximum if entry.maximum in {UNLIMITED, _UNLIMITED_OF_OLD} else entry.maximum * 1000,
        )
        for entry in entries
    ]
    if _as_shown(least_sum(in_kilobytes) * 1000) > free * 1000 < least_sum(in_kilobytes) * 1000:
        raise _StopError("the LVM volumes need more than the volume group has: partman-auto-lvm/small_guided_size")
    left = extents
    names = list(_volume_names(entries))
    if len(set(names)) < len(names) or "" in names:
        raise _StopError(f"two LVM volumes have the same name, or one has none: {' '.join(names)}")
    for name, entry, grown in zip(names, entries, expand(in_kilobytes, free, machine), strict=True):
        size = left if entry is entries[-1] else grown.minimum * 1000 // PRINTED_EXTENT
        if size < 1 or size > left:
            raise _StopError(f"no extent is left for the LVM volume {name}")
        left -= size
        yield LogicalVolume(name, size, entry.minimum, entry.maximum, *_method_filesystem_mount(entry, machine))


def _as_shown(number: int) -> int:
    """Bytes as a person is shown them and they are read again: rounded to tenths of kB, MB ... (longint2human)."""
    unit: int = 1000 ** min((len(str(number)) - 1) // 3, 4)
    return (number * 100 // unit + 5) // 10 * unit // 10


def _volume_names(entries: Sequence[Entry]) -> Iterator[str]:
    """lv_name{ }, else the mount point spelled out, else the method with a number."""
    number = 0
    for entry in entries:
        if "lv_name{" in entry.text:
            yield _within("lv_name", entry)
        elif "mountpoint{" in entry.text:
            yield _name_of_mount(_within("mountpoint", entry))
        else:
            number += 1
            yield f"{_within('method', entry)}_{number}"


def _name_of_mount(mount: str) -> str:
    path = mount.replace("//", "/").removesuffix("/")
    for sign, spelled in (("_", "__"), ("+", "_+"), ("-", "_dash")):
        path = path.replace(sign, spelled)
    path = {"/root": "_root", "": "/root"}.get(path, path)
    return path.removeprefix("/").replace("/", "+")
