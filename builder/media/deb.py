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
_MODES: dict[str, Literal["r|", "r|gz", "r|bz2", "r|xz"]] = {"": "r|", ".gz": "r|gz", ".bz2": "r|bz2", ".xz": "r|xz"}
_BLOCK = 1 << 18
_LARGEST_CONTROL = 16 << 20  # bytes of one file of the control part; templates have at most 1.4 MB
_BROKEN = "the package is damaged though its digest is right: take another source, and tell whoever built it"


def read_members(deb: BinaryIO, wanted: Collection[str]) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Path, size and content of each wanted file, in the order of the package; use up each before the next.

    Paths have no leading slash. Raises BuilderError, here or while the content is read, when the package is no
    .deb, is cut off, lacks a wanted path, or has something else than a plain file there.
    """
    missing = set(wanted)
    with _readable(), _opened_part(deb, "data.tar") as data:
        for member in data:
            path = member.name.removeprefix("./")
            if path in missing:
                missing.discard(path)
                yield path, member.size, _content(data, member)
            if not missing:
                return
    raise BuilderError(f"the .deb does not hold {', '.join(sorted(missing))}", "try the other source of these media")


def read_control(deb: BinaryIO, wanted: Collection[str]) -> dict[str, bytes]:
    """The wanted files of the control part (`templates`, `config`) as far as it has them; BuilderError as above."""
    found: dict[str, bytes] = {}
    with _readable(), _opened_part(deb, "control.tar") as control:
        for member in control:
            path = member.name.removeprefix("./")
            if path in wanted:
                if member.size > _LARGEST_CONTROL:
                    raise ValueError(f"its {path} has {member.size} bytes")
                found[path] = b"".join(_content(control, member))
    return found


@contextmanager
def _opened_part(deb: BinaryIO, kind: str) -> Iterator[tarfile.TarFile]:
    part = _part(deb, kind)
    mode = _MODES[part.name.removeprefix(kind)]
    # An ArMember reads like a file and says so nowhere in its types.
    with tarfile.open(fileobj=cast("BinaryIO", part), mode=mode, bufsize=_BLOCK) as data:
        yield data


def _part(deb: BinaryIO, kind: str) -> ArMember:
    """The member of this kind, found step by step: ArFile would follow a negative size for ever."""
    if deb.read(len(GLOBAL_HEADER)) != GLOBAL_HEADER:
        raise ValueError("it is no ar archive")
    while member := ArMember.from_file(deb, None):
        if member.size < 0:
            raise ValueError(f"its member {member.name!r} has a negative size")
        if member.name.startswith(kind):
            if member.name.removeprefix(kind) not in _MODES:
                raise ValueError(f"{member.name} is a compression that is not read; known are {', '.join(_MODES)}")
            return member
        deb.seek(member.size + member.size % 2, 1)
    raise ValueError(f"it has no {kind}")


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
