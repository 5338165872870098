"""Whether an ISO image is sound: what its descriptors, tables and boot records say of it and of each other.

Everything is looked at, each wrong thing is a finding; what cannot even be read is one, too.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from builder.findings import Finding
from builder.image import cpio, initrd
from builder.image.iso import menus, sums
from builder.image.iso.boot import BIOS, UEFI, BootImage, InfoTable, boot_sum, find_image, read_info_table
from builder.image.iso.contents import Contents, read_contents, sectors_of, tables_of
from builder.image.iso.hybrid import LBA, gpt_partitions, wants_isolinux_word
from builder.image.iso.records import MORE, Record, read_path_table, walk
from builder.image.iso.repack import INITRD, MOST_INITRDS, ORIGINAL
from builder.image.iso.volume import SECTOR, IsoError, read_at

_WANTED = re.compile(
    rf"{INITRD.pattern}|(?:/install(?:\.[a-z0-9]+)?)?/{re.escape(ORIGINAL)}"
    rf"|{'|'.join(map(re.escape, [*menus.CONFIGS, sums.PATH]))}|/\.disk/info"
)
_LARGEST_BOOT_IMAGE = 1 << 20  # isolinux.bin has 40 KiB
_SHOWN = 5
_MOST_TIMES = 4  # the same bytes may be read, under several names
Span = tuple[int, int]
_TRUNCATED = "fetch the ISO again, or make it anew from Debian's"


@dataclass(frozen=True, slots=True)
class Check:
    """A line of the table: what was looked at, what is there, and what is wrong with it."""

    what: str
    detail: str
    findings: tuple[Finding, ...] = ()
    there: bool = True


class Carried(NamedTuple):
    """An initrd on the image; `front` bytes are a segment of ours, in which the preseed has this SHA-256."""

    record: Record
    front: int
    names: tuple[str, ...]
    preseed: str


def examine(image: BinaryIO) -> tuple[tuple[Check, ...], Contents | None]:
    """Look at the structure; Contents are None where the image cannot be read, which the only check then says."""
    try:
        contents = read_contents(image, _WANTED)
        checks = tuple(look(image, contents) for look in _LOOKS)
    except IsoError as error:
        return (Check("image", "cannot be read", (Finding("I200", error.message, error.hint),)),), None
    return checks, contents


def _volume(_image: BinaryIO, contents: Contents) -> Check:
    volume = contents.volume
    found = [
        Finding(
            "I201",
            f"the {tree.kind} descriptor tells of {tree.sectors} sectors, the first of {volume.sectors}",
            _TRUNCATED,
        )
        for tree in volume.descriptors
        if tree.sectors != volume.sectors
    ]
    more = [tree.kind.capitalize() for tree in volume.descriptors[1:]]
    kinds = ", ".join(["ISO 9660", *["Rock Ridge"] * contents.rock_ridge, *more, *["UDF"] * volume.udf])
    return Check("volume", f"{volume.label}: {volume.sectors} sectors; {kinds}", tuple(found))


def _directories(_image: BinaryIO, contents: Contents) -> Check:
    """Files may share all their sectors (links), or one be the end of an initrd of ours; else they lie apart."""
    ends = {one.extent + sectors_of(one.size) for path, one in contents.files.items() if path.endswith(ORIGINAL)}
    # one number each, so that a hundred thousand can be sorted: first sector, sectors, kind
    used = [row.extent << 34 | sectors_of(row.size) << 2 | row.folder for row in contents.rows]
    used += [start << 34 | count << 2 | 2 for start, count in tables_of(contents)]
    used.sort()
    found: list[Finding] = []
    counts, seen, reach = [0, 0, 0], -1, (0, 0)
    for one in used:
        start, end = one >> 34, (one >> 34) + ((one & (1 << 34) - 1) >> 2)
        counts[one & 3] += start != seen
        seen = start
        if start < reach[1] and (start, end) != reach and not (end == reach[1] and end in ends):
            found.append(Finding("I203", f"what lies at sectors {reach[0]} and {start} overlaps", _TRUNCATED))
        if end > contents.volume.sectors:
            found.append(Finding("I203", f"what lies at sector {start} ends beyond the volume", _TRUNCATED))
        reach = (start, end) if end >= reach[1] else reach
    return Check("directories", f"{counts[1]} directories, {counts[0]} files", tuple(found[:_SHOWN]))


def _path_tables(image: BinaryIO, contents: Contents) -> Check:
    found: list[Finding] = []
    folders = {row.extent for row in contents.rows if row.folder}
    count = 0
    for tree in contents.volume.descriptors:
        little = array("L", (sector for sector, _ in read_path_table(image, tree, big=False)))
        big = array("L", (sector for sector, _ in read_path_table(image, tree, big=True)))
        count += len(little)
        if little != big:
            found.append(Finding("I202", f"the two {tree.kind} path tables differ", _TRUNCATED))
        if strays := [sector for sector in little if sector not in folders]:
            found.append(
                Finding("I202", f"a {tree.kind} path table names sector {strays[0]}, no directory's", _TRUNCATED)
            )
    return Check("path tables", f"{count} directories", tuple(found))


def _el_torito(image: BinaryIO, contents: Contents) -> Check:
    sectors = {one.sector for one in contents.images}
    sizes = {row.extent: row.size for row in contents.rows.at(sectors) if not row.folder}
    found: list[Finding] = []
    for one in contents.images:
        size = sizes.get(one.sector, one.count * LBA)
        if one.bootable and (
            one.sector * SECTOR + max(size, LBA) > contents.volume.size or one.sector < contents.volume.end
        ):
            found.append(
                Finding("I204", f"the {one.name} boot image begins at sector {one.sector}, where none is", _TRUNCATED)
            )
        elif one.platform == UEFI and not _is_fat(image, one.sector * SECTOR):
            found.append(
                Finding("I204", f"the UEFI boot image at sector {one.sector} is no FAT file system", _TRUNCATED)
            )
        elif one.platform == BIOS and one.sector in sizes:
            found += _info_table(image, one, size)
    detail = ", ".join(f"{one.name} at sector {one.sector}" for one in contents.images) or "none"
    return Check("El Torito", detail, tuple(found), there=bool(contents.images))


def _is_fat(image: BinaryIO, offset: int) -> bool:
    """Whether a FAT's boot sector stands there (Microsoft, FAT 1.03: a jump in front, 55 AA at its end)."""
    image.seek(offset)
    sector = image.read(512)
    return sector[:1] in {b"\xeb", b"\xe9"} and sector[510:] == b"\x55\xaa"


