"""A new ISO 9660 volume with Rock Ridge names, as bytes around the places of its files.

ECMA-119, IEEE P1282 (Rock Ridge) and El Torito 1.0. Nothing is read here: a file is a size until it is written. The
same files, names and moment give the same bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from builder.image.iso.volume import SECTOR, SYSTEM_AREA

FILE_MODE, FOLDER_MODE = 0o100444, 0o040555
_LONGEST_RECORD = 255
_ROCK_RIDGE = b"RRIP_1991A"
CATALOG = "boot.cat"


@dataclass(frozen=True, slots=True)
class BootImage:
    """An entry of the boot catalog: the file at `path`, of which the BIOS loads `sectors` of 512 bytes."""

    path: str
    sectors: int


@dataclass(frozen=True, slots=True)
class NewVolume:
    """What to make: files by path (no leading slash) and size, in the order in which they are to lie.

    With `bios` the catalog becomes a file beside that boot image. `starts`: a file begins at a multiple of so many
    sectors. `within`: a file is the end of another one, from so many of its sectors on. `padding` sectors follow.
    """

    label: str
    moment: datetime
    files: Mapping[str, int]
    bios: BootImage | None = None
    efi: BootImage | None = None
    starts: Mapping[str, int] = field(default_factory=dict)
    within: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    padding: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """`head`: every sector up to the first file, its system area zeros. `extents`: each file's first sector."""

    head: bytes
    extents: Mapping[str, int]
    sectors: int


@dataclass(slots=True)
class _Folder:
    name: str
    parent: _Folder | None
    folders: dict[str, _Folder] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)  # name -> path
    extent: int = 0
    size: int = 0
    number: int = 0  # in the path tables


