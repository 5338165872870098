"""Where changed files go in an image of which all else stays where it is.

A file that grows stays at its place if what follows can make room cheaply: initrds are followed by small files, and
moving those costs less than moving an initrd. What must move goes into freed sectors or behind the last used one;
the volume then grows, and with it everything that tells its size.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from builder.image.iso.contents import Contents, holds_second_volume, sectors_of, tables_of
from builder.image.iso.hybrid import LBA, Partition, Write, move_tables
from builder.image.iso.records import read_path_table
from builder.image.iso.volume import SECTOR, SYSTEM_AREA, IsoError, pack_both32, read_at

PADDING = 150  # sectors that mkisofs -pad leaves at the end, for drives that read ahead
CYLINDER = 512  # sectors: 1 MiB is isohybrid's cylinder of 64 heads and 32 sectors
_LAST_SECTOR = (1 << 32) - 1


class NeedsFullRewriteError(IsoError):
    """The image cannot be patched; the message says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "")


@dataclass(frozen=True, slots=True)
class _Area:
    """One file's sectors."""

    start: int
    sectors: int
    fixed: bool

    @property
    def end(self) -> int:
        return self.start + self.sectors


@dataclass(frozen=True, slots=True)
class Copy:
    """Bytes of the old image, and where they go in the new one."""

    source: int
    target: int
    length: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """Sectors: `end` of all that is used, `tail` where new files may begin, `cut` where room is inserted."""

    end: int
    tail: int
    cut: int


