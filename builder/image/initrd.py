"""The initrd: our files in one segment in FRONT of the untouched base, and what can be read from a base.

Uncompressed newc in front of gzip is right on every Xen: what starts with cpio magic is handed to the guest as it
is, while libxenguest up to 4.19 gunzips what starts with gzip magic and drops further members.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Findings
from builder.image import cpio

ALIGNMENT = 4096  # the block size of XFS and btrfs: what follows can be cloned instead of copied
PRESEED = "preseed.cfg"  # read by d-i's S30initrd-preseed
# The first member of a segment of ours tells its version and length. It is seen as /.domu in the installer.
MARKER = ".domu"
_MARK = re.compile(rb"domu initrd segment, version (?P<version>[0-9]{1,4}), (?P<length>[0-9]{10}) bytes\n")
_MARK_TEXT = "domu initrd segment, version 1, {:010} bytes\n"
VERSION = 1
DAMAGED = "start again from the installer's own initrd"
HEAD = 512  # bytes that front_length needs
# rootskel's /init mounts the first four before the installer starts, partman the new system on the last.
MOUNTED = ("dev", "proc", "run", "sys", "target")
COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"]\0\0": "lzma",
    b"BZh": "bzip2",
    b"\x02\x21\x4c\x18": "lz4",
}
_MODULES = re.compile(r"(?:usr/)?lib/modules/(?P<abi>[^/]+)(?:/|$)")


@dataclass(frozen=True, slots=True)
class InitrdPayload:
    """A file that travels in front; `mode` is its permissions in the installer."""

    data: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class InitrdFacts:
    """What a base initrd holds; paths without leading slash. `dpkg_status` lists the udebs in it."""

    kernel_abis: tuple[str, ...]
    dpkg_status: str
    names: frozenset[str]
    folders: frozenset[str] = frozenset()

    @property
    def has_preseed(self) -> bool:
        """Whether the base has a preseed.cfg of its own, which would win over ours."""
        return PRESEED in self.names


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of an initrd: `kind` is domu, cpio, or a compression; entries only where it is not compressed."""

    kind: str
    offset: int
    size: int
    entries: tuple[cpio.Entry, ...] = ()


def segment(files: Mapping[str, InitrdPayload]) -> bytes:
    """The segment that holds `files` (by path in the installer), a multiple of 4096 bytes; same files, same bytes.

    Raises RefusalError for paths that no base can take; `check_files` looks at a given base.
    """
    findings = check_names(files)
    if findings.errors:
        raise RefusalError("these files cannot travel in the initrd", findings.errors)
    members = [
        cpio.Entry(name.strip("/"), payload.data, cpio.FILE | payload.mode & 0o7777) for name, payload in files.items()
    ]
    parts = cpio.with_parents(members)
    length = len(cpio.write_newc([_marker(0), *parts]))
    length += -length % ALIGNMENT
    archive = cpio.write_newc([_marker(length), *parts])
    return archive.ljust(length, b"\0")


def _marker(length: int) -> cpio.Entry:
    return cpio.Entry(MARKER, _MARK_TEXT.format(length).encode(), cpio.FILE | 0o444)


def front_length(head: bytes) -> int:
    """How many bytes at the start of an initrd are a segment of ours, told from its first 512; 0 when none is.

    Somebody else's archive in front (CPU microcode) is part of the base. BuilderError for a segment that
    is ours but damaged, or of a version that is not known.
    """
    try:
        entry = next(cpio.read_newc(io.BytesIO(head)), None)
    except cpio.CpioError:
        return 0
    if entry is None or entry.name != MARKER:
        return 0
    match = _MARK.fullmatch(entry.data)
    length = int(match["length"]) if match else 0
    if match is None or length == 0 or length % ALIGNMENT:
        raise BuilderError("the segment in front is domu's but damaged", DAMAGED)
    if int(match["version"]) != VERSION:
        raise BuilderError(
            f"the segment in front was made by another domu (version {int(match['version'])} of the format)",
            f"{DAMAGED}, or use that domu",
        )
    return length


def check_names(names: Collection[str]) -> Findings:
    """What is wrong with these paths whatever the base is."""
    findings = Findings()
    taken = {name.strip("/") for name in names}
    for name in names:
        parts = name.strip("/").split("/")
        if any(part in {"", ".", ".."} for part in parts) or not name.isprintable() or len(name.encode()) > 1024:
            findings.add(Finding("I101", f"{name!r} is no path for a file", "write it absolute and plain: /domu/name"))
        elif parts[0] == MARKER:
            findings.add(Finding("I102", f"/{MARKER} is where domu marks its segment", "choose another path"))
        elif parts[0] in MOUNTED:
            hint = "put it below /domu; a late command can copy it to /target from there"
            findings.add(Finding("I103", f"{name} would be hidden: the installer mounts /{parts[0]} over it", hint))
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if above in taken:
                findings.add(Finding("I104", f"{name} needs a folder where /{above} is a file", "rename one of them"))
    if len(taken) < len(names):
        findings.add(Finding("I104", "one path is given twice, with and without slash", "rename one of them"))
    return findings