def lay_volume(volume: NewVolume) -> Layout:
    """Give every file its place. ValueError for names that two files share, or that no record can hold."""
    files = {**volume.files}
    catalog = ""
    if volume.bios:
        catalog = f"{volume.bios.path.rpartition('/')[0]}/{CATALOG}".lstrip("/")
        files = {catalog: SECTOR, **files}
    folders = _folders(files)
    at = SYSTEM_AREA // SECTOR + (3 if volume.bios else 2)  # descriptors: volume, boot record, end
    tables = _Tables(folders)
    at = tables.place(at)
    sizes = {**files, "": 0}
    for folder in folders:
        folder.size = SECTOR * _sectors_of(_record_sizes(folder))
        folder.extent = at
        at += folder.size // SECTOR
    extents: dict[str, int] = {}
    for path, size in files.items():
        if path in volume.within:
            continue
        at += -at % volume.starts.get(path, 1)
        extents[path] = at
        at += -(-size // SECTOR)
    extents |= {path: extents[other] + sectors for path, (other, sectors) in volume.within.items()}
    total = at + volume.padding
    descriptors = [_volume_descriptor(volume, folders[0], tables, total)]
    if volume.bios:
        descriptors.append(_boot_record(extents[catalog]))
    descriptors.append(_sector(b"\xffCD001\x01"))
    records = b"".join(_records(folder, volume.moment, extents, sizes) for folder in folders)
    head = bytes(SYSTEM_AREA) + b"".join(descriptors) + tables.text() + records
    if volume.bios:
        head += _catalog(volume.bios, volume.efi, extents)
    return Layout(head, {path: extents[path] for path in volume.files}, total)


def _sector(data: bytes) -> bytes:
    return data + bytes(-len(data) % SECTOR)


def _folders(files: Mapping[str, int]) -> list[_Folder]:
    """The root and all below it, in the order of the path tables: by depth, then the parent, then the name."""
    root = _Folder("", None)
    for path in files:
        *above, name = path.split("/")
        folder = root
        for part in above:
            folder = folder.folders.setdefault(part, _Folder(part, folder))
        folder.files[name] = path
    found = [root]
    for folder in found:  # grows while it is walked
        found += [folder.folders[name] for name in sorted(folder.folders, key=_folder_name)]
    for number, folder in enumerate(found, 1):
        folder.number = number
    return found


def _plain(text: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", text.upper())


def _folder_name(name: str) -> str:
    # A dot is not allowed in a folder's name, but every reader takes it, and Debian's images have install.amd.
    return ".".join(map(_plain, name.split(".")))


def _file_name(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return f"{_plain(stem if dot else ending)}.{_plain(ending) if dot else ''};1"


def _both(number: int) -> bytes:
    """32 bits in both byte orders (ECMA-119, 7.3.3)."""
    return struct.pack("<I", number) + struct.pack(">I", number)


def _both16(number: int) -> bytes:
    return struct.pack("<H", number) + struct.pack(">H", number)


def _record_moment(moment: datetime) -> bytes:
    """ECMA-119, 9.1.5: seven bytes, the last one the offset from UTC."""
    return bytes([moment.year - 1900, moment.month, moment.day, moment.hour, moment.minute, moment.second, 0])


def _volume_moment(moment: datetime) -> bytes:
    """ECMA-119, 8.4.26.1: digits down to hundredths of a second, then the offset from UTC."""
    return f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 10000:02}".encode() + b"\0"


def _record(name: bytes, extent: int, size: int, moment: datetime, extra: bytes, *, folder: bool) -> bytes:
    """ECMA-119, 9.1, with its system use area behind the name."""
    head = (
        _both(extent)
        + _both(size)
        + _record_moment(moment)
        + bytes([2 if folder else 0, 0, 0])
        + _both16(1)
        + bytes([len(name)])
        + name
        + bytes(1 - len(name) % 2)
    )
    whole = b"\0" + head + extra
    whole += bytes((len(whole) + 1) % 2)
    if len(whole) + 1 > _LONGEST_RECORD:
        raise ValueError(f"the name {name!r} is too long for an ISO 9660 record")
    return bytes([len(whole) + 1]) + whole


def _rock_ridge(name: str, mode: int, links: int, moment: datetime) -> bytes:
    """PX, TF and NM: permissions, modification time and the real name."""
    posix = b"PX\x24\x01" + b"".join(map(_both, (mode, links, 0, 0)))
    times = b"TF\x0c\x01\x02" + _record_moment(moment)
    real = name.encode()
    if len(real) > 128:
        raise ValueError(f"the name {name!r} is too long for a Rock Ridge record")
    return posix + times + (b"NM" + bytes([5 + len(real), 1, 0]) + real if name else b"")


def _links(folder: _Folder | None) -> int:
    return 2 + len(folder.folders) if folder else 2


def _folder_records(
    folder: _Folder, moment: datetime, extents: Mapping[str, int], sizes: Mapping[str, int]
) -> Iterator[bytes]:
    parent = folder.parent or folder
    own = _rock_ridge("", FOLDER_MODE, _links(folder), moment)
    if folder.parent is None:  # SP begins the use of SUSP, ER names Rock Ridge
        own = b"SP\x07\x01\xbe\xef\0" + own + b"ER" + bytes([8 + len(_ROCK_RIDGE), 1, len(_ROCK_RIDGE), 0, 0, 1])
        own += _ROCK_RIDGE
    yield _record(b"\0", folder.extent, folder.size, moment, own, folder=True)
    above = _rock_ridge("", FOLDER_MODE, _links(parent), moment)
    yield _record(b"\1", parent.extent, parent.size, moment, above, folder=True)
    named: dict[str, bytes] = {}
    for name, inner in folder.folders.items():
        extra = _rock_ridge(name, FOLDER_MODE, _links(inner), moment)
        key = _folder_name(name)
        _refuse_twice(named, key, name)
        named[key] = _record(key.encode(), inner.extent, inner.size, moment, extra, folder=True)
    for name, path in folder.files.items():
        extra = _rock_ridge(name, FILE_MODE, 1, moment)
        key = _file_name(name)
        _refuse_twice(named, key, name)
        named[key] = _record(key.encode(), extents.get(path, 0), sizes.get(path, 0), moment, extra, folder=False)
    for key in sorted(named):
        yield named[key]


def _refuse_twice(named: Mapping[str, bytes], key: str, name: str) -> None:
    if key in named:
        raise ValueError(f"{name!r} and another name are both {key} in ISO 9660")


def _record_sizes(folder: _Folder) -> list[int]:
    epoch = datetime(2000, 1, 1, tzinfo=UTC)
    return [len(record) for record in _folder_records(folder, epoch, {}, {})]


def _sectors_of(sizes: list[int]) -> int:
    """Sectors that these records fill; none crosses the end of one (ECMA-119, 6.8.1.1)."""
    sectors, used = 1, 0
    for size in sizes:
        if used + size > SECTOR:
            sectors, used = sectors + 1, 0
        used += size
    return sectors


def _records(folder: _Folder, moment: datetime, extents: Mapping[str, int], sizes: Mapping[str, int]) -> bytes:
    text = b""
    for record in _folder_records(folder, moment, extents, sizes):
        if len(text) % SECTOR + len(record) > SECTOR:
            text = _sector(text)
        text += record
    return _sector(text)


class _Tables:
    """The two path tables, which differ in the order of bytes."""

    def __init__(self, folders: list[_Folder]) -> None:
        self._folders = folders
        self.size = len(self._table("<"))
        self.little = self.big = 0

    def place(self, at: int) -> int:
        """Put both from sector `at` on; the sector behind them."""
        each = -(-self.size // SECTOR)
        self.little, self.big = at, at + each
        return at + 2 * each

    def text(self) -> bytes:
        """Both, each filled up to whole sectors."""
        return _sector(self._table("<")) + _sector(self._table(">"))

    def _table(self, order: str) -> bytes:
        """ECMA-119, 9.4."""
        entries = []
        for folder in self._folders:
            name = _folder_name(folder.name).encode() if folder.parent else b"\0"
            above = folder.parent.number if folder.parent else 1
            head = struct.pack(f"{order}BBIH", len(name), 0, folder.extent, above)
            entries.append(head + name + bytes(len(name) % 2))
        return b"".join(entries)


def _volume_descriptor(volume: NewVolume, root: _Folder, tables: _Tables, sectors: int) -> bytes:
    """ECMA-119, 8.4."""
    moment = _volume_moment(volume.moment)
    never = b"0" * 16 + b"\0"
    root_record = _record(b"\0", root.extent, root.size, volume.moment, b"", folder=True)
    return _sector(
        b"".join(
            (
                b"\x01CD001\x01\0",
                b" " * 32,
                volume.label.encode("ascii").ljust(32),
                bytes(8),
                _both(sectors),
                bytes(32),
                _both16(1),
                _both16(1),
                _both16(SECTOR),
                _both(tables.size),
                struct.pack("<II", tables.little, 0),
                struct.pack(">II", tables.big, 0),
                root_record,
                b" " * (4 * 128 + 3 * 37),
                moment * 2 + never + moment,
                b"\x01\0",
            )
        )
    )


def _boot_record(catalog: int) -> bytes:
    """El Torito 1.0, figure 7."""
    return _sector(b"\0CD001\x01" + b"EL TORITO SPECIFICATION".ljust(64, b"\0") + struct.pack("<I", catalog))


def _catalog(bios: BootImage, efi: BootImage | None, extents: Mapping[str, int]) -> bytes:
    """El Torito 1.0, figures 2 to 5: a BIOS entry, and one of platform 0xEF (UEFI 2.10, 13.3.2.1)."""
    check = bytearray(b"\x01\0\0\0".ljust(30, b"\0") + b"\x55\xaa")
    struct.pack_into("<H", check, 28, -sum(struct.unpack("<16H", check)) & 0xFFFF)
    text = bytes(check) + _entry(bios, extents)
    if efi:
        text += b"\x91\xef\x01\0".ljust(32, b"\0") + _entry(efi, extents)
    return _sector(text)


def _entry(image: BootImage, extents: Mapping[str, int]) -> bytes:
    """Bootable, without emulation."""
    return struct.pack("<BBHBBHI", 0x88, 0, 0, 0, 0, image.sectors, extents[image.path]).ljust(32, b"\0")
