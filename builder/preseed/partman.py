"""partman-auto's arithmetic: what a recipe's words mean on a machine, and how its sizes grow into free space.

Follows recipes.sh of partman-auto 162 (bookworm) and 177 (trixie): decode_recipe, min_size and expand_scheme, integer
by integer. Where the partitions come to lie is `builder.preseed.layout`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from builder.preseed.recipe import Line, Recipe, Specifier, read_specifiers
from builder.profile.model import Suite
from builder.units import Size

Label = Literal["msdos", "gpt"]
Method = Literal["regular", "lvm"]
Device = Literal["block", "file"]
# What decode_recipe takes for a minimum that it cannot read: more MB than any disk has.
NEVER_FITS = 2_200_000_000
UNLIMITED = -1
# With more digits the shell's arithmetic, of 64 bits, ends the script.
_AMOUNT = re.compile(r"(?P<fixed>[0-9]{1,18})(?:\+(?P<more>[0-9]{1,18})%)?|(?P<share>[0-9]{1,18})%")
# Greedy, as the sed expression is: of several, the last counts.
_IFLABEL = re.compile(r".*\$iflabel\{ ([^}]*) \}")
_COMMON = frozenset({"ext2", "ext3", "ext4", "linux-swap", "fat16", "fat32", "hfs"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs between the installers of two suites."""

    cap_ram: str  # default of partman-auto/cap-ram
    filesystems: frozenset[str]  # the fourth words that decode_recipe takes; others become ext2
    growing_filesystems: frozenset[str]  # those that expand_scheme takes on top of that
    several_labels: bool  # $iflabel{ msdos gpt }
    envelope_from_volumes: bool  # the physical volume's sizes are the sums of its volumes'


RULES: dict[Suite, Rules] = {
    "bookworm": Rules(
        cap_ram="1024",
        filesystems=_COMMON | {"xfs", "jfs", "ufs"},
        growing_filesystems=_COMMON,
        several_labels=False,
        envelope_from_volumes=False,
    ),
    "trixie": Rules(
        cap_ram="false",
        filesystems=_COMMON | {"xfs", "jfs", "btrfs"},
        growing_filesystems=_COMMON | {"xfs", "jfs", "btrfs"},
        several_labels=True,
        envelope_from_volumes=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What partman meets, but for the disk's size. `cap_ram` None: the suite's own default."""

    suite: Suite
    ram: Size
    label: Label = "msdos"
    method: Method = "regular"
    cap_ram: str | None = None
    default_filesystem: str = "ext4"
    device: Device = "block"

    @property
    def track(self) -> int:
        """Sectors of a track as libparted makes them up, which move the first end by 15 kB: 1 + sector size / 512 on a
        block device, 32 in an image file (libparted/arch/linux.c: _device_probe_geometry, init_file).
        """
        return 2 if self.device == "block" else 32

    @property
    def rules(self) -> Rules:
        """Those of the suite."""
        return RULES[self.suite]

    @property
    def ram_mb(self) -> int:
        """MB of RAM that percentages refer to: capped where partman-auto/cap-ram is a number."""
        cap = self.rules.cap_ram if self.cap_ram is None else self.cap_ram
        ram = to_megabytes(self.ram.bytes)
        return min(ram, int(cap)) if re.fullmatch(r"[0-9]{1,18}", cap) else ram


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a recipe in numbers: `minimum`, `priority` and `maximum` (or -1) in MB, in kB for LVM volumes."""

    minimum: int
    priority: int
    maximum: int
    filesystem: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """As partman keeps it; its greps look for words anywhere in it."""
        return " ".join([str(self.minimum), str(self.priority), str(self.maximum), self.filesystem, *self.words])

    @property
    def specifiers(self) -> tuple[Specifier, ...]:
        """What the words set for the partition."""
        return tuple(read_specifiers(self.words))

    def value(self, name: str) -> str | None:
        """What the last specifier of that name holds; None without one."""
        return {specifier.name: specifier.value for specifier in self.specifiers}.get(name)


def to_megabytes(number: int) -> int:
    """Bytes without their last six digits (convert_to_megabytes, partman-base base.sh)."""
    return number // 1_000_000


def read_amount(word: str, ram_mb: int) -> int | None:
    """`500`, `20%` of RAM or `500+20%`, in MB; None for anything else."""
    match = _AMOUNT.fullmatch(word)
    if match is None:
        return None
    return int(match["fixed"] or 0) + ram_mb * int(match["share"] or match["more"] or 0) // 100


def decode(recipe: Recipe, machine: Machine) -> tuple[Entry, ...]:
    """The entries that count on this machine, in order."""
    ignore = "lvmignore" if machine.method == "lvm" else "defaultignore"
    entries = (_decode_line(line, machine) for line in recipe.lines)
    return tuple(entry for entry in entries if ignore not in entry.text and _label_agrees(entry, machine))


def _decode_line(line: Line, machine: Machine) -> Entry:
    minimum = read_amount(line.word(0), machine.ram_mb)
    if minimum is None:
        minimum = NEVER_FITS
    priority = read_amount(line.word(1), machine.ram_mb)
    maximum = UNLIMITED if line.word(2) == "-1" else read_amount(line.word(2), machine.ram_mb)
    if maximum != UNLIMITED:
        maximum = max(minimum if maximum is None else maximum, minimum)
    filesystem = line.word(3)
    if filesystem == "$default_filesystem":
        filesystem = machine.default_filesystem
    elif filesystem not in machine.rules.filesystems:
        filesystem = "ext2"
    return Entry(minimum, max(minimum, priority or 0), maximum, filesystem, line.words[4:])


def _label_agrees(entry: Entry, machine: Machine) -> bool:
    match = _IFLABEL.search(entry.text)
    if match is None or not match[1]:
        return True
    return machine.label in (match[1].split(" ") if machine.rules.several_labels else [match[1]])


def least_sum(entries: Iterable[Entry]) -> int:
    """min_size: what a recipe needs, in the entries' unit."""
    return sum(entry.minimum for entry in entries)


def expand(entries: Iterable[Entry], free: int, machine: Machine) -> tuple[Entry, ...]:
    """expand_scheme: the entries with `minimum` grown to the size each gets of `free`, in the entries' unit."""
    scheme = tuple(entries)
    room = sum(entry.priority - entry.minimum for entry in scheme) or 100
    scheme = tuple(
        replace(
            entry,
            priority=(entry.priority - entry.minimum) * 100 // room,  # a share in whole percent: 0.9 % is none
            filesystem=entry.filesystem if entry.filesystem in machine.rules.growing_filesystems else "ext2",
        )
        for entry in scheme
    )
    grown = _grow(scheme, free)
    while grown != scheme:
        scheme, grown = grown, _grow(grown, free)
    return grown


def _grow(scheme: tuple[Entry, ...], free: int) -> tuple[Entry, ...]:
    shares = sum(entry.priority for entry in scheme)
    unallocated = max(0, free - least_sum(scheme))

    def one(entry: Entry) -> Entry:
        size = entry.minimum + (unallocated * entry.priority // shares if shares else 0)
        if entry.maximum != UNLIMITED and size > entry.maximum:
            return replace(entry, minimum=entry.maximum, priority=0)
        return replace(entry, minimum=size)

    return tuple(one(entry) for entry in scheme)
