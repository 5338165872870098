"""Decides how an installer ISO is repacked: which bytes of the new image come from where, and what is written anew.

The initrds get our segment in front, the menus their block, md5sum.txt its digests. What an initrd was before follows
the segment, on a sector of its own, so that a further directory entry shows it whole: the menu's way around us.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from builder.image import initrd
from builder.image.iso import menus, sums
from builder.image.iso.contents import Contents, check_shared, names_at, read_contents
from builder.image.iso.directory import with_entry
from builder.image.iso.hybrid import Write
from builder.image.iso.menus import Menu
from builder.image.iso.plan import Copy, NeedsFullRewriteError, Placement, copies, patches, place
from builder.image.iso.records import Record
from builder.image.iso.volume import SECTOR, IsoError, Kind, pack_both32, read_at

# debian-cd's and mini.iso's places; text, GTK and Xen
INITRD = re.compile(r"(?P<folder>(?:/install(?:\.[a-z0-9]+)?)?)(?P<kind>/gtk|/xen|)/initrd\.gz")
KERNELS = ("vmlinuz", "linux")
ORIGINAL = "original.gz"
LARGEST_MENU = 1 << 20
_LARGEST_FILE = (1 << 32) - 1
MOST_INITRDS = 48  # each is unpacked to be looked at
WANTED = re.compile(
    rf"{INITRD.pattern}|(?:/install(?:\.[a-z0-9]+)?)?(?:/(?:vmlinuz|linux|{re.escape(ORIGINAL)}))?"
    rf"|{'|'.join(map(re.escape, [*menus.CONFIGS, sums.PATH]))}|/\.disk/info|/dists/[a-z]+"
)
# Which of several installers the menus start; then whatever there is
_FOLDERS = {"amd64": ("/install.amd", ""), "arm64": ("/install.a64", ""), "i386": ("/install.386", "")}


@dataclass(frozen=True, slots=True)
class Order:
    """What to put in: the segment for all initrds; for the menus a delay in seconds and kernel arguments.

    `arguments` are the unattended entry's, `shared` both entries'. An image that holds other suites alone is refused.
    """

    front: bytes
    delay: int
    arch: str = "amd64"
    guest: str = ""
    arguments: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    suite: str = ""


@dataclass(frozen=True, slots=True)
class NewFile:
    """An initrd under all its names, and where it lies in the new image."""

    paths: tuple[str, ...]
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Sums:
    """md5sum.txt of the new image at byte `offset`; `places` tells where digests of which files go."""

    offset: int
    text: bytes
    places: Mapping[int, str]
    known: Mapping[str, str]


@dataclass(slots=True)
class Layout:
    """The new image: `size` bytes, zeros but for the copies, and the writes over them in order."""

    size: int
    copies: list[Copy]
    writes: list[Write]
    initrds: list[NewFile] = field(default_factory=list)
    sums: Sums | None = None
    moved: int = 0  # files that made room
    added: int = 0  # bytes that the image grew by


@dataclass(slots=True)
class _Draft:
    """Files that change, by first sector: bytes in front, and how much of the old file is left out there."""

    contents: Contents
    old: dict[int, int] = field(default_factory=dict)  # what they have now, in bytes
    sizes: dict[int, int] = field(default_factory=dict)
    fresh: dict[int, bytes] = field(default_factory=dict)
    skipped: dict[int, int] = field(default_factory=dict)  # initrds: bytes of an earlier segment
    paths: dict[int, list[str]] = field(default_factory=dict)  # all names of what changes


class _Listed(NamedTuple):
    """md5sum.txt as it was, and where the digests of what changes stand in it."""

    record: Record
    text: bytes
    places: Mapping[int, str]


@dataclass(slots=True)
class _Original:
    """What shows the initrd at `base` without our segment: records, or directories (sector, size, initrd's record)."""

    base: Record
    aliases: list[Record] = field(default_factory=list)
    folders: list[tuple[int, int, bytes]] = field(default_factory=list)


def plan_repack(image: BinaryIO, order: Order) -> Layout:
    """Lay out the image with `order` carried out.

    Raises NeedsFullRewriteError where patching cannot do it, IsoError where this is no installer of Debian's,
    BuilderError for an initrd whose front is damaged.
    """
    contents = read_contents(image, WANTED)
    draft = _Draft(contents)
    _check_suite(contents, order)
    for record in find_initrds(contents).values():
        _draft_initrd(image, draft, record, order.front)
    menu = choose_menu(contents, order)
    _draft_menus(image, draft, menu)
    draft.paths = names_at(image, contents, draft.sizes)
    listed = _draft_sums(image, draft)
    check_shared(contents, draft.old)
    original = _draft_original(image, draft, menu)
    ignored = [record.place for record in original.aliases]
    placement = place(image, contents, draft.sizes, ignored=ignored)
    return _laid_out(image, draft, placement, listed, original)


def find_initrds(contents: Contents) -> dict[str, Record]:
    """The initrds of all installers on the image by path; IsoError when there is none, or one that cannot be."""
    if not contents.rock_ridge:
        raise IsoError("the ISO has no Rock Ridge names, so Debian did not make it")
    found = {path: record for path, record in contents.files.items() if INITRD.fullmatch(path)}
    if not found:
        raise IsoError("the ISO has no installer of Debian's: there is neither /install.*/initrd.gz nor /initrd.gz")
    if len(found) > MOST_INITRDS:
        raise IsoError(f"the ISO has {len(found)} initrds, more than Debian has architectures and kinds")
    for path, record in found.items():
        if record.is_folder or record.size < initrd.HEAD:
            raise IsoError(f"{path} is no initrd")
    return found


def _check_suite(contents: Contents, order: Order) -> None:
    """A netinst holds packages of its own suite, and no other can be installed from it; mini.iso holds none."""
    suites = [
        path.rpartition("/")[2] for path, one in contents.files.items() if one.is_folder and path.startswith("/dists/")
    ]
    if order.suite and suites and order.suite not in suites:
        raise IsoError(
            f"the ISO holds {', '.join(suites)}, and {order.guest} is {order.suite}", "take that suite's ISO"
        )


def _check_piece(contents: Contents, record: Record) -> None:
    """A file to be changed is one piece, and the same in all trees."""
    if record.path in contents.split or record.odd:
        raise NeedsFullRewriteError(f"{record.path} is in several pieces")
    for tree, named in contents.found.items():
        if tree != "enhanced" and record.path in named and named[record.path].extent != record.extent:
            raise NeedsFullRewriteError(f"{record.path} is another file in the {tree} tree")


def _claim(draft: _Draft, record: Record) -> None:
    """Note that a file changes, which is none of the others that do."""
    _check_piece(draft.contents, record)
    if record.extent in draft.old:
        raise IsoError(f"{record.path} shares its sectors with another file that is to change")
    draft.old[record.extent] = record.size


def _draft_initrd(image: BinaryIO, draft: _Draft, record: Record, front: bytes) -> None:
    _check_piece(draft.contents, record)
    head = read_at(image, record.extent * SECTOR, initrd.HEAD)
    skip = initrd.front_length(head)
    if skip + 6 > record.size:
        raise IsoError(f"{record.path} has a segment of {skip} bytes in front and only {record.size} in all")
    start = read_at(image, record.extent * SECTOR + skip, 6)
    if not initrd.compression_of(start):
        raise IsoError(f"{record.path} is no initrd: it starts with nothing the kernel unpacks")
    draft.old[record.extent] = record.size
    draft.skipped[record.extent] = skip
    draft.fresh[record.extent] = front
    draft.sizes[record.extent] = len(front) + record.size - skip
    if draft.sizes[record.extent] > _LARGEST_FILE:
        raise IsoError(f"{record.path} would be larger than a file on an ISO can be in one piece")


def choose_menu(contents: Contents, order: Order) -> Menu:
    """Kernel and initrd that the menus start: the architecture's own if there, in text mode."""
    files = contents.files
    there = [match["folder"] for path in files if (match := INITRD.fullmatch(path)) and not match["kind"]]
    for folder in (*_FOLDERS.get(order.arch, ()), *sorted(there)):
        kernel = next((f"{folder}/{name}" for name in KERNELS if f"{folder}/{name}" in files), None)
        if kernel and folder in there:
            shared = (*(() if folder == "/install.a64" else ("vga=788",)), *order.shared)
            paths = (kernel, f"{folder}/initrd.gz", f"{folder}/{ORIGINAL}")
            return Menu(*paths, order.delay, order.guest, order.arguments, shared)
    raise IsoError("the ISO has no kernel beside its initrd")


def _draft_menus(image: BinaryIO, draft: _Draft, menu: Menu) -> None:
    for record, data in new_menus(image, draft.contents, menu):
        _claim(draft, record)
        if not record.size:
            raise NeedsFullRewriteError(f"{record.path} is empty")
        draft.fresh[record.extent] = data
        draft.sizes[record.extent] = len(data)


def new_menus(image: BinaryIO, contents: Contents, menu: Menu) -> Iterator[tuple[Record, bytes]]:
    """The menus' files, and what they are to become; IsoError when there is none, or one that cannot be."""
    found = [(path, contents.files[path]) for path in menus.CONFIGS if path in contents.files]
    if not found:
        raise IsoError(f"the ISO has no boot menu that is known: looked for {', '.join(menus.CONFIGS)}")
    for path, record in found:
        if record.size > LARGEST_MENU or record.is_folder:
            raise IsoError(f"{path} is no boot menu: it has {record.size} bytes")
        text = read_at(image, record.extent * SECTOR, record.size).decode("latin-1")
        yield record, menus.with_block(text, menus.CONFIGS[path], menu).encode("latin-1")


def _draft_sums(image: BinaryIO, draft: _Draft) -> _Listed | None:
    """md5sum.txt with the lines of what changes; None without such a file or line."""
    record = draft.contents.files.get(sums.PATH)
    if record is None or record.is_folder:
        return None
    if record.size > sums.LARGEST:
        raise IsoError(f"{sums.PATH} has {record.size} bytes, more than any ISO needs")
    text = read_at(image, record.extent * SECTOR, record.size)
    changed = {path for paths in draft.paths.values() for path in paths}
    places = sums.places_of(text, changed)
    if not places:
        return None
    _claim(draft, record)
    draft.fresh[record.extent] = text
    draft.sizes[record.extent] = record.size
    return _Listed(record, text, places)


def _draft_original(image: BinaryIO, draft: _Draft, menu: Menu) -> _Original:
    """See to records that show the text initrd's own bytes: those of an earlier repack, else directories get one."""
    contents = draft.contents
    original = _Original(contents.files[menu.initrd])
    base = original.base
    for kind, named in contents.found.items():
        if menu.initrd not in named:
            continue
        if (alias := named.get(menu.original)) is not None:
            skip = draft.skipped[base.extent]
            if not skip or alias.size != base.size - skip:
                raise IsoError(f"the ISO has a file {menu.original} of its own", "rename it, or take Debian's ISO")
            if alias.extent == base.extent + skip // SECTOR:
                original.aliases.append(alias)  # else a copy, as a full rewrite makes it
            continue
        extent, size = _folder_of(contents, kind, menu.original)
        model = read_at(image, named[menu.initrd].place, named[menu.initrd].length)
        draft.sizes[extent] = len(with_entry(read_at(image, extent * SECTOR, size), model, ORIGINAL))
        original.folders.append((extent, size, model))
    return original


def _folder_of(contents: Contents, kind: Kind, path: str) -> tuple[int, int]:
    """Sector and size of the directory that holds `path`."""
    folder = path.rpartition("/")[0]
    if folder:
        record = contents.found[kind][folder]
        return record.extent, record.size
    return next(tree.root for tree in contents.volume.descriptors if tree.kind == kind)


def _laid_out(
    image: BinaryIO, draft: _Draft, placement: Placement, listed: _Listed | None, original: _Original
) -> Layout:
    contents = draft.contents
    layout = Layout(
        contents.volume.size + placement.growth * SECTOR,
        copies(placement, contents.volume.size),
        patches(image, contents, placement, draft.sizes),
        added=placement.growth * SECTOR,
        moved=len(placement.kept),
    )
    _lay_original(image, draft, placement, layout, original)
    for start, data in draft.fresh.items():
        offset, size = placement.moved[start] * SECTOR, draft.sizes[start]
        layout.writes.append((offset, data))
        if (skip := draft.skipped.get(start)) is not None:
            layout.copies.append(Copy(start * SECTOR + skip, offset + len(data), size - len(data)))
            layout.initrds.append(NewFile(tuple(draft.paths[start]), offset, size))
    if listed:
        known = {
            path: sums.md5(data)
            for start, data in draft.fresh.items()
            if start not in draft.skipped
            for path in draft.paths.get(start, ())
        }
        layout.sums = Sums(placement.moved[listed.record.extent] * SECTOR, listed.text, listed.places, known)
    layout.copies.sort(key=lambda copy: copy.target)
    return layout


def _lay_original(image: BinaryIO, draft: _Draft, placement: Placement, layout: Layout, original: _Original) -> None:
    """The records that show the text initrd without our segment."""
    base = original.base
    skip, front = draft.skipped[base.extent], len(draft.fresh[base.extent])
    shown = pack_both32(placement.moved[base.extent] + front // SECTOR) + pack_both32(base.size - skip)
    layout.writes += [(placement.new_place(alias.place + 2), shown) for alias in original.aliases]
    for extent, size, model in original.folders:
        start = placement.moved[extent] * SECTOR
        directory = bytearray(read_at(image, extent * SECTOR, size))
        for place_, data in layout.writes:
            if start <= place_ < start + size:
                directory[place_ - start : place_ - start + len(data)] = data
        layout.writes.append((start, with_entry(bytes(directory), model[:2] + shown + model[18:], ORIGINAL)))
