"""Hands for ISO images: ranges cloned or copied within the kernel, digests of stretches, read side by side.

A stretch that keeps its distance from block boundaries can be cloned but for its ends; on XFS and btrfs a repacked
image then shares nearly all its blocks with the old one.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from builder.errors import BuilderError
from builder.host import files
from builder.host.files import CHUNK, Way
from builder.image.iso.hybrid import Write
from builder.image.iso.plan import Copy
from builder.image.iso.volume import IsoError

BLOCK = 4096
_STEP = 32 << 20
_AHEAD = 16  # files
T = TypeVar("T")
U = TypeVar("U")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The image, for reading; BuilderError when it cannot be opened, or another program writes to it meanwhile.

    What turns out to be wrong with it is told with its name.
    """
    try:
        with path.open("rb", buffering=0) as raw:
            before = os.fstat(raw.fileno())
            with io.BufferedReader(raw, buffer_size=1 << 14) as image:
                yield image
                after = os.fstat(raw.fileno())
    except OSError as error:
        raise BuilderError(f"{path}: {error.strerror or error}") from error
    except IsoError as error:
        raise IsoError(f"{path}: {error.message}", error.hint) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise BuilderError(f"{path} changed while it was read", "run it again when nothing writes there")


def copy_ranges(source: int, target: int, copies: Iterable[Copy], *, after: Callable[[int, int], object]) -> Way:
    """Carry bytes from one descriptor to the other; `cloned` when the file system could share at least some.

    `after` is told of each stretch that was copied: its offset in the target, and how many bytes.
    """
    way: Way = "copied"
    may_clone = True
    for one in copies:
        at, end = one.source, one.source + one.length
        first, last = at + -at % BLOCK, end - end % BLOCK
        if may_clone and first < last and (one.source - one.target) % BLOCK == 0:
            shift = one.target - one.source
            may_clone = files.clone_range(source, first, target, first + shift, last - first)
            if may_clone:
                way = "cloned"
                files.copy_range(source, at, target, at + shift, first - at)
                at = last
        while at < end:
            count, there = min(end - at, _STEP), at - one.source + one.target
            files.copy_range(source, at, target, there, count)
            after(there, count)
            at += count
    return way


def write_at(target: int, writes: Iterable[Write]) -> None:
    """Write each piece at its place."""
    for offset, data in writes:
        view, at = memoryview(data), offset
        while view:
            done = os.pwrite(target, view, at)
            view, at = view[done:], at + done


class Stretch:
    """A part of an open file, read by a position of its own."""

    def __init__(self, handle: int, offset: int, size: int) -> None:
        self._handle, self._at, self._end = handle, offset, offset + size

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none at the end."""
        data = os.pread(self._handle, min(size, CHUNK, self._end - self._at), self._at)
        self._at += len(data)
        return data

    def pieces(self, *digests: hashlib._Hash) -> Iterator[bytes]:
        """All of it, in pieces, which the digests take in."""
        while data := self.read(CHUNK):
            for digest in digests:
                digest.update(data)
            yield data


def side_by_side(work: Callable[[T], U], jobs: Sequence[T]) -> list[U]:
    """The results of `work` on each job, two at a time: hashing and inflating leave the interpreter's lock."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, jobs))


def md5s_of(handle: int, named: Iterable[tuple[str, Sequence[tuple[int, int]]]]) -> Iterator[tuple[str, int, bytes]]:
    """Name, size and MD5 of each file (stretches of offset and size), in order; a few are read ahead."""
    ahead: deque[tuple[str, int, Future[bytes]]] = deque()
    with ThreadPoolExecutor(2) as pool:
        for name, stretches in named:
            ahead.append((name, sum(size for _, size in stretches), pool.submit(_md5_of, handle, stretches)))
            if len(ahead) > _AHEAD:
                done, size, digest = ahead.popleft()
                yield done, size, digest.result()
        for done, size, digest in ahead:
            yield done, size, digest.result()


def _md5_of(handle: int, stretches: Sequence[tuple[int, int]]) -> bytes:
    total = hashlib.md5(usedforsecurity=False)
    for offset, size in stretches:
        for _ in Stretch(handle, offset, size).pieces(total):
            pass
    return total.digest()
