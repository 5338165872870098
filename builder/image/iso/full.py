"""Writes an image anew with pycdlib, where it cannot be patched; slower, and every file changes its place.

pycdlib sees the image with its first 32 KiB blank: it reads hybrid boot records there, fails on some of official images
(its bug 139), and writes GPTs with wrong CRCs. The boot records of the new image are ours, after the old one's.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pycdlib
from pycdlib.pycdlibexception import PyCdlibException

from builder.image import initrd
from builder.image.iso import sums
from builder.image.iso.boot import BIOS, find_image
from builder.image.iso.contents import Contents, check_shared, names_at, read_contents
from builder.image.iso.hybrid import ISOLINUX_WORD, LBA, move_tables, wants_isolinux_word
from builder.image.iso.plan import CYLINDER, PADDING, bounds_of
from builder.image.iso.records import Record, walk
from builder.image.iso.repack import ORIGINAL, WANTED, NewFile, Order, Sums, choose_menu, find_initrds, new_menus
from builder.image.iso.volume import SECTOR, SYSTEM_AREA, IsoError, pack_both32, read_at

_PIECE = 1 << 20
_MODIFIED = slice(830, 847)  # the volume's modification date (ECMA-119 8.4.27), which pycdlib sets to now


class _View(io.RawIOBase):
    """Bytes, then a stretch of an image in which the first `blank` bytes read as zeros."""

    def __init__(self, front: bytes, image: BinaryIO, offset: int, size: int, *, blank: int = 0) -> None:
        super().__init__()
        self._front, self._image, self._offset, self._blank = front, image, offset, blank
        self._at, self._end = 0, len(front) + size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; before the beginning is the beginning."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # the buffer protocol has no name in 3.11
        """Fill `buffer` as far as one of the two parts goes."""
        if self._at < len(self._front):
            data = self._front[self._at : self._at + len(buffer)]
        else:
            start = self._at - len(self._front)
            self._image.seek(self._offset + start)
            data = self._image.read(max(min(len(buffer), self._end - self._at), 0))
            blank = min(max(self._blank - start, 0), len(data))
            data = bytes(blank) + data[blank:]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _stream(front: bytes, image: BinaryIO, offset: int, size: int, *, blank: int = 0) -> io.BufferedReader:
    return io.BufferedReader(_View(front, image, offset, size, blank=blank), 1 << 16)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What came of it: the initrds, and md5sum.txt as it lies there with old digests."""

    size: int
    initrds: tuple[NewFile, ...]
    sums: Sums | None


def rewrite(image: BinaryIO, out: BinaryIO, order: Order) -> Rewritten:
    """Write the image to `out`, an empty file, with `order` carried out; the digests in md5sum.txt are left to do.

    Raises IsoError where pycdlib cannot do it either, or this is no installer of Debian's.
    """
    old = read_contents(image, WANTED)
    menu = choose_menu(old, order)
    iso = pycdlib.PyCdlib()
    try:
        iso.open_fp(_stream(b"", image, 0, old.volume.size, blank=SYSTEM_AREA))
        try:
            known = dict(_replace(iso, image, old, order))
            _add_original(iso, image, old, menu.initrd, menu.original)
            iso.write_fp(out)
        finally:
            iso.close()
    except (PyCdlibException, struct.error, IndexError, KeyError, ValueError) as error:
        raise IsoError(f"this ISO cannot be written anew: {error}") from error
    out.flush()
    new = read_contents(out, WANTED)
    _settle_dates(image, out, old, new)
    _settle_parents(out, new)
    _write_boot_records(image, out, old, new)
    return _found(out, known)


