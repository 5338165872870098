"""The newc archives of an initramfs, written and read as the kernel reads them (init/initramfs.c).

Reading is one pass over a stream that may be hostile: bounded, refusing what the kernel would stumble over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from builder.errors import BuilderError

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
HEADER = 110  # the magic and 13 fields of 8 hex digits
LONGEST_NAME = 4096  # PATH_MAX; init/initramfs.c skips what is longer
# libxenguest unpacks no ramdisk beyond 1 GiB (XC_DOM_DECOMPRESS_MAX), so that none need be read further here.
LARGEST_ARCHIVE = 1 << 30
LARGEST_HELD = 64 << 20
CHUNK = 1 << 18
FILE, FOLDER, LINK = 0o100000, 0o040000, 0o120000
_FORMAT = 0o170000


class CpioError(BuilderError):
    """What is read is not a whole, sane newc archive."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One member. `mode` holds type and permissions; `skipped` counts bytes of data that were not asked for."""

    name: str
    data: bytes = b""
    mode: int = FILE | 0o644
    mtime: int = 0
    nlink: int = 1
    uid: int = 0
    gid: int = 0
    inode: int = 0
    rdev: tuple[int, int] = (0, 0)
    skipped: int = 0

    @property
    def size(self) -> int:
        """Bytes of data, held or not."""
        return len(self.data) + self.skipped

    @property
    def format(self) -> int:
        """FILE, FOLDER, LINK or another type of inode(7)."""
        return self.mode & _FORMAT


def folder(name: str) -> Entry:
    """A directory that everybody may enter, root's."""
    return Entry(name, mode=FOLDER | 0o755, nlink=2)


def write_newc(entries: Iterable[Entry]) -> bytes:
    """The archive with its trailer, in the order given, inodes numbered from 1: the same entries, the same bytes.

    Parents must come before children (`with_parents`). Raises ValueError for a name or number that newc cannot hold.
    """
    members = [*entries, Entry(TRAILER, mode=0)]
    return b"".join(part for number, entry in enumerate(members, 1) for part in _member(entry, number % len(members)))


def _member(entry: Entry, inode: int) -> Iterator[bytes]:
    name = entry.name.encode(errors="surrogateescape") + b"\0"
    if entry.skipped or len(name) > LONGEST_NAME or name.index(b"\0") != len(name) - 1 or name == b"\0":
        raise ValueError(f"{entry.name!r} is no member that can be written")
    fields = (
        *(inode, entry.mode, entry.uid, entry.gid, entry.nlink, entry.mtime, len(entry.data)),
        *(0, 0, *entry.rdev, len(name), 0),
    )
    if not all(0 <= number <= 0xFFFFFFFF for number in fields):
        raise ValueError(f"{entry.name!r}: a number does not fit into 32 bits")
    yield MAGIC + b"".join(b"%08X" % number for number in fields)
    yield name + bytes(-(HEADER + len(name)) % 4)
    yield entry.data + bytes(-len(entry.data) % 4)


def with_parents(entries: Iterable[Entry]) -> list[Entry]:
    """The same entries sorted by path, each folder that they need in front of its content."""
    known = {entry.name: entry for entry in entries}
    for name in list(known):
        parts = name.split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            known.setdefault(parent, folder(parent))
    return [known[name] for name in sorted(known, key=lambda name: name.split("/"))]


