"""What makes an ISO image a disk as well: isolinux's MBR in front, GPT in front and behind (UEFI 2.10, 5.3)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID
from zlib import crc32

BLOCK = 512
EFI_SYSTEM = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
BASIC_DATA = UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
_ENTRIES, _ENTRY = 128, 128
_TABLE = _ENTRIES * _ENTRY // BLOCK
BACKUP = 1 + _TABLE  # blocks at the end of the disk
_FIRST_USABLE = 2 + _TABLE
_HEADS, _TRACK = 64, 32  # as isohybrid has it: a cylinder is 1 MiB
_MBR_CODE = 432


@dataclass(frozen=True, slots=True)
class Partition:
    """Blocks of 512 bytes, `last` included."""

    kind: UUID
    guid: UUID
    name: str
    first: int
    last: int


def write_gpt(disk: UUID, blocks: int, partitions: Sequence[Partition]) -> tuple[bytes, bytes]:
    """The table for block 1 and on, and its twin for the last `BACKUP` blocks of a disk of `blocks`."""
    entries = b"".join(map(_gpt_entry, partitions)).ljust(_TABLE * BLOCK, b"\0")
    front = _gpt_header(disk, blocks, entries, own=1, other=blocks - 1, table=2)
    back = _gpt_header(disk, blocks, entries, own=blocks - 1, other=1, table=blocks - BACKUP)
    return front + entries, entries + back


def _gpt_entry(part: Partition) -> bytes:
    name = part.name.encode("utf-16-le").ljust(72, b"\0")
    return part.kind.bytes_le + part.guid.bytes_le + struct.pack("<QQQ", part.first, part.last, 0) + name


def _gpt_header(disk: UUID, blocks: int, entries: bytes, *, own: int, other: int, table: int) -> bytes:
    last_usable = blocks - BACKUP - 1

    def header(check: int) -> bytes:
        return struct.pack(
            "<8sIIIIQQQQ16sQIII",
            *(b"EFI PART", 0x10000, 92, check, 0, own, other, _FIRST_USABLE, last_usable),
            *(disk.bytes_le, table, _ENTRIES, _ENTRY, crc32(entries)),
        )

    return header(crc32(header(0))).ljust(BLOCK, b"\0")


def write_mbr(code: bytes, *, isolinux: int, serial: int, efi: Partition) -> bytes:
    """The boot code of isolinux, told the block where isolinux.bin begins, and the partition table of Debian's images.

    All before the EFI system partition is a bootable partition of no type: some BIOSes start nothing without one,
    and Debian's own begins at block 0, too. ValueError when `code` is not isohdpfx.bin's kind.
    """
    if len(code) != _MBR_CODE:
        raise ValueError(f"{len(code)} bytes of boot code, where {_MBR_CODE} are due")
    before = _mbr_entry(0x80, 0x00, 0, efi.first)
    system = _mbr_entry(0x00, 0xEF, efi.first, efi.last - efi.first + 1)
    return code + struct.pack("<QIH", isolinux, serial, 0) + (before + system).ljust(64, b"\0") + b"\x55\xaa"


def _mbr_entry(flag: int, kind: int, first: int, count: int) -> bytes:
    return bytes([flag, *_chs(first), kind, *_chs(first + count - 1)]) + struct.pack("<II", first, count)


def _chs(block: int) -> tuple[int, int, int]:
    cylinder, rest = divmod(block, _HEADS * _TRACK)
    if cylinder > 1023:
        return 0xFE, 0xFF, 0xFF
    head, sector = divmod(rest, _TRACK)
    return head, sector + 1 | cylinder >> 2 & 0xC0, cylinder & 0xFF


def with_boot_table(isolinux: bytes, *, volume: int, extent: int) -> bytes:
    """The file isolinux.bin with its boot information table: where the volume and it lie, its length and check sum.

    The table is that of mkisofs(1), EL TORITO BOOT INFORMATION TABLE: 56 bytes from byte 8 on.
    """
    padded = isolinux + bytes(-len(isolinux) % 4)
    check = sum(struct.unpack(f"<{(len(padded) - 64) // 4}I", padded[64:])) & 0xFFFFFFFF
    return isolinux[:8] + struct.pack("<IIII40x", volume, extent, len(isolinux), check) + isolinux[64:]
