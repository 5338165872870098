"""What lies where on an ISO image: one pass over all its records, tables and boot images."""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from builder.image.iso.boot import BootImage, read_catalog
from builder.image.iso.hybrid import Hybrid, read_hybrid
from builder.image.iso.records import MORE, Record, has_rock_ridge, walk
from builder.image.iso.volume import SECTOR, SYSTEM_AREA, IsoError, Kind, Volume, read_at, read_volume


class Row(NamedTuple):
    """One record, as much of it as moving needs: where it stands, where its file lies; `odd` ones cannot move."""

    extent: int
    size: int
    place: int
    folder: bool
    odd: bool = False


class Rows:
    """Rows by the hundred thousand in 30 bytes each: an image may be a Blu-ray's."""

    def __init__(self) -> None:
        self._numbers = array("Q")
        self._kinds = bytearray()

    def add(self, row: Row) -> None:
        """Keep one."""
        self._numbers.extend((row.extent, row.size, row.place))
        self._kinds.append(row.folder | row.odd << 1)

    def at(self, starts: Container[int]) -> Iterator[Row]:
        """Those whose file begins at one of these sectors."""
        for number, extent in enumerate(self._numbers[::3]):
            if extent in starts:
                size, place = self._numbers[3 * number + 1 : 3 * number + 3]
                yield Row(extent, size, place, bool(self._kinds[number] & 1), bool(self._kinds[number] & 2))

    def __iter__(self) -> Iterator[Row]:
        numbers = iter(self._numbers)
        for extent, size, place, kind in zip(numbers, numbers, numbers, self._kinds, strict=True):
            yield Row(extent, size, place, bool(kind & 1), bool(kind & 2))


@dataclass(slots=True)
class Contents:
    """`rows` are all records that have an extent; `found` the wanted ones, by tree and path, first piece of each."""

    volume: Volume
    hybrid: Hybrid
    images: tuple[BootImage, ...]
    rock_ridge: bool
    rows: Rows = field(default_factory=Rows)
    found: dict[Kind, dict[str, Record]] = field(default_factory=dict)
    split: set[str] = field(default_factory=set)  # paths of wanted files that consist of several extents

    @property
    def files(self) -> dict[str, Record]:
        """The wanted ones of the primary tree."""
        return self.found["primary"]


def sectors_of(size: int) -> int:
    """How many sectors hold this many bytes."""
    return -(-size // SECTOR)


def read_contents(image: BinaryIO, wanted: re.Pattern[str]) -> Contents:
    """Read everything; `wanted` paths, matched wholly, are kept by name. IsoError for an image that is not sane."""
    volume = read_volume(image)
    images = read_catalog(image, volume.catalog) if volume.catalog else ()
    contents = Contents(volume, read_hybrid(image), images, has_rock_ridge(image, volume))
    roots = set()
    for tree in volume.descriptors:
        named = contents.found.setdefault(tree.kind, {})
        if tree.root[0] in roots:
            continue  # an enhanced descriptor shares the primary's tree
        roots.add(tree.root[0])
        contents.rows.add(Row(*tree.root, tree.offset + 156, folder=True))
        for record in walk(image, volume, tree):
            _note(contents, named, record, wanted)
    return contents


def _note(contents: Contents, named: dict[str, Record], record: Record, wanted: re.Pattern[str]) -> None:
    if record.role == "moved":
        return
    if record.size:
        odd = record.odd or bool(record.flags & MORE) or record.path in contents.split
        contents.rows.add(Row(record.extent, record.size, record.place, record.is_folder, odd))
    if record.role == "entry" and wanted.fullmatch(record.path):
        if record.flags & MORE or record.path in named:
            contents.split.add(record.path)
        named.setdefault(record.path, record)


def check_shared(contents: Contents, sizes: Mapping[int, int]) -> None:
    """See that all that begins at these sectors has these bytes, as links change together; else IsoError."""
    for row in contents.rows.at(sizes):
        if row.size != sizes[row.extent]:
            raise IsoError(f"two files begin at sector {row.extent}, of {row.size} and of {sizes[row.extent]} bytes")


def names_at(image: BinaryIO, contents: Contents, starts: Collection[int]) -> dict[int, list[str]]:
    """The names of the files that begin at these sectors, hard links too, in the primary tree."""
    found: dict[int, list[str]] = {start: [] for start in starts}
    kept = [one for named in contents.found.values() for one in named.values() if one.size and one.extent in found]
    all_kept = len(kept) == sum(1 for _ in contents.rows.at(found))  # else there are names that nobody asked for
    for record in contents.files.values() if all_kept else walk(image, contents.volume, contents.volume.descriptors[0]):
        if record.role == "entry" and record.size and record.extent in found:
            found[record.extent].append(record.path)
    return {start: sorted(paths) for start, paths in found.items()}


def tables_of(contents: Contents) -> Iterator[tuple[int, int]]:
    """First sector and count of what is neither file nor directory: descriptors, path tables, boot catalogue."""
    yield 0, contents.volume.end
    if contents.volume.catalog:
        yield contents.volume.catalog, 1
    for tree in contents.volume.descriptors:
        for place in (*tree.tables.little, *tree.tables.big):
            yield place, sectors_of(tree.tables.size)


def holds_second_volume(image: BinaryIO, contents: Contents) -> bool:
    """Whether a partition that begins behind the image's first byte is an ISO volume of its own (-partition_offset)."""
    for partition in contents.hybrid.partitions:
        place = partition.start + SYSTEM_AREA
        behind = contents.volume.end * SECTOR <= place < contents.volume.size - SECTOR
        if behind and read_at(image, place + 1, 5) == b"CD001":
            return True
    return False
