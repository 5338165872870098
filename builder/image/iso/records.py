"""Every directory record of an ISO image, and where it stands: ISO 9660 with Rock Ridge, and Joliet.

pycdlib does not tell where a record stands, which is what patching one needs; and a hostile image can keep it busy.
Here a directory is entered once, names and continuation areas are bounded, and nothing is held but what is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, NamedTuple

from builder.image.iso.volume import SECTOR, Descriptor, IsoError, Volume, both32, read_at

FOLDER, MORE = 0x02, 0x80  # ECMA-119 9.1.6: a directory; the file goes on in the next record
DEEPEST = 64
MOST_RECORDS = 1_000_000
MOST_DIRECTORY_BYTES = 1 << 28
_LARGEST_PATH_TABLE = 1 << 24
_LONGEST_NAME = 1024
_MOST_CONTINUATIONS = 16
Role = Literal["self", "parent", "entry", "moved"]


class Record(NamedTuple):
    """A directory record of `length` bytes at byte `place`; `extent` is the first sector of its file or directory.

    `moved`: a stand-in for a directory that Rock Ridge keeps elsewhere (CL), whose sector it names in its own way.
    """

    path: str
    role: Role
    place: int
    length: int
    extent: int
    size: int
    flags: int
    odd: bool  # an extended attribute record or interleaved, which Debian's images never are
    link: str = ""  # what a symbolic link holds

    @property
    def is_folder(self) -> bool:
        """A directory, its own record and its parent's in it included."""
        return bool(self.flags & FOLDER)


@dataclass(slots=True)
class _Names:
    """What Rock Ridge adds to a record."""

    name: bytes = b""
    child: int = 0  # CL: where the directory is that this entry stands for
    relocated: bool = False  # RE: this one is named elsewhere
    link: bytes = b""


@dataclass(slots=True)
class _Walk:
    """One tree of one image, being read."""

    image: BinaryIO
    volume: Volume
    tree: Descriptor
    skip: int | None = None  # bytes before the system use fields; None: no Rock Ridge
    entered: set[int] = field(default_factory=set)
    records: int = 0
    bytes_read: int = 0


def has_rock_ridge(image: BinaryIO, volume: Volume) -> bool:
    """Whether the primary tree has Rock Ridge names."""
    data = read_at(image, volume.descriptors[0].root[0] * SECTOR, SECTOR)
    return _sharing(data[: data[0]]) is not None


def walk(image: BinaryIO, volume: Volume, tree: Descriptor) -> Iterator[Record]:
    """Every record of the tree, directories' own and their parents' too; paths begin with /, the root's is /.

    Raises IsoError for what is malformed, points out of the image, or goes round in circles.
    """
    state = _Walk(image, volume, tree)
    todo: list[tuple[int, int, str, int]] = [(*tree.root, "", 0)]
    later: list[tuple[int, int, str, int]] = []
    while todo or later:
        only_relocated = not todo
        extent, size, path, depth = (todo or later).pop()
        if extent in state.entered:
            if only_relocated:
                continue  # reached by its proper name
            raise IsoError(f"the directory {path or '/'} is entered twice: the ISO's directories go round in circles")
        if depth > DEEPEST:
            raise IsoError(f"the directory {path} lies deeper than {DEEPEST} others")
        state.entered.add(extent)
        for record, names in _directory(state, extent, size, path):
            yield record
            if record.role == "moved":
                todo.append((names.child, _size_of(state, names.child), record.path, depth + 1))
            elif record.role == "entry" and record.is_folder:
                (later if names.relocated else todo).append((record.extent, record.size, record.path, depth + 1))


