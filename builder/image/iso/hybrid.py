"""What firmware finds on a USB stick: the MBR, GPT and Apple partition map in the first 32 KiB of a hybrid image.

Layouts as isohybrid and xorriso write them: GPT arrays at any place, a backup within or behind the volume, slots that
overlap on purpose. Tables are read as they are, and moved as a whole when the volume grows.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

from builder.image.iso.volume import SYSTEM_AREA, IsoError, read_at

LBA = 512
MBR_TABLE, MBR_SLOTS = 446, 4
ISOLINUX_WORD = 432  # isohybrid's MBR code reads where isolinux.bin begins, in 512 bytes
_ISOHYBRID = b"\xfb\xc0\x78\x70"  # isolinux.bin's own mark, at its byte 64: MBR code may start it
_GPT = struct.Struct("<8sLLL4xQQQQ16sQLLL")  # UEFI 2.10, table 5.5
_GPT_ENTRY = struct.Struct("<16s16sQQ")
_LARGEST_ARRAY = 1 << 20
_APM = struct.Struct(">2s2xLLL")  # Inside Macintosh: Devices, 3-26: signature, entries in the map, start, length
# Heads and sectors per track that isohybrid, xorriso and fdisk count in
_GEOMETRIES = ((64, 32), (255, 63), (128, 32), (128, 63), (240, 63), (256, 63))
Scheme = Literal["MBR", "GPT", "APM"]
Remap = Callable[[int, int], tuple[int, int]]  # first byte and the one behind the last, old -> new


@dataclass(frozen=True, slots=True)
class Partition:
    """A stretch of the image, bytes from `start` to before `end`; `place` is where its table tells of it."""

    scheme: Scheme
    number: int
    start: int
    end: int
    place: int
    kind: str = ""
    chs: bytes = b""


@dataclass(frozen=True, slots=True)
class Gpt:
    """One copy of a GPT: its header at LBA `at`, the other's at `other`, its array of entries."""

    at: int
    other: int
    first: int
    last: int
    array_at: int
    count: int
    width: int
    header: bytes
    array: bytes
    sound: bool  # both CRCs are right

    @property
    def end(self) -> int:
        """The byte behind the last of header and array."""
        return max((self.at + 1) * LBA, self.array_at * LBA + len(self.array))


@dataclass(frozen=True, slots=True)
class Hybrid:
    """The tables that are there. A `backup` of None beside a `primary` was not found where that one says."""

    mbr: tuple[Partition, ...]
    isolinux: int | None
    primary: Gpt | None
    backup: Gpt | None
    apm: tuple[Partition, ...]

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """Of all tables."""
        return (*self.mbr, *(gpt_partitions(self.primary) if self.primary else ()), *self.apm)


Write = tuple[int, bytes]


def read_hybrid(image: BinaryIO) -> Hybrid:
    """Read the tables; what is not there is empty. IsoError for a table that cannot be one."""
    area = read_at(image, 0, SYSTEM_AREA)
    if area[510:512] != b"\x55\xaa":
        return Hybrid((), None, None, None, ())
    size = image.seek(0, io.SEEK_END)
    primary = _read_gpt(image, 1, size)
    backup = _read_gpt(image, primary.other, size) if primary else None
    (word, rest) = struct.unpack_from("<LL", area, ISOLINUX_WORD)
    starts_code = area[:2] != b"\0\0" and word and not rest
    return Hybrid(tuple(_mbr(area)), word if starts_code else None, primary, backup, tuple(_apm(area)))


def wants_isolinux_word(boot_image: bytes) -> bool:
    """Whether a boot image is one that isohybrid's MBR code starts."""
    return boot_image[64:68] == _ISOHYBRID


def _mbr(area: bytes) -> Iterator[Partition]:
    for number in range(MBR_SLOTS):
        place = MBR_TABLE + 16 * number
        raw = area[place : place + 16]
        start, count = struct.unpack_from("<LL", raw, 8)
        if count:
            chs = raw[1:4] + raw[5:8]
            yield Partition("MBR", number + 1, start * LBA, (start + count) * LBA, place, f"{raw[4]:02x}", chs)


def _apm(area: bytes) -> Iterator[Partition]:
    (block,) = struct.unpack_from(">H", area, 2)
    if area[:2] != b"ER" or block not in {512, 2048}:
        return
    total = 1
    number = 1
    while number <= total and (number + 1) * block <= len(area):
        signature, total, start, count = _APM.unpack_from(area, number * block)
        if signature != b"PM":
            if number > 1:
                raise IsoError(f"the Apple partition map tells of {total} entries and ends after {number - 1}")
            return
        kind = area[number * block + 48 : number * block + 80].rstrip(b"\0").decode("ascii", errors="replace")
        yield Partition("APM", number, start * block, (start + count) * block, number * block, kind)
        number += 1