def _info_table(image: BinaryIO, one: BootImage, size: int) -> Iterator[Finding]:
    if size > _LARGEST_BOOT_IMAGE or size < 64:
        return
    data = read_at(image, one.sector * SECTOR, size)
    table = read_info_table(data)
    if table and table != InfoTable(16, one.sector, size, boot_sum(data)):
        yield Finding(
            "I205", f"the boot information table in the BIOS image at sector {one.sector} is wrong", _TRUNCATED
        )


def _mbr(image: BinaryIO, contents: Contents) -> Check:
    hybrid = contents.hybrid
    found = list(_outside("MBR", [(one.number, one.start, one.end) for one in hybrid.mbr], contents))
    for one in hybrid.mbr:
        if one.kind == "ef" and one.end <= contents.volume.size and not _is_fat(image, one.start):
            found.append(Finding("I209", f"MBR partition {one.number} is for EFI, and no FAT file system", _TRUNCATED))
    bios = find_image(contents.images, BIOS)
    if bios and hybrid.mbr and hybrid.isolinux is not None:
        head = read_at(image, bios.sector * SECTOR, 68)
        if wants_isolinux_word(head) and hybrid.isolinux != bios.sector * SECTOR // LBA:
            text = f"the MBR starts isolinux at block {hybrid.isolinux}, which lies at {bios.sector * SECTOR // LBA}"
            found.append(Finding("I206", text, _TRUNCATED))
    detail = ", ".join(f"{one.number}: {one.kind}" for one in hybrid.mbr) or "none"
    return Check("MBR", detail, tuple(found), there=bool(hybrid.mbr))


def _outside(scheme: str, partitions: list[tuple[int, int, int]], contents: Contents) -> Iterator[Finding]:
    for number, start, end in partitions:
        if end > contents.volume.size or start >= end:
            yield Finding("I207", f"{scheme} partition {number} ends beyond the image, or before it begins", _TRUNCATED)


def _gpt(_image: BinaryIO, contents: Contents) -> Check:
    primary, backup = contents.hybrid.primary, contents.hybrid.backup
    if primary is None:
        return Check("GPT", "none", there=False)
    entries = [(one.number, one.start, one.end) for one in gpt_partitions(primary)]
    found = list(_outside("GPT", entries, contents))
    if not primary.sound:
        found.append(Finding("I208", "the GPT has a wrong CRC", _TRUNCATED))
    if backup is None:
        found.append(
            Finding("I208", f"there is no backup GPT at block {primary.other}, where it should be", _TRUNCATED)
        )
    elif not backup.sound or backup.other != primary.at:
        found.append(Finding("I208", "the backup GPT has a wrong CRC, or belongs to another", _TRUNCATED))
    elif (backup.array, backup.first, backup.last) != (primary.array, primary.first, primary.last):
        found.append(Finding("I208", "the two GPTs differ", _TRUNCATED))
    detail = f"{len(entries)} partitions, backup at block {primary.other}"
    return Check("GPT", detail, tuple(found))


def _apm(_image: BinaryIO, contents: Contents) -> Check:
    entries = contents.hybrid.apm
    found = tuple(_outside("Apple", [(one.number, one.start, one.end) for one in entries], contents))
    return Check("Apple map", f"{len(entries)} partitions" if entries else "none", found, there=bool(entries))