def _directory(state: _Walk, extent: int, size: int, path: str) -> Iterator[tuple[Record, _Names]]:
    """The records of one directory, sector by sector: none crosses from one into the next (ECMA-119 6.8.1.1)."""
    if size % SECTOR or not size or extent + size // SECTOR > state.volume.size // SECTOR:
        raise IsoError(f"the directory {path or '/'} has {size} bytes at sector {extent}, which cannot be")
    state.bytes_read += size
    if state.bytes_read > min(MOST_DIRECTORY_BYTES, state.volume.size):
        raise IsoError("the ISO's directories are larger than the ISO")
    number = 0
    for sector in range(extent, extent + size // SECTOR):
        data = read_at(state.image, sector * SECTOR, SECTOR)
        at = 0
        while at < SECTOR and (length := data[at]):
            raw = data[at : at + length]
            if len(raw) != length or length < 34 or 33 + raw[32] > length:
                raise IsoError(f"the directory {path or '/'} is damaged at byte {sector * SECTOR + at}")
            yield _record(state, raw, sector * SECTOR + at, path, number)
            at += length
            number += 1
    state.records += number
    if number < 2 or state.records > MOST_RECORDS:
        raise IsoError(f"the directory {path or '/'} holds {number} records, where two at least and few enough must be")


def _record(state: _Walk, raw: bytes, place: int, path: str, number: int) -> tuple[Record, _Names]:
    extent, size, flags = both32(raw, 2), both32(raw, 10), raw[25]
    odd = any((raw[1], raw[26], raw[27]))
    identifier = raw[33 : 33 + raw[32]]
    if number == 0 and not path:
        state.skip = _sharing(raw) if state.tree.kind == "primary" else None
    if number < 2:
        role: Role = "parent" if number else "self"
        if identifier != bytes([number]) or not flags & FOLDER:
            raise IsoError(f"the directory {path or '/'} does not begin with its own record and its parent's")
        return Record(path or "/", role, place, len(raw), extent, size, flags, odd), _Names()
    names = _names(state, raw) if state.skip is not None else _Names()
    name = _plain_name(state, identifier, names.name)
    if not 0 < len(name) <= _LONGEST_NAME or name in {".", ".."} or "/" in name or "\0" in name:
        raise IsoError(f"the directory {path or '/'} holds a name that reaches elsewhere: {name[:80]!r}")
    role = "moved" if names.child else "entry"
    if role == "entry" and size and extent + -(-size // SECTOR) > state.volume.size // SECTOR:
        raise IsoError(f"{path}/{name} ends beyond the image: {size} bytes from sector {extent} on")
    link = names.link.decode(errors="surrogateescape")
    return Record(f"{path}/{name}", role, place, len(raw), extent, size, flags, odd, link), names


def _plain_name(state: _Walk, identifier: bytes, rock_ridge: bytes) -> str:
    if rock_ridge:
        return rock_ridge.decode(errors="surrogateescape")
    if state.tree.kind == "joliet":
        return identifier.decode("utf-16-be", errors="replace").partition(";")[0]
    return identifier.decode("latin-1").partition(";")[0].removesuffix(".")


def _sharing(raw: bytes) -> int | None:
    """What SUSP's SP field in the root's own record says to skip in all others (SUSP 5.3); None: there is none."""
    fields = raw[33 + raw[32] + (1 - raw[32] % 2) :] if len(raw) > 33 else b""
    return fields[6] if fields[:2] == b"SP" and len(fields) >= 7 and fields[4:6] == b"\xbe\xef" else None


def _names(state: _Walk, raw: bytes) -> _Names:
    """Rock Ridge's NM, CL and RE among the system use fields, continuation areas (CE) included."""
    found = _Names()
    area = raw[33 + raw[32] + (1 - raw[32] % 2) + (state.skip or 0) :]
    for _ in range(_MOST_CONTINUATIONS):
        further = None
        while len(area) >= 4:
            length = area[2]
            if not 4 <= length <= len(area):
                break
            mark, body = area[:2], area[4:length]
            if mark == b"NM" and body and not body[0] & 0x06:  # not "this directory", "the parent"
                found.name += body[1:]
            elif mark == b"SL":
                found.link += _link_parts(body[1:])
            elif mark == b"CL" and len(body) >= 8:
                found.child = both32(body, 0)
            elif mark == b"RE":
                found.relocated = True
            elif mark == b"CE" and len(body) >= 24:
                further = (both32(body, 0), both32(body, 8), both32(body, 16))
            elif mark == b"ST":
                break
            area = area[length:]
        if further is None:
            return found
        sector, offset, size = further
        if offset + size > SECTOR:
            raise IsoError(f"a continuation area of {size} bytes at sector {sector} leaves its sector")
        area = read_at(state.image, sector * SECTOR + offset, size)
    raise IsoError("a record's continuation areas do not end")


def _link_parts(parts: bytes) -> bytes:
    """The components in an SL field (RRIP 4.1.3), each with a slash behind unless it goes on."""
    found = b""
    while len(parts) >= 2 and len(parts) >= 2 + parts[1]:
        flags, text = parts[0], parts[2 : 2 + parts[1]]
        found += {0x02: b".", 0x04: b"..", 0x08: b""}.get(flags & 0x0E, text) + b"/" * (not flags & 1)
        parts = parts[2 + parts[1] :]
    return found


def _size_of(state: _Walk, extent: int) -> int:
    """A directory's size, from its own record."""
    raw = read_at(state.image, extent * SECTOR, 34)
    return both32(raw, 10)


def read_path_table(image: BinaryIO, tree: Descriptor, *, big: bool) -> Iterator[tuple[int, int]]:
    """Sector of each directory in the first path table of one byte order, and where that number stands in the image."""
    places = tree.tables.big if big else tree.tables.little
    if not places:
        raise IsoError(f"the {tree.kind} tree has no path table in one byte order")
    place = places[0]
    if tree.tables.size > _LARGEST_PATH_TABLE:
        raise IsoError("a path table is larger than any can be")
    data = read_at(image, place * SECTOR, tree.tables.size)
    at = 0
    while at + 8 <= len(data) and data[at]:
        yield struct.unpack_from(">L" if big else "<L", data, at + 2)[0], place * SECTOR + at
        at += 8 + data[at] + data[at] % 2