def _read_gpt(image: BinaryIO, at: int, size: int) -> Gpt | None:
    if (at + 1) * LBA > size:
        return None
    raw = read_at(image, at * LBA, LBA)
    signature, _revision, length, crc, _my, other, first, last, _guid, array_at, count, width, array_crc = _GPT.unpack(
        raw[: _GPT.size]
    )
    if signature != b"EFI PART":
        return None
    if not 92 <= length <= LBA or not 128 <= width <= 4096 or count * width > _LARGEST_ARRAY:
        raise IsoError(f"the GPT at LBA {at} tells of {count} entries of {width} bytes, which cannot be")
    if array_at * LBA + count * width > size:
        raise IsoError(f"the GPT at LBA {at} has its entries beyond the image")
    array = read_at(image, array_at * LBA, count * width)
    sound = zlib.crc32(raw[:16] + bytes(4) + raw[20:length]) == crc and zlib.crc32(array) == array_crc and _my == at
    return Gpt(at, other, first, last, array_at, count, width, raw, array, sound)


def gpt_partitions(gpt: Gpt) -> Iterator[Partition]:
    """The entries that are in use; `place` is the byte in the image."""
    for number in range(gpt.count):
        kind, _guid, first, last = _GPT_ENTRY.unpack_from(gpt.array, number * gpt.width)
        if any(kind):
            place = gpt.array_at * LBA + number * gpt.width
            yield Partition("GPT", number + 1, first * LBA, (last + 1) * LBA, place, kind.hex())


def move_tables(hybrid: Hybrid, remap: Remap) -> list[Write]:
    """What to write where so that every partition, and the backup GPT, lie where `remap` puts them.

    IsoError for a partition that would leave what its table can count in.
    """
    try:
        return _moved_tables(hybrid, remap)
    except struct.error as error:
        raise IsoError("a partition table of the ISO tells of places further off than it can count") from error


def _moved_tables(hybrid: Hybrid, remap: Remap) -> list[Write]:
    writes = [write for slot in hybrid.mbr for write in _moved_slot(slot, remap)]
    for entry in hybrid.apm:
        start, end = remap(entry.start, entry.end)
        if (start, end) != (entry.start, entry.end):
            block = entry.place // entry.number
            count = (end - start) // block
            writes.append((entry.place + 8, struct.pack(">LL", start // block, count)))
            writes.append((entry.place + 80, struct.pack(">LL", 0, count)))  # all of it is data
    if hybrid.primary:
        writes += _moved_gpts(hybrid.primary, hybrid.backup, remap)
    return writes


def _moved_slot(slot: Partition, remap: Remap) -> Iterator[Write]:
    start, end = (byte // LBA for byte in remap(slot.start, slot.end))
    if (start, end) == (slot.start // LBA, slot.end // LBA):
        return
    if end > 1 << 32:
        raise IsoError(f"MBR partition {slot.number} would end at {end}, more than 32 bits hold")
    yield slot.place + 8, struct.pack("<LL", start, end - start)
    chs = _chs_pair(slot, start, end - 1)
    yield slot.place + 1, chs[:3]
    yield slot.place + 5, chs[3:]


def _chs_pair(slot: Partition, first: int, last: int) -> bytes:
    """First and last sector in cylinders, heads and sectors, in the geometry of the old ones if it can be told."""
    for heads, sectors in _GEOMETRIES:
        if _chs(slot.start // LBA, heads, sectors) + _chs(slot.end // LBA - 1, heads, sectors) == slot.chs:
            return _chs(first, heads, sectors) + _chs(last, heads, sectors)
    return slot.chs


def _chs(lba: int, heads: int, sectors: int) -> bytes:
    cylinder, rest = divmod(lba, heads * sectors)
    head, sector = divmod(rest, sectors)
    if cylinder > 1023:
        cylinder, head, sector = 1023, heads - 1, sectors - 1
    return bytes([head, sector + 1 | cylinder >> 2 & 0xC0, cylinder & 0xFF])


def _moved_gpts(primary: Gpt, backup: Gpt | None, remap: Remap) -> list[Write]:
    if not primary.sound:
        raise IsoError("the GPT of this ISO has a wrong CRC", "fetch the ISO again, or have another tool mend it")
    array = bytearray(primary.array)
    for entry in gpt_partitions(primary):
        start, end = remap(entry.start, entry.end)
        struct.pack_into("<QQ", array, (entry.number - 1) * primary.width + 32, start // LBA, end // LBA - 1)
    last = remap(primary.first * LBA, (primary.last + 1) * LBA)[1] // LBA - 1
    other = _moved_lba(primary.other, remap)
    writes = _written(replace(primary, other=other, last=last, array=bytes(array)))
    if backup:
        moved = replace(backup, at=other, last=last, array_at=_moved_lba(backup.array_at, remap), array=bytes(array))
        writes += _written(moved)
    return writes


def _moved_lba(lba: int, remap: Remap) -> int:
    return remap(lba * LBA, (lba + 1) * LBA)[0] // LBA


def _written(gpt: Gpt) -> list[Write]:
    header = bytearray(gpt.header)
    (length,) = struct.unpack_from("<L", header, 12)
    struct.pack_into("<QQQQ", header, 24, gpt.at, gpt.other, gpt.first, gpt.last)
    struct.pack_into("<Q", header, 72, gpt.array_at)
    struct.pack_into("<L", header, 88, zlib.crc32(gpt.array))
    struct.pack_into("<L", header, 16, 0)
    struct.pack_into("<L", header, 16, zlib.crc32(header[:length]))
    return [(gpt.array_at * LBA, gpt.array), (gpt.at * LBA, bytes(header))]
