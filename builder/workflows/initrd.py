"""List and repack initrds: the base is looked at, checked for clashes, and follows our segment untouched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from builder.errors import BuilderError, RefusalError
from builder.host import files
from builder.image import initrd
from builder.image.initrd import InitrdFacts, InitrdPayload, Segment


@dataclass(frozen=True, slots=True)
class Repacked:
    """What was done: bytes in front, bytes of the base behind, and how these came there."""

    front: int
    base: int
    way: files.Way
    replaced: bool


def list_initrd(path: Path) -> tuple[Segment, ...]:
    """The parts of an initrd file in order; BuilderError when it cannot be read."""
    with _opened(path) as stream:
        return initrd.read_segments(stream, path.stat().st_size)


def repack(
    base: Path,
    payloads: Mapping[str, InitrdPayload],
    output: Path,
    *,
    facts: InitrdFacts | None = None,
    mode: int = 0o600,
) -> Repacked:
    """Write `output`: our segment with `payloads`, then `base` without an earlier segment of ours.

    `facts` of the base save a pass over it. The mode is private because a preseed may hold password hashes.
    Raises RefusalError when a file would not arrive in the installer, BuilderError when `base` is no initrd.
    """
    with _opened(base) as stream:
        skip = initrd.front_length(stream.read(initrd.HEAD))
        stream.seek(skip)
        if not initrd.compression_of(stream.read(6)):
            raise BuilderError(f"{base} is no initrd: it starts with nothing the kernel unpacks", "name an initrd.gz")
        stream.seek(skip)
        known = facts or initrd.read_initrd(stream)
    findings = initrd.check_files(payloads, known)
    if findings.errors:
        raise RefusalError(f"{base} cannot carry these files", findings.errors)
    front = initrd.segment(payloads)
    way = files.write_in_front(front, base, output, skip=skip, mode=mode)
    return Repacked(len(front), base.stat().st_size - skip, way, replaced=skip > 0)


def read_payloads(preseed: Path, added: Sequence[tuple[str, Path]]) -> dict[str, InitrdPayload]:
    """The files to put in front, read: `preseed` as /preseed.cfg, others by path; what is executable stays so.

    Raises BuilderError for a file that cannot be read, or two for one path.
    """
    return read_files([(f"/{initrd.PRESEED}", preseed), *added])


def read_files(named: Sequence[tuple[str, Path]]) -> dict[str, InitrdPayload]:
    """The same of any files by path."""
    payloads: dict[str, InitrdPayload] = {}
    for name, path in named:
        if name in payloads:
            raise BuilderError(f"{name} is given twice, the second time as {path}", "leave one of them out")
        with _opened(path) as stream:
            executable = path.stat().st_mode & 0o100
            payloads[name] = InitrdPayload(stream.read(), 0o755 if executable else 0o644)
    return payloads


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise BuilderError(f"{path}: {error.strerror}") from error