@dataclass(slots=True)
class Placement:
    """First sectors old -> new of every file or directory that moves or changes, and what the volume grows by."""

    bounds: Bounds
    moved: dict[int, int] = field(default_factory=dict)
    growth: int = 0  # sectors
    vacated: list[tuple[int, int]] = field(default_factory=list)  # old sectors that are not copied: start, count
    kept: dict[int, int] = field(default_factory=dict)  # old start -> sectors, of files that move unchanged
    folders: dict[int, int] = field(default_factory=dict)  # old start -> sectors, of directories that move

    def remap(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of bytes of the old image lies in the new one; one over the cut grows."""
        cut, grown = self.bounds.cut * SECTOR, self.growth * SECTOR
        grows = end > cut or (end == cut and start <= SYSTEM_AREA)
        return start + grown * (start >= cut), end + grown * grows

    def new_place(self, offset: int) -> int:
        """Where a byte of the old image lies that belongs to no changed file."""
        sector = offset // SECTOR
        for start, count in self.folders.items():
            if start <= sector < start + count:
                return offset + (self.moved[start] - start) * SECTOR
        return self.remap(offset, offset)[0]


def place(image: BinaryIO, contents: Contents, sizes: Mapping[int, int], *, ignored: Iterable[int] = ()) -> Placement:
    """Find places for the files or directories that start at the sectors `sizes` and become that many bytes long.

    `ignored` are places of records that lie within another file on purpose. Raises NeedsFullRewriteError where
    patching cannot do it.
    """
    if holds_second_volume(image, contents):
        raise IsoError("a partition of this ISO is a second ISO volume over the same files, which would go stale")
    if contents.volume.udf:
        raise NeedsFullRewriteError("it has UDF structures, too")
    areas = _Areas(contents, set(ignored))
    bounds = _bounds(image, contents, areas)
    mover = _Mover(areas, {start: sectors_of(size) for start, size in sizes.items()})
    folders = {row.extent: sectors_of(row.size) for row in contents.rows.at(sizes) if row.folder}
    for start in sizes:
        if (area := areas.find(start)) is None or (area.fixed and start not in folders):
            raise NeedsFullRewriteError(
                f"the file at sector {start} is empty, in several pieces, or shares its sectors"
            )
    mover.make_room()
    placement = Placement(bounds, vacated=mover.vacated())
    if bounds.tail < bounds.cut:
        placement.vacated.append((bounds.tail, bounds.cut - bounds.tail))
    end = mover.settle(bounds.tail)
    placement.moved = mover.moved
    placement.kept = {start: areas[start].sectors for start in mover.moved if start not in sizes}
    placement.folders = {start: count for start, count in folders.items() if start in mover.moved}
    if end > bounds.tail:
        padding = min(PADDING, bounds.cut - bounds.tail)
        unit = CYLINDER if contents.hybrid.mbr else 1
        placement.growth = max(0, -(-(end + padding - bounds.cut) // unit) * unit)
    if max(tree.sectors for tree in contents.volume.descriptors) + placement.growth > _LAST_SECTOR:
        raise IsoError("the ISO would become larger than an ISO can be")
    return placement


def bounds_of(image: BinaryIO, contents: Contents) -> Bounds:
    """The same bounds that `place` works with, nothing left out."""
    return _bounds(image, contents, _Areas(contents, set()))


class _Areas:
    """What is used, by first sector; what overlaps, or is looked for at its place by boot code, is fixed."""

    def __init__(self, contents: Contents, leave_out: Collection[int]) -> None:
        self._starts, self._counts, self._fixed = array("Q"), array("Q"), bytearray()
        # one number each, so that a hundred thousand can be sorted: start, sectors, whether fixed
        used = [
            row.extent << 24 | sectors_of(row.size) << 1 | (row.folder or row.odd)
            for row in contents.rows
            if row.place not in leave_out
        ]
        used += [start << 24 | count << 1 | 1 for start, count in _fixtures(contents)]
        used.sort()
        for one in used:
            self._note(one >> 24, (one & 0xFFFFFF) >> 1, one & 1)
        self.end = self._fix_overlaps()

    def _note(self, start: int, count: int, fixed: int) -> None:
        if self._starts and self._starts[-1] == start:
            self._fixed[-1] |= fixed | (self._counts[-1] != count)
            self._counts[-1] = max(self._counts[-1], count)
        else:
            self._starts.append(start)
            self._counts.append(count)
            self._fixed.append(fixed)

    def _fix_overlaps(self) -> int:
        """Returns the first sector behind all."""
        reach = last = 0
        for at, start in enumerate(self._starts):
            if start < reach:
                self._fixed[at] = self._fixed[last] = 1
            if start + self._counts[at] >= reach:
                reach, last = start + self._counts[at], at
        return reach

    def find(self, start: int) -> _Area | None:
        """The one that begins there."""
        at = bisect_left(self._starts, start)
        if at == len(self._starts) or self._starts[at] != start:
            return None
        return _Area(start, self._counts[at], bool(self._fixed[at]))

    def __getitem__(self, start: int) -> _Area:
        if (area := self.find(start)) is None:
            raise KeyError(start)
        return area


def _fixtures(contents: Contents) -> Iterator[tuple[int, int]]:
    """First sector and count of what is no file, or a file that boot code looks for at its place."""
    inside = [
        (one.start // SECTOR, sectors_of(one.end - one.start))
        for one in contents.hybrid.partitions
        if one.start > SYSTEM_AREA
    ]
    booted = [(one.sector, max(1, sectors_of(one.count * LBA))) for one in contents.images]
    for start, count in (*tables_of(contents), *booted, *inside):
        if 0 < count < 1 << 23 and start + count <= contents.volume.sectors:
            yield start, count


def _bounds(image: BinaryIO, contents: Contents, areas: _Areas) -> Bounds:
    """Where the used part ends, and where sectors can be inserted so that all behind keeps its distances."""
    end = areas.end
    volume = contents.volume
    cuts = [volume.sectors]
    if backup := contents.hybrid.backup:
        cuts.append(min(backup.array_at, backup.at) * LBA // SECTOR)
    for partition in contents.hybrid.partitions:
        cuts.append((partition.end if _is_wide(partition, end) else partition.start) // SECTOR)
    cuts += [one.sector for one in contents.images]
    if volume.sectors < end:
        raise IsoError(f"files lie up to sector {end}, and the volume ends at {volume.sectors}")
    cut = min(place for place in cuts if place >= end)
    return Bounds(end, end if _is_blank(image, end, cut) else cut, cut)


def _is_wide(partition: Partition, end: int) -> bool:
    """Whether a partition is there to hold the volume."""
    return partition.start <= SYSTEM_AREA and partition.end >= end * SECTOR


def _is_blank(image: BinaryIO, start: int, end: int) -> bool:
    step = 1 << 9
    for sector in range(start, end, step):
        if any(read_at(image, sector * SECTOR, (min(sector + step, end) - sector) * SECTOR)):
            return False
    return True


@dataclass(slots=True)
class _Mover:
    """The files while they change places."""

    areas: _Areas
    wanted: dict[int, int]  # start -> new sectors
    moved: dict[int, int] = field(default_factory=dict)
    free: dict[int, int] = field(default_factory=dict)
    homeless: list[tuple[int, int]] = field(default_factory=list)  # sectors, start
    gone: set[int] = field(default_factory=set)

    def make_room(self) -> None:
        """Let every file that changes stay if it can."""
        for start in sorted(self.wanted):
            if start not in self.gone and not self._stays(start):
                self._leave(start)

    def _stays(self, start: int) -> bool:
        area, needed = self.areas[start], self.wanted[start]
        if area.fixed and needed > area.sectors:
            return False
        victims, cost, at = [], 0, area.end
        while at < start + needed:
            if at in self.free:
                at += self.free[at]
            elif (other := self.areas.find(at)) and not other.fixed and at not in self.gone:
                victims.append(at)
                cost += other.sectors
                at = other.end
            else:
                return False
            if cost > area.sectors // 2:
                return False
        for victim in victims:
            self._leave(victim)
        for stretch in [stretch for stretch in self.free if area.end <= stretch < at]:
            del self.free[stretch]
        if at > start + needed:
            self.free[start + needed] = at - start - needed
        self.moved[start] = start
        return True

    def _leave(self, start: int) -> None:
        """Send a file looking for a place; what others share with it stays as it is."""
        area = self.areas[start]
        self.gone.add(start)
        self.homeless.append((self.wanted.get(start, area.sectors), start))
        if not area.fixed:
            self.free[start] = area.sectors

    def vacated(self) -> list[tuple[int, int]]:
        """Old sectors whose bytes are of no more use where they are."""
        changed = [start for start in self.moved if not self.areas[start].fixed]
        left = [start for start in self.gone if not self.areas[start].fixed]
        return sorted((start, self.areas[start].sectors) for start in {*changed, *left})

    def settle(self, tail: int) -> int:
        """Give the homeless places, the largest first; returns the sector behind the last one."""
        for needed, start in sorted(self.homeless, key=lambda one: (-one[0], one[1])):
            fit = min((at for at, count in self.free.items() if count >= needed), default=None)
            if fit is None:
                self.moved[start] = tail
                tail += needed
                continue
            self.moved[start] = fit
            if (rest := self.free.pop(fit) - needed) > 0:
                self.free[fit + needed] = rest
        return tail


def copies(placement: Placement, size: int) -> list[Copy]:
    """What of the old image of `size` bytes goes where, changed files left out; in order of target."""
    cut, grown = placement.bounds.cut, placement.growth
    done: list[Copy] = []
    at = 0
    for start, count in [*placement.vacated, (cut, 0)]:
        if start > at:
            done.append(Copy(at * SECTOR, at * SECTOR, (start - at) * SECTOR))
        at = max(at, start + count)
    for start, count in placement.kept.items():
        done.append(Copy(start * SECTOR, placement.moved[start] * SECTOR, count * SECTOR))
    done.append(Copy(cut * SECTOR, (cut + grown) * SECTOR, size - cut * SECTOR))
    return sorted((copy for copy in done if copy.length), key=lambda copy: copy.target)


def patches(image: BinaryIO, contents: Contents, placement: Placement, sizes: Mapping[int, int]) -> list[Write]:
    """What to write into the copy so that records, path tables, descriptors and boot tables tell what is true.

    Places are those of the new image. Records of what moved or changed get their new sector and size.
    """
    writes: list[Write] = []
    for row in contents.rows.at(placement.moved):
        sector, size = placement.moved[row.extent], sizes.get(row.extent, row.size)
        writes.append((placement.new_place(row.place + 2), pack_both32(sector) + pack_both32(size)))
    for tree in contents.volume.descriptors if placement.folders else ():
        for big in (False, True):
            for sector, place in read_path_table(image, tree, big=big):
                if sector in placement.folders:
                    writes.append((place + 2, struct.pack(">L" if big else "<L", placement.moved[sector])))
    if placement.growth:
        for tree in contents.volume.descriptors:
            writes.append((tree.offset + 80, pack_both32(tree.sectors + placement.growth)))
        for one in contents.images:
            (start, _) = placement.remap(one.sector * SECTOR, one.sector * SECTOR)
            if start // SECTOR > _LAST_SECTOR:
                raise IsoError(f"a boot entry of the ISO points at sector {one.sector}, where none can be")
            writes.append((one.place + 8, struct.pack("<L", start // SECTOR)))
        writes += move_tables(contents.hybrid, placement.remap)
    return writes