def _menus(image: BinaryIO, contents: Contents) -> Check:
    """Where one menu starts an installation by itself, all do, and what they start is there."""
    texts = {
        path: read_at(image, record.extent * SECTOR, min(record.size, 1 << 20)).decode("latin-1")
        for path, record in contents.files.items()
        if path in menus.CONFIGS and not record.is_folder
    }
    ours = [path for path, text in texts.items() if menus.has_block(text)]
    found: tuple[Finding, ...] = ()
    if ours and len(ours) < len(texts):
        found = (
            Finding("I215", f"{ours[0]} starts by itself, and {min(texts.keys() - ours)} does not", "repack it again"),
        )
    detail = f"{', '.join(texts)}: {'starts by itself' if ours else 'waits for a choice'}" if texts else "none"
    return Check("menus", detail, found, there=bool(texts))


_LOOKS: tuple[Callable[[BinaryIO, Contents], Check], ...] = (
    _volume,
    _directories,
    _path_tables,
    _el_torito,
    _mbr,
    _gpt,
    _apm,
    _menus,
)


def read_digests(image: BinaryIO, contents: Contents) -> dict[str, bytes] | None:
    """What md5sum.txt says, by path; None without such a file. IsoError for an odd one, or two digests of one file."""
    record = contents.files.get(sums.PATH)
    if record is None or record.is_folder:
        return None
    if record.size > sums.LARGEST:
        raise IsoError(f"{sums.PATH} has {record.size} bytes, more than any ISO needs")
    found: dict[str, bytes] = {}
    for line in sums.read_sums(read_at(image, record.extent * SECTOR, record.size)):
        digest = bytes.fromhex(line.digest)
        if found.setdefault(line.path, digest) != digest:
            raise IsoError(f"{sums.PATH} has two digests of {line.path}")
    return found


def find_files(image: BinaryIO, contents: Contents, paths: Container[str]) -> Iterator[tuple[str, list[Span]]]:
    """Path and stretches (offset, size) in the image of each of these files that is there.

    IsoError where they are more than the image could hold but for a few links: reading them would not end soon.
    """
    pieces: list[Span] = []
    left = contents.volume.size * _MOST_TIMES
    for one in walk(image, contents.volume, contents.volume.descriptors[0]):
        if one.role == "entry" and not one.is_folder and one.path in paths:
            pieces.append((one.extent * SECTOR, one.size))
            left -= one.size
            if left < 0:
                raise IsoError("the ISO's files are many times as large as the ISO")
            if not one.flags & MORE:
                yield one.path, pieces
                pieces = []


def read_carried(image: BinaryIO, contents: Contents) -> list[Carried]:
    """Every initrd with what our segment in it holds; BuilderError for a damaged segment."""
    found = []
    if sum(INITRD.fullmatch(path) is not None for path in contents.files) > MOST_INITRDS:
        raise IsoError("the ISO has more initrds than Debian has architectures and kinds")
    for path, record in sorted(contents.files.items()):
        if not INITRD.fullmatch(path) or record.is_folder:
            continue
        start = record.extent * SECTOR
        front = initrd.front_length(read_at(image, start, min(record.size, initrd.HEAD)))
        if front > record.size:
            raise IsoError(f"{path} has a segment of {front} bytes in front and only {record.size} in all")
        found.append(_carried(image, record, front))
    return found


def _carried(image: BinaryIO, record: Record, front: int) -> Carried:
    """List what is in front, and take the preseed's digest."""
    if not front:
        return Carried(record, 0, (), "")
    names: list[str] = []
    digest = ""
    reader = _Reader(image, record.extent * SECTOR, front)
    for entry in cpio.read_newc(reader, lambda entry: entry.name == initrd.PRESEED):
        names.append(entry.name)
        if entry.name == initrd.PRESEED:
            digest = hashlib.sha256(entry.data).hexdigest()
    return Carried(record, front, tuple(names), digest)


class _Reader:
    """A stretch of the image as a stream."""

    def __init__(self, image: BinaryIO, offset: int, size: int) -> None:
        self._image, self._at, self._end = image, offset, offset + size

    def read(self, size: int, /) -> bytes:
        self._image.seek(self._at)
        data = self._image.read(min(size, self._end - self._at))
        self._at += len(data)
        return data


def check_carried(carried: list[Carried]) -> Check:
    """All initrds have the same preseed, or none has one."""
    with_preseed = [one for one in carried if one.preseed]
    found: tuple[Finding, ...] = ()
    if with_preseed and (len(with_preseed) < len(carried) or len({one.preseed for one in carried}) > 1):
        other = next(one for one in carried if one.preseed != with_preseed[0].preseed)
        what = "another preseed" if other.preseed else "no preseed"
        text = f"{with_preseed[0].record.path} has a preseed in front, and {other.record.path} {what}"
        found = (Finding("I212", text, "repack it again"),)
    if with_preseed:
        detail = f"{len(with_preseed)} of {len(carried)} initrds carry it, SHA-256 {with_preseed[0].preseed[:16]}..."
    else:
        detail = f"none in {len(carried)} initrds" if carried else "no initrd"
    return Check("preseed", detail, found, there=bool(with_preseed))
