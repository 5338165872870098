"""A further entry in a directory of an ISO image, made after the model of one that is there."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from builder.image.iso.volume import SECTOR, IsoError, pack_both32

_HEAD = 33  # of a directory record, up to its identifier (ECMA-119 9.1)


def with_entry(directory: bytes, model: bytes, name: str) -> bytes:
    """The directory with a record `name` beside the record `model`, which it resembles in all else.

    Names are ASCII, 8.3 at most. The result is a multiple of 2048 bytes, maybe longer. IsoError where the model's
    Rock Ridge fields go on elsewhere.
    """
    entry = _renamed(model, name)
    records = [*_records(directory), entry]
    ordered = records[:2] + sorted(records[2:], key=_order)
    sectors = [b""]
    for record in ordered:
        if len(sectors[-1]) + len(record) > SECTOR:
            sectors.append(b"")
        sectors[-1] += record
    data = b"".join(sector.ljust(SECTOR, b"\0") for sector in sectors)
    return data.ljust(len(directory), b"\0")


def _records(directory: bytes) -> Iterator[bytes]:
    for sector in range(0, len(directory), SECTOR):
        at = sector
        while at < sector + SECTOR and directory[at]:
            yield directory[at : at + directory[at]]
            at += directory[at]


def _order(record: bytes) -> tuple[bytes, bytes]:
    """By name, then extension, both padded with blanks (ECMA-119 9.3)."""
    identifier = record[_HEAD : _HEAD + record[32]].partition(b";")[0]
    stem, _, extension = identifier.partition(b".")
    return stem.ljust(64), extension.ljust(64)


def _renamed(model: bytes, name: str) -> bytes:
    """A copy of the record under another name: upper case in ISO 9660, UCS-2 in Joliet, as it is in Rock Ridge."""
    length = model[32]
    old = model[_HEAD : _HEAD + length]
    wide = old[:1] == b"\0"
    identifier = name.encode("utf-16-be") if wide else name.upper().encode()
    if (version := ";1".encode("utf-16-be" if wide else "ascii")) == old[-len(version) :]:
        identifier += version
    system_use = b"".join(_fields(model[_HEAD + length + (1 - length % 2) :], name))
    padded = identifier + bytes(1 - len(identifier) % 2)
    record = model[:32] + bytes([len(identifier)]) + padded + system_use
    record += bytes(len(record) % 2)
    if len(record) > 255:
        raise IsoError(f"no record holds the name {name!r}")
    return bytes([len(record)]) + record[1:]


def _fields(area: bytes, name: str) -> Iterator[bytes]:
    """Rock Ridge's fields: the name changed, one link, the rest as it is."""
    while len(area) >= 4 and 4 <= area[2] <= len(area):
        field, area = area[: area[2]], area[area[2] :]
        match field[:2]:
            case b"CE":
                raise IsoError("the initrd's Rock Ridge fields go on elsewhere")
            case b"NM":
                yield struct.pack("2sBBB", b"NM", 5 + len(name), 1, 0) + name.encode()
            case b"PX":  # mode, links, owner, group, and with RRIP 1.12 a serial number, by which links are told
                yield field[:12] + pack_both32(1) + field[20:36] + bytes(len(field) - 36)
            case _:
                yield field
