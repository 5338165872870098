"""Files out of a .deb, as a stream: one pass, nothing unpacked to disk, nothing believed."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Literal, cast

from debian.arfile import GLOBAL_HEADER, ArMember

from builder.errors import BuilderError

LARGEST = 1 << 30  # bytes of one file; the GTK initrd of trixie has 83 MB
# What dpkg-deb writes (deb(5)) and Python reads. Debian's archive has no .zst: dpkg there writes xz.
_MODES: dict[str, Literal["r|", "r|gz", "r|bz2", "r|xz"]] = {
    "data.tar": "r|",
    "data.tar.gz": "r|gz",
    "data.tar.bz2": "r|bz2",
    "data.tar.xz": "r|xz",
}
_BLOCK = 1 << 18
_BROKEN = "the package is damaged though its digest is right: take another source, and tell whoever built it"


def read_members(deb: BinaryIO, wanted: Collection[str]) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Path, size and content of each wanted file, in the order of the package; use up each before the next.

    Paths have no leading slash. Raises BuilderError, here or while the content is read, when the package is no
    .deb, is cut off, lacks a wanted path, or has something else than a plain file there.
    """
    missing = set(wanted)
    with _readable():
        part = _data_part(deb)
        # An ArMember reads like a file and says so nowhere in its types.
        with tarfile.open(fileobj=cast("BinaryIO", part), mode=_MODES[part.name], bufsize=_BLOCK) as data:
            for member in data:
                path = member.name.removeprefix("./")
                if path in missing:
                    missing.discard(path)
                    yield path, member.size, _content(data, member)
                if not missing:
                    return
    raise BuilderError(f"the .deb does not hold {', '.join(sorted(missing))}", "try the other source of these media")


def _data_part(deb: BinaryIO) -> ArMember:
    """The member that holds the files, found step by step: ArFile would follow a negative size for ever."""
    if deb.read(len(GLOBAL_HEADER)) != GLOBAL_HEADER:
        raise ValueError("it is no ar archive")
    while member := ArMember.from_file(deb, None):
        if member.size < 0:
            raise ValueError(f"its member {member.name!r} has a negative size")
        if member.name in _MODES:
            return member
        if member.name.startswith("data.tar"):
            raise ValueError(f"{member.name} is a compression that is not read; known are {', '.join(_MODES)}")
        deb.seek(member.size + member.size % 2, 1)
    raise ValueError("it has no data.tar")


def _content(data: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    with _readable():
        if not member.isreg() or member.size > LARGEST:
            raise ValueError(f"{member.name} is no plain file of at most {LARGEST} bytes")
        file = data.extractfile(member)
        while block := file.read(_BLOCK) if file else b"":
            yield block


@contextmanager
def _readable() -> Iterator[None]:
    """What the libraries raise for damaged data becomes one clear error."""
    try:
        yield
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError) as error:
        raise BuilderError(f"the .deb cannot be read: {error or type(error).__name__}", _BROKEN) from error