def _replace(iso: pycdlib.PyCdlib, image: BinaryIO, old: Contents, order: Order) -> Iterator[tuple[str, bytes]]:
    """Give pycdlib the new initrds and menus, once per file whatever its links; yields the menus."""
    initrds = {record.extent: (path, record) for path, record in find_initrds(old).items()}
    found = list(new_menus(image, old, choose_menu(old, order)))
    configs = {record.extent: (record, data) for record, data in found}
    if len(configs) < len(found) or configs.keys() & initrds.keys():
        raise IsoError(f"{found[0][0].path} shares its sectors with another file that is to change")
    changing = {start: record.size for start, (_, record) in initrds.items()}
    check_shared(old, changing | {start: record.size for start, (record, _) in configs.items()})
    for path, record in initrds.values():
        if path in old.split or record.odd:
            raise IsoError(f"{path} is in several pieces, which no initrd of Debian's is")
        skip = initrd.front_length(read_at(image, record.extent * SECTOR, initrd.HEAD))
        rest = record.size - skip
        source = _stream(order.front, image, record.extent * SECTOR + skip, rest)
        iso.update_file_contents_fp(source, len(order.front) + rest, rr_path=path)
    names = names_at(image, old, configs)
    for start, (record, data) in configs.items():
        iso.update_file_contents_fp(io.BytesIO(data), len(data), rr_path=record.path)
        yield from ((path, data) for path in names[start])


def _add_original(iso: pycdlib.PyCdlib, image: BinaryIO, old: Contents, path: str, original: str) -> None:
    """The text initrd without our segment: a file of its own, as pycdlib lets none begin within another."""
    record = old.files[path]
    skip = initrd.front_length(read_at(image, record.extent * SECTOR, initrd.HEAD))
    if original in old.files:
        if not skip:
            raise IsoError(f"the ISO has a file {original} of its own", "rename it, or take Debian's ISO")
        return
    source = _stream(b"", image, record.extent * SECTOR + skip, record.size - skip)
    folder = path.rpartition("/")[0]
    above = iso.full_path_from_dirrecord(iso.get_record(rr_path=folder or "/")).rstrip("/")
    iso.add_fp(
        source,
        record.size - skip,
        iso_path=f"{above}/{ORIGINAL.upper()};1",
        rr_name=ORIGINAL,
        joliet_path=original if iso.has_joliet() else None,
        udf_path=original if iso.has_udf() else None,
        file_mode=0o100444,
    )


def _settle_dates(image: BinaryIO, out: BinaryIO, old: Contents, new: Contents) -> None:
    """Nothing tells when this was done: the volume keeps its dates, the new entry has those of its neighbour."""
    for before, after in zip(old.volume.descriptors, new.volume.descriptors, strict=True):
        dates = read_at(image, before.offset, SECTOR)[_MODIFIED]
        _put(out, after.offset + _MODIFIED.start, dates)
    for named in new.found.values():
        for path, record in named.items():
            neighbour = named.get(f"{path.removesuffix(ORIGINAL)}initrd.gz")
            if path.endswith(f"/{ORIGINAL}") and neighbour:
                _copy_dates(out, neighbour, record)


def _copy_dates(out: BinaryIO, neighbour: Record, record: Record) -> None:
    """The recording date (ECMA-119 9.1.5) and Rock Ridge's TF field."""
    model, raw = read_at(out, neighbour.place, neighbour.length), read_at(out, record.place, record.length)
    _put(out, record.place + 18, model[18:25])
    at, source = raw.find(b"TF"), model.find(b"TF")
    if at > 0 and source > 0 and raw[at : at + 5] == model[source : source + 5]:
        _put(out, record.place + at, model[source : source + model[source + 2]])


def _settle_parents(out: BinaryIO, new: Contents) -> None:
    """Let each directory tell its parent's size: in Joliet libisofs has `..` lead to itself, and pycdlib mends half."""
    for tree in new.volume.descriptors:
        sizes = {one.extent: one.size for one in walk(out, new.volume, tree) if one.role == "self"}
        for one in list(walk(out, new.volume, tree)):
            if one.role == "parent" and one.size != sizes.get(one.extent, one.size):
                _put(out, one.place + 10, pack_both32(sizes[one.extent]))


