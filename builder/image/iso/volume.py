"""The volume descriptors of an ISO image (ECMA-119 8), and reading an image that may be hostile.

What an image says about itself is checked against the file's length before it is used, and read in pieces.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO, Literal

from builder.errors import BuilderError

SECTOR = 2048
SYSTEM_AREA = 16 * SECTOR  # ECMA-119 6.2.1: for the use of boot code and partition tables
HINT = "give a Debian installer image, such as a netinst ISO, and fetch it again if it is one"
_MOST_DESCRIPTORS = 64
# ECMA-119 8.5.6 and Joliet 1.0: the escape sequences that announce UCS-2 names
_JOLIET = (b"%/@", b"%/C", b"%/E")
_BOOT = b"EL TORITO SPECIFICATION".ljust(32, b"\0")
_UDF = {b"BEA01", b"NSR02", b"NSR03"}
Kind = Literal["primary", "joliet", "enhanced"]


class IsoError(BuilderError):
    """What is read is no sane ISO image."""

    def __init__(self, message: str, hint: str = HINT) -> None:
        super().__init__(message, hint)


@dataclass(frozen=True, slots=True)
class PathTables:
    """Sectors of the path tables that are there (ECMA-119 9.4), little- and big-endian, and their size in bytes."""

    size: int
    little: tuple[int, ...]
    big: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One tree of the image: at byte `offset` it says how many sectors the volume has; `root` is sector and size."""

    kind: Kind
    offset: int
    sectors: int
    root: tuple[int, int]
    tables: PathTables


@dataclass(frozen=True, slots=True)
class Volume:
    """The descriptors, primary first; `catalog` is El Torito's sector (0: none), `end` the first behind them all."""

    descriptors: tuple[Descriptor, ...]
    catalog: int
    end: int
    size: int
    label: str
    udf: bool

    @property
    def sectors(self) -> int:
        """What the primary descriptor says: the volume, which may be less than the file."""
        return self.descriptors[0].sectors


def read_at(image: BinaryIO, offset: int, size: int) -> bytes:
    """`size` bytes from `offset` on; IsoError where the image ends before."""
    image.seek(offset)
    data = image.read(size)
    if len(data) != size:
        raise IsoError(f"the image ends at byte {offset + len(data)}, where {size - len(data)} more are told of")
    return data


def both32(data: bytes, at: int) -> int:
    """A number recorded in both byte orders (ECMA-119 7.3.3); IsoError when they differ."""
    little, big = struct.unpack_from("<L", data, at)[0], struct.unpack_from(">L", data, at + 4)[0]
    if little != big:
        raise IsoError(f"a number that is recorded twice has two values, {little} and {big}")
    return int(little)


def pack_both32(number: int) -> bytes:
    """The same, to write."""
    return struct.pack("<L", number) + struct.pack(">L", number)


def read_volume(image: BinaryIO) -> Volume:
    """Read the descriptors from sector 16 on; IsoError for what is no ISO 9660 image, or a cut one."""
    size = image.seek(0, io.SEEK_END)
    _refuse_short(image, size)
    trees: list[Descriptor] = []
    catalog, udf, label, sector = 0, False, "", 16
    while True:
        if sector >= 16 + _MOST_DESCRIPTORS or (sector + 1) * SECTOR > size:
            raise IsoError("this is no ISO image that can be read: its volume descriptors do not end")
        data = read_at(image, sector * SECTOR, SECTOR)
        if data[1:6] != b"CD001":
            raise IsoError(f"this is no ISO image that can be read: sector {sector} is no volume descriptor")
        match data[0]:
            case 255:
                break
            case 0 if data[7:39] == _BOOT:
                catalog = int(struct.unpack_from("<L", data, 71)[0])
            case 1 if not trees:
                trees.append(_descriptor(data, "primary", sector))
                label = data[40:72].decode("ascii", errors="replace").strip(" \0")
            case 2 if trees:
                kind: Kind = "joliet" if data[88:91] in _JOLIET else "enhanced"
                trees.append(_descriptor(data, kind, sector))
            case _:
                pass
        sector += 1
    if not trees:
        raise IsoError("this is no ISO image: it has no primary volume descriptor")
    end = sector + 1
    while end < sector + 4 and (end + 1) * SECTOR <= size:
        udf |= (mark := read_at(image, end * SECTOR + 1, 5)) in _UDF
        end += 1 if mark in _UDF | {b"TEA01"} else 4
    return Volume(tuple(trees), catalog, sector + 1, size, label, udf)


def _refuse_short(image: BinaryIO, size: int) -> None:
    """Compare the file with the volume's size, which stands at byte 80 of the primary descriptor (ECMA-119 8.4.8)."""
    image.seek(SYSTEM_AREA)
    head = image.read(88)
    if len(head) < 88 or head[:6] != b"\x01CD001":
        raise IsoError("this is no ISO image")
    volume = both32(head, 80) * SECTOR
    if size < volume:
        raise IsoError(f"this ISO is cut off: {size} of {volume} bytes are there", "fetch it again")


def _descriptor(data: bytes, kind: Kind, sector: int) -> Descriptor:
    (block,) = struct.unpack_from("<H", data, 128)
    if block != SECTOR:
        raise IsoError(f"the ISO has logical blocks of {block} bytes, where {SECTOR} are usual")
    little, optional_little = struct.unpack_from("<LL", data, 140)
    big, optional_big = struct.unpack_from(">LL", data, 148)
    tables = PathTables(
        both32(data, 132),
        tuple(place for place in (little, optional_little) if place),
        tuple(place for place in (big, optional_big) if place),
    )
    root = (both32(data, 158), both32(data, 166))  # the root's directory record stands at byte 156
    return Descriptor(kind, sector * SECTOR, both32(data, 80), root, tables)
