"""A small FAT16 file system as bytes: what firmware reads its boot loader from (UEFI 2.10, 13.3).

Names are of the old kind, eight and three letters; the same files give the same bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

SECTOR = 512
_CLUSTER = 1024
_PER_CLUSTER = _CLUSTER // SECTOR
# Microsoft's FAT specification 1.03: below 4085 clusters it is a FAT12, from 65525 on a FAT32. Keep away from both.
_FEWEST, _MOST = 4200, 65000
_ROOT_ENTRIES = 64
_NAME = re.compile(r"([A-Z0-9_-]{1,8})(?:\.([A-Z0-9_-]{1,3}))?")
_FOLDER, _FILE = 0x10, 0x20
_DAY = 1 << 5 | 1  # 1 January 1980, the first day that FAT knows
_LAST, _MEDIUM = 0xFFFF, 0xF8


@dataclass(slots=True)
class _Folder:
    folders: dict[str, _Folder] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


def write_fat(files: Mapping[str, bytes], *, serial: int) -> bytes:
    """A file system with these files (`EFI/BOOT/BOOTX64.EFI` -> content), a multiple of 2048 bytes long.

    `serial` is its 32-bit volume number. ValueError for a name that is not of the old kind, or too much content.
    """
    volume = _Volume()
    root = volume.place(_tree(files), parent=None)
    if len(root) > _ROOT_ENTRIES * 32:
        raise ValueError("too many names in the root of a FAT file system")
    clusters = max(len(volume.table) - 2, _FEWEST)
    clusters += -clusters % 2  # whole sectors of an ISO image
    if clusters > _MOST:
        raise ValueError(f"{len(volume.data) * _CLUSTER} bytes do not fit into this kind of FAT")
    length = -(-(clusters + 2) * 2 // SECTOR)  # of one table, in sectors
    table = struct.pack(f"<{len(volume.table)}H", *volume.table).ljust(length * SECTOR, b"\0")
    reserved = 1 + -(1 + 2 * length) % 4  # so that the clusters begin with a sector of an ISO image
    front = _boot_sector(clusters, length, reserved, serial).ljust(reserved * SECTOR, b"\0") + table * 2
    content = b"".join(volume.data).ljust(clusters * _CLUSTER, b"\0")
    return front + root.ljust(_ROOT_ENTRIES * 32, b"\0") + content


def _tree(files: Mapping[str, bytes]) -> _Folder:
    root = _Folder()
    for path, data in files.items():
        *above, name = path.split("/")
        folder = root
        for part in above:
            folder = folder.folders.setdefault(part, _Folder())
        folder.files[name] = data
    return root


class _Volume:
    """Clusters in the order in which they are given out; the first one has the number 2."""

    def __init__(self) -> None:
        self.table = [0xFF00 | _MEDIUM, _LAST]
        self.data: list[bytes] = []

    def place(self, folder: _Folder, *, parent: int | None, own: int = 0) -> bytes:
        """Place everything in a folder and return its entries; the root, without a parent, has no cluster."""
        entries = [] if parent is None else [_entry(b".", _FOLDER, own), _entry(b"..", _FOLDER, parent)]
        for name, inner in sorted(folder.folders.items()):
            count = len(inner.folders) + len(inner.files) + 2
            number = self._take(-(-count * 32 // _CLUSTER))
            at = len(self.data)
            self.data.append(b"")
            self.data[at] = _padded(self.place(inner, parent=own, own=number))
            entries.append(_entry(_short(name), _FOLDER, number))
        for name, data in sorted(folder.files.items()):
            number = self._take(-(-len(data) // _CLUSTER))
            self.data.append(_padded(data))
            entries.append(_entry(_short(name), _FILE, number, len(data)))
        return b"".join(entries)

    def _take(self, count: int) -> int:
        """The number of the first of `count` clusters in a row; 0 for none."""
        first = len(self.table)
        if count:
            self.table += [*range(first + 1, first + count), _LAST]
        return first if count else 0


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _CLUSTER)


def _short(name: str) -> bytes:
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no name of eight and three capital letters")
    return f"{match[1]:8}{match[2] or '':3}".encode()


def _entry(name: bytes, kind: int, cluster: int, size: int = 0) -> bytes:
    times = struct.pack("<BBHHHHHH", 0, 0, 0, _DAY, _DAY, 0, 0, _DAY)
    return name.ljust(11) + bytes([kind]) + times + struct.pack("<HI", cluster, size)


def _boot_sector(clusters: int, table: int, reserved: int, serial: int) -> bytes:
    sectors = reserved + 2 * table + _ROOT_ENTRIES * 32 // SECTOR + clusters * _PER_CLUSTER
    head = struct.pack(
        "<3s8sHBHBHHBHHHIIBBBI11s8s",
        *(b"\xeb\x3c\x90", b"DOMU    ", SECTOR, _PER_CLUSTER, reserved, 2, _ROOT_ENTRIES),
        *(sectors if sectors < 0x10000 else 0, _MEDIUM, table, 32, 64, 0, sectors if sectors >= 0x10000 else 0),
        *(0x80, 0, 0x29, serial, b"NO NAME    ", b"FAT16   "),
    )
    return head.ljust(SECTOR - 2, b"\0") + b"\x55\xaa"