def _write_boot_records(image: BinaryIO, out: BinaryIO, old: Contents, new: Contents) -> None:
    """The old system area, and what lay behind the volume, moved to where things are now."""
    bounds = bounds_of(image, old)
    cut = bounds.cut
    # UDF has anchors at the volume's end; else what pycdlib counts as the end is only ever later than it needs to be
    end = new.volume.sectors if new.volume.udf else bounds_of(out, new).end + PADDING
    start = end
    if old.hybrid.mbr:
        start += (cut - end) % CYLINDER  # what was aligned to cylinders stays so
    size = start * SECTOR + old.volume.size - cut * SECTOR
    out.truncate(size)
    _put(out, 0, read_at(image, 0, SYSTEM_AREA))
    for at in range(cut * SECTOR, old.volume.size, _PIECE):
        _put(out, at + (start - cut) * SECTOR, read_at(image, at, min(_PIECE, old.volume.size - at)))
    for tree in new.volume.descriptors:
        _put(out, tree.offset + 80, pack_both32(old.volume.sectors - cut + start))
    places = _Places(_moves(image, out, old, new), cut, start, bounds.end)
    for offset, data in move_tables(old.hybrid, places.remap):
        _put(out, offset, data)
    bios = find_image(new.images, BIOS)
    if old.hybrid.isolinux is not None and bios and wants_isolinux_word(read_at(out, bios.sector * SECTOR, 68)):
        _put(out, ISOLINUX_WORD, struct.pack("<L", bios.sector * SECTOR // LBA))


@dataclass(frozen=True, slots=True)
class _Places:
    """Old to new: `files` by first sector; what lay from `cut` on begins at `start`; `end` was behind the last file."""

    files: dict[int, int]
    cut: int
    start: int
    end: int

    def remap(self, first: int, behind: int) -> tuple[int, int]:
        """Where a stretch of bytes is now; IsoError where that cannot be told."""
        shift = (self.start - self.cut) * SECTOR
        if first >= self.cut * SECTOR:
            return first + shift, behind + shift
        if first <= SYSTEM_AREA:
            return first, behind + shift if behind >= self.end * SECTOR else behind
        if (moved := self.files.get(first // SECTOR)) is not None and first % SECTOR == 0:
            return moved * SECTOR, moved * SECTOR + behind - first
        raise IsoError(f"a partition at byte {first} holds no file, and cannot be followed")


def _moves(image: BinaryIO, out: BinaryIO, old: Contents, new: Contents) -> dict[int, int]:
    """First sectors of the files that partitions and boot entries point at, old -> new."""
    wanted = {partition.start // SECTOR for partition in old.hybrid.partitions}
    names = {one.path: one.extent for one in walk(image, old.volume, old.volume.descriptors[0]) if one.extent in wanted}
    found = {
        names[one.path]: one.extent
        for one in walk(out, new.volume, new.volume.descriptors[0])
        if one.path in names and one.role == "entry"
    }
    return found | {one.sector: other.sector for one, other in zip(old.images, new.images, strict=True)}


def _found(out: BinaryIO, known: dict[str, bytes]) -> Rewritten:
    new = read_contents(out, WANTED)
    by_place: dict[int, list[Record]] = {}
    for record in find_initrds(new).values():
        by_place.setdefault(record.extent, []).append(record)
    initrds = tuple(
        NewFile(tuple(sorted(one.path for one in same)), start * SECTOR, same[0].size)
        for start, same in by_place.items()
    )
    listed = new.files.get(sums.PATH)
    if listed is None or listed.is_folder or listed.size > sums.LARGEST:
        return Rewritten(new.volume.size, initrds, None)
    text = read_at(out, listed.extent * SECTOR, listed.size)
    paths = {*known, *(path for one in initrds for path in one.paths)}
    digests = {path: sums.md5(data) for path, data in known.items()}
    return Rewritten(new.volume.size, initrds, Sums(listed.extent * SECTOR, text, sums.places_of(text, paths), digests))


def _put(out: BinaryIO, offset: int, data: bytes) -> None:
    out.seek(offset)
    out.write(data)
    out.flush()
