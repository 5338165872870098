"""md5sum.txt: the digests that debian-cd puts on its images, for the installer's own integrity check."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from builder.image.iso.volume import IsoError

PATH = "/md5sum.txt"
LARGEST = 1 << 25
_LINE = re.compile(rb"^(?P<digest>[0-9a-f]{32}) [ *](?:\./)?(?P<path>[^\n]+)$", re.MULTILINE)


class Sum(NamedTuple):
    """One line: the file's path with a leading /, its digest in hexadecimal, and where that stands in the text."""

    path: str
    digest: str
    place: int


def read_sums(text: bytes) -> Iterator[Sum]:
    """The lines in order; IsoError for one that is none."""
    seen = 0
    for match in _LINE.finditer(text):
        seen += match.end() - match.start() + 1
        path = "/" + match["path"].decode(errors="surrogateescape")
        yield Sum(path, match["digest"].decode(), match.start())
    if seen != len(text) + (not text.endswith(b"\n") and bool(text)):
        raise IsoError("md5sum.txt has lines that are no digest and path")


def places_of(text: bytes, paths: Collection[str]) -> Mapping[int, str]:
    """Where in the text the digests of these files stand."""
    return {one.place: one.path for one in read_sums(text) if one.path in paths}


def md5(data: bytes) -> str:
    """A digest as it stands in the text."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def with_digests(text: bytes, places: Mapping[int, str], digests: Mapping[str, str]) -> bytes:
    """The same text with new digests for the files at `places`."""
    changed = bytearray(text)
    for place, path in places.items():
        changed[place : place + 32] = digests[path].encode()
    return bytes(changed)