class Readable(Protocol):
    """All that reading asks of a stream: up to `size` bytes, none at the end."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""


class Source:
    """A stream with a look ahead and a count, read at most to a limit; its sizes are believed by nobody."""

    def __init__(self, stream: Readable, *, limit: int = LARGEST_ARCHIVE) -> None:
        self._stream = stream
        self._ahead = b""
        self._at = 0  # what of `_ahead` is used up
        self._limit = limit
        self.offset = 0

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end; they stay."""
        parts = [self._ahead[self._at :]] if len(self._ahead) - self._at < count else []
        missing = count - sum(map(len, parts))
        while parts and missing > 0 and (more := self._stream.read(max(missing, CHUNK))):
            parts.append(more)
            missing -= len(more)
        if parts:
            self._ahead, self._at = b"".join(parts), 0
        return self._ahead[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes; CpioError when the stream or the limit ends before."""
        if self.offset + count > self._limit:
            raise CpioError(f"a member ends beyond byte {self._limit}, where reading stops")
        found = self.peek(count)
        if len(found) < count:
            raise CpioError(f"the archive ends at byte {self.offset + len(found)}, in the middle of a member")
        self._at += count
        self.offset += count
        return found

    def some(self) -> bytes:
        """What is at hand, at least one byte; empty at the end."""
        return self.take(len(self._ahead) - self._at if self.peek(1) else 0)

    def skip(self, count: int) -> None:
        """Pass over `count` bytes without holding them."""
        at_hand = min(count, len(self._ahead) - self._at, max(self._limit - self.offset, 0))
        self._at += at_hand
        self.offset += at_hand
        count -= at_hand
        while count:
            step = min(count, CHUNK)
            self.take(step)
            count -= step

    def put_back(self, data: bytes) -> None:
        """What was taken too much is next again."""
        self._ahead, self._at = data + self._ahead[self._at :], 0
        self.offset -= len(data)

    def skip_zeros(self) -> bool:
        """Pass over zero padding as the kernel does; False when nothing follows."""
        while padded := self.some():
            rest = padded.lstrip(b"\0")
            if rest:
                self.put_back(rest)
                return True
        return False


Wish = Callable[[Entry], bool]


def read_newc(stream: Readable, want: Wish = lambda _entry: True) -> Iterator[Entry]:
    """Every member of the archives in `stream`, which may be several, zero padded; trailers are left out.

    Only the data of entries that `want` accepts is held (at most 64 MiB each). Raises CpioError at the first
    thing that is cut off, malformed, or named to reach outside the archive.
    """
    source = Source(stream)
    while source.skip_zeros():
        yield from read_archive(source, want)


def read_archive(source: Source, want: Wish) -> Iterator[Entry]:
    """The members of one archive, to its trailer, which is taken too."""
    while True:
        start = source.offset
        entry, size = _header(source)
        if entry.name == TRAILER:
            source.skip(size + -size % 4)
            return
        if size and want(entry):
            if size > LARGEST_HELD:
                raise CpioError(f"{entry.name!r} at byte {start} holds {size} bytes, more than is ever read at once")
            data = source.take(size)
        else:
            source.skip(size)
            data = b""
        source.skip(-size % 4)
        yield Entry(
            *(entry.name, data, entry.mode, entry.mtime, entry.nlink, entry.uid, entry.gid, entry.inode),
            rdev=entry.rdev,
            skipped=size - len(data),
        )


def _header(source: Source) -> tuple[Entry, int]:
    """One header and name, with the padding after it; the entry has no data yet."""
    start = source.offset
    head = source.take(HEADER)
    if not head.startswith(MAGIC) or start % 4:
        raise CpioError(f"no newc header at byte {start}, but {head[:6]!r}", "only cpio's newc format is read")
    digits = head[len(MAGIC) :]
    if digits.translate(None, b"0123456789abcdefABCDEF"):
        raise CpioError(f"the header at byte {start} is no hexadecimal number")
    fields = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    inode, mode, uid, gid, nlink, mtime, size, _, _, major, minor, name_size, _ = fields
    if not 1 < name_size <= LONGEST_NAME:
        raise CpioError(f"the header at byte {start} claims a name of {name_size} bytes")
    name = source.take(name_size)
    source.skip(-(HEADER + name_size) % 4)
    text = _name(name, start)
    return Entry(text, b"", mode, mtime, nlink, uid, gid, inode, (major, minor)), size


def _name(raw: bytes, start: int) -> str:
    if raw.find(b"\0") != len(raw) - 1:
        raise CpioError(f"the name at byte {start} has its NUL in the wrong place: {raw[:60]!r}")
    text = raw[:-1].decode(errors="surrogateescape")
    if text.startswith("/") or ".." in text.split("/"):
        raise CpioError(f"the name at byte {start} reaches outside the archive: {text!r}")
    return text
