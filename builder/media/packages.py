"""Packages indices: the one stanza that is wanted, found without parsing sixty thousand others."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

from debian.deb822 import Deb822
from debian.debian_support import Version

from builder.errors import BuilderError
from builder.media.release import Digest

_BLOCK = 1 << 20
_LONGEST = 1 << 20  # bytes of one stanza; the longest of trixie's main has 45 kB
_ELSEWHERE = "the archive is damaged: take another mirror"


@dataclass(frozen=True, slots=True)
class Package:
    """A package as an index lists it; `filename` is below the mirror's base, `digest` that of the file."""

    name: str
    version: str
    filename: str
    digest: Digest

    @property
    def sort_key(self) -> Version:
        """Orders versions as dpkg does."""
        return Version(self.version)


def find_package(index: IO[bytes], name: str) -> Package | None:
    """The newest stanza of this name in an index as it is unpacked; None when there is none.

    Raises BuilderError for a stanza that lacks a field or whose file lies outside of the mirror.
    """
    found = [parse_package(stanza) for stanza in _stanzas(index, f"Package: {name}\n".encode())]
    return max(found, key=lambda package: package.sort_key, default=None)


def read_stanzas(text: bytes) -> Iterator[Deb822]:
    """Every stanza of a small index or status file; BuilderError when it is no text."""
    try:
        yield from Deb822.iter_paragraphs(text.decode(), use_apt_pkg=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise BuilderError(f"the Packages index cannot be read: {error}", _ELSEWHERE) from error


def parse_package(stanza: Deb822) -> Package:
    """The fields that matter, checked; BuilderError names what is missing or wrong."""
    try:
        package = Package(
            stanza["Package"],
            stanza["Version"],
            stanza["Filename"].removeprefix("./"),
            Digest(stanza["SHA256"], int(stanza["Size"])),
        )
        Version(package.version)
    except KeyError as error:
        raise BuilderError(f"the Packages index has a stanza without {error}", _ELSEWHERE) from error
    except ValueError as error:
        raise BuilderError(f"the Packages index cannot be read: {error}", _ELSEWHERE) from error
    astray = {"", ".", ".."} & set(package.filename.split("/"))
    if astray or not package.filename.isprintable() or not package.name.isprintable():
        raise BuilderError(f"the Packages index lists a file that leads astray: {package.filename[:80]!r}", _ELSEWHERE)
    return package


def _stanzas(index: IO[bytes], first_line: bytes) -> Iterator[Deb822]:
    """Stanzas that begin with this line; `Package` comes first in every index that Debian's tools write."""
    for text in whole_stanzas(index):
        yield from _cut(text, b"\n\n" + first_line)


def whole_stanzas(index: IO[bytes]) -> Iterator[bytes]:
    """An index in pieces that each hold some whole stanzas, with an empty line before, between and after them."""
    rest = b"\n\n"
    while block := index.read(_BLOCK):
        whole, gap, tail = (rest + block).rpartition(b"\n\n")
        if len(tail) > _LONGEST:
            raise BuilderError("the Packages index has a stanza without end", _ELSEWHERE)
        if gap:
            yield whole + gap
        rest = gap + tail
    yield rest + b"\n\n"


def _cut(text: bytes, starts: bytes) -> Iterator[Deb822]:
    at = text.find(starts)
    while at >= 0:
        end = text.index(b"\n\n", at + len(starts))
        yield from read_stanzas(text[at + 2 : end + 1])
        at = text.find(starts, end)


def unpack_index(packed: IO[bytes], path: str) -> IO[bytes]:
    """An index as a stream of its text, unpacked as the ending of its path says."""
    if path.endswith(".xz"):
        return cast("IO[bytes]", lzma.open(packed))
    if path.endswith(".gz"):
        return cast("IO[bytes]", gzip.open(packed))
    return packed
