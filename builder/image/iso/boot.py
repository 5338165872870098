"""What firmware finds on a CD: the El Torito catalogue (specification 1.0), and isolinux's boot information table."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from builder.image.iso.volume import SECTOR, IsoError, read_at

BIOS, UEFI = 0, 0xEF
PLATFORMS = {BIOS: "BIOS", 1: "PowerPC", 2: "Mac", UEFI: "UEFI"}
ENTRY = 32
CATALOG = SECTOR  # what xorriso and mkisofs reserve; more sections than fit there are not read
_HEADERS, _LAST_HEADER = 0x90, 0x91
TABLE_AT = 8  # mkisofs(8), "EL TORITO BOOT INFORMATION TABLE"
SUMMED_FROM = 64


@dataclass(frozen=True, slots=True)
class BootImage:
    """One entry of the catalogue, at byte `place` of the image: `count` of 512 bytes are loaded from `sector` on."""

    platform: int
    bootable: bool
    sector: int
    count: int
    place: int

    @property
    def name(self) -> str:
        """`BIOS`, `UEFI` or a number."""
        return PLATFORMS.get(self.platform, f"platform {self.platform:#04x}")


def read_catalog(image: BinaryIO, sector: int) -> tuple[BootImage, ...]:
    """The images of the catalogue in sector `sector`; IsoError when its checksum or an entry is wrong."""
    data = read_at(image, sector * SECTOR, CATALOG)
    if data[0] != 1 or data[30:32] != b"\x55\xaa" or sum(struct.unpack("<16H", data[:ENTRY])) & 0xFFFF:
        raise IsoError(f"the El Torito catalogue in sector {sector} has a wrong validation entry")
    found = [_entry(data, ENTRY, data[1], sector)]
    at, last = 2 * ENTRY, False
    while not last and at + ENTRY <= CATALOG and data[at] in {_HEADERS, _LAST_HEADER}:
        last, platform = data[at] == _LAST_HEADER, data[at + 1]
        (count,) = struct.unpack_from("<H", data, at + 2)
        at += ENTRY
        for _ in range(count):
            if at + ENTRY > CATALOG:
                raise IsoError(f"the El Torito catalogue in sector {sector} tells of more than it holds")
            if data[at] != 0x44:  # an extension of the entry above
                found.append(_entry(data, at, platform, sector))
            at += ENTRY
    return tuple(found)


def _entry(data: bytes, at: int, platform: int, sector: int) -> BootImage:
    if data[at] not in {0, 0x88}:
        raise IsoError(f"the El Torito catalogue in sector {sector} has an entry that is none, {data[at]:#04x}")
    count, place = struct.unpack_from("<HL", data, at + 6)
    return BootImage(platform, data[at] == 0x88, place, count, sector * SECTOR + at)


@dataclass(frozen=True, slots=True)
class InfoTable:
    """isolinux's knowledge of where it lies: sector of the volume descriptor and of itself, its length and sum."""

    descriptor: int
    sector: int
    length: int
    total: int


def read_info_table(start: bytes) -> InfoTable | None:
    """The table in the first 64 bytes of a boot image, None when there is none."""
    table = InfoTable(*struct.unpack_from("<LLLL", start, TABLE_AT)) if len(start) >= SUMMED_FROM else None
    return table if table and table.descriptor == 16 else None


def boot_sum(image: bytes) -> int:
    """The sum over a boot image from byte 64 on, in 32-bit words."""
    rest = image[SUMMED_FROM:]
    rest += bytes(-len(rest) % 4)
    words: tuple[int, ...] = struct.unpack(f"<{len(rest) // 4}L", rest)
    return sum(words) & 0xFFFFFFFF


def find_image(images: Sequence[BootImage], platform: int) -> BootImage | None:
    """The first bootable image for a platform."""
    return next((image for image in images if image.platform == platform and image.bootable), None)