def check_files(names: Collection[str], base: InitrdFacts) -> Findings:
    """What keeps these files from arriving: the base is unpacked after them, and what it holds wins."""
    findings = check_names(names)
    for name in names:
        path = name.strip("/")
        if path in base.names:
            hint = "choose a path that the installer does not have, such as below /domu"
            findings.add(Finding("I105", f"/{path} is in the base initrd, and the base's wins", hint))
        parts = path.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if above in base.names - base.folders:
                # Measured with trixie's: a folder /lib in front keeps the kernel from making the link, init
                # finds no libraries, "Kernel panic - not syncing: Attempted to kill init!".
                hint = "write the path behind the link, such as /usr/lib for /lib, or one below /domu"
                findings.add(Finding("I106", f"/{path}: /{above} is a link or a file in the base initrd", hint))
                break
    return findings


def read_initrd(stream: cpio.Readable) -> InitrdFacts:
    """Facts of an initrd in one pass, a few hundred KB at a time; BuilderError when it cannot be read whole."""
    names: set[str] = set()
    folders: set[str] = set()
    status = ""
    for entry in _unpacked(cpio.Source(stream)):
        name = entry.name.removeprefix("./").rstrip("/")
        names.add(name)
        if entry.format == cpio.FOLDER:
            folders.add(name)
        if name == "var/lib/dpkg/status":
            status = entry.data.decode(errors="replace")
    abis = {match["abi"] for name in names if (match := _MODULES.match(name))}
    return InitrdFacts(tuple(sorted(abis)), status, frozenset(names - {"."}), frozenset(folders - {"."}))


def read_files(stream: cpio.Readable, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    """Path and content of each plain file whose path (no leading slash) matches wholly; BuilderError as above."""

    def want(entry: cpio.Entry) -> bool:
        return entry.format == cpio.FILE and wanted.fullmatch(entry.name.removeprefix("./")) is not None

    for entry in _unpacked(cpio.Source(stream), want):
        if want(entry):
            yield entry.name.removeprefix("./"), entry.data


def _is_status(entry: cpio.Entry) -> bool:
    return entry.name.removeprefix("./") == "var/lib/dpkg/status"


def _unpacked(source: cpio.Source, want: cpio.Wish = _is_status) -> Iterator[cpio.Entry]:
    """Every member of every archive, packed or not, in the order in which the kernel unpacks them."""
    while source.skip_zeros():
        match compression_of(source.peek(6)):
            case "cpio":
                yield from cpio.read_archive(source, want)
            case "gzip":
                yield from cpio.read_newc(_Member(source), want)
            case "":
                raise BuilderError(f"no initrd: {source.peek(6)!r} at byte {source.offset} starts nothing known")
            case other:
                raise BuilderError(
                    f"the initrd is packed with {other}", "Debian's installers use gzip; take its initrd.gz"
                )


def compression_of(head: bytes) -> str:
    """`cpio`, a compression's name, or nothing: what these first bytes start."""
    if head.startswith(cpio.MAGIC):
        return "cpio"
    return next((name for magic, name in COMPRESSIONS.items() if head.startswith(magic)), "")


class _Member:
    """One gzip member, read as it inflates; what follows it is put back into the source."""

    def __init__(self, source: cpio.Source) -> None:
        self._source = source
        self._inflate = zlib.decompressobj(wbits=31)  # gzip's header, and its CRC checked at the end
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; BuilderError when the member is damaged or cut off."""
        while not self._ended:
            packed = self._inflate.unconsumed_tail or self._source.some()
            if not packed:
                raise BuilderError("the initrd ends within its compressed part", "fetch it again")
            try:
                plain = self._inflate.decompress(packed, size)
            except zlib.error as error:
                raise BuilderError(f"the initrd's compressed part is damaged: {error}", "fetch it again") from error
            self._ended = self._inflate.eof
            if self._ended:
                self._source.put_back(self._inflate.unused_data)
            if plain:
                return plain
        return b""


def read_segments(stream: cpio.Readable, size: int) -> tuple[Segment, ...]:
    """What an initrd file of `size` bytes consists of, in order; ends with the first compressed part and all behind."""
    source = cpio.Source(stream, limit=max(size, 1))
    found: list[Segment] = []
    ours = front_length(source.peek(HEAD))
    if ours > size:
        raise BuilderError(f"the segment in front tells of {ours} bytes, the file has {size}", DAMAGED)
    while source.skip_zeros():
        start = source.offset
        kind = compression_of(source.peek(6))
        if kind != "cpio":
            found.append(Segment(kind or "unknown", start, size - start))
            break
        entries = tuple(cpio.read_archive(source, lambda _entry: False))
        end = source.offset if source.skip_zeros() else size
        found.append(Segment("domu" if start == 0 and ours else "cpio", start, end - start, entries))
    if ours and found[0].size != ours:
        raise BuilderError(f"the segment in front tells of {ours} bytes and ends at {found[0].size}", DAMAGED)
    return tuple(found)
