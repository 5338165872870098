"""Ranges from one file to another, on a file system that shares blocks and on one that does not."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host import files
from builder.host.iso import Stretch, copy_ranges, md5s_of, opened, write_at
from builder.host.run import run
from builder.image.iso.plan import Copy
from tests import mounts
from tests.archive import noise

DATA = noise("ranges", 300_000)


@pytest.fixture(scope="module")
def shares_blocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small XFS."""
    yield from mounts.xfs(tmp_path_factory.mktemp("xfs"))


def carried(folder: Path, copies: Sequence[Copy], *, size: int) -> tuple[str, bytes]:
    (folder / "source").write_bytes(DATA)
    os.sync()
    with (folder / "source").open("rb") as source, (folder / "target").open("w+b") as target:
        os.ftruncate(target.fileno(), size)
        told: list[tuple[int, int]] = []
        way = copy_ranges(
            source.fileno(), target.fileno(), copies, after=lambda offset, count: told.append((offset, count))
        )
        for offset, count in told:
            files.start_writing(target.fileno(), offset, count)
    assert way == "cloned" or sum(count for _, count in told) == sum(one.length for one in copies)
    return way, (folder / "target").read_bytes()


def expected(copies: Sequence[Copy], size: int) -> bytes:
    data = bytearray(size)
    for one in copies:
        data[one.target : one.target + one.length] = DATA[one.source : one.source + one.length]
    return bytes(data)


def some_copies(seed: int) -> list[Copy]:
    """Stretches of sectors, some of which keep their distance from blocks of 4096 bytes."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    found, at = [], 0
    for _ in range(6):
        length = chance.randrange(1, 20) * 2048 - chance.choice((0, 0, 5))
        source = chance.randrange((len(DATA) - length) // 2048) * 2048
        at += chance.randrange(3) * 2048
        found.append(Copy(source, at, length))
        at += length + -length % 2048
    return found


@pytest.mark.parametrize("seed", range(20))
def test_every_byte_arrives(tmp_path: Path, seed: int) -> None:
    copies = some_copies(seed)
    assert carried(tmp_path, copies, size=400_000)[1] == expected(copies, 400_000)


@pytest.mark.parametrize("seed", range(20))
def test_every_byte_arrives_where_blocks_are_shared(shares_blocks: Path, seed: int) -> None:
    copies = some_copies(seed)
    assert carried(shares_blocks, copies, size=400_000)[1] == expected(copies, 400_000)


def test_what_keeps_its_distance_is_shared_but_for_its_ends(shares_blocks: Path) -> None:
    copies = [Copy(2048, 2048 + 8192, 200_000)]
    way, data = carried(shares_blocks, copies, size=250_000)
    assert way == "cloned"
    assert data == expected(copies, 250_000)
    assert "shared" in run(["filefrag", "-v", str(shares_blocks / "target")]).text
    assert carried(shares_blocks, [Copy(2048, 4096, 200_000)], size=250_000)[0] == "copied"


def test_writes_go_where_they_belong(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as file:
        write_at(file.fileno(), [(10, b"abc"), (0, b"xy"), (11, b"B")])
        assert file.read() == b"xy" + bytes(8) + b"aBc"


def test_a_stretch_ends_where_it_should(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    with (tmp_path / "file").open("rb") as file:
        stretch = Stretch(file.fileno(), 1000, 150_000)
        assert b"".join(stretch.pieces()) == DATA[1000:151_000]
        assert stretch.read(10) == b""


def test_digests_come_in_order(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    wanted = [(str(number), [(number * 100, 5000 - number), (7, 3)]) for number in range(40)]
    with (tmp_path / "file").open("rb") as file:
        found = list(md5s_of(file.fileno(), wanted))
    assert found == [
        (
            name,
            sum(size for _, size in spans),
            hashlib.md5(b"".join(DATA[at : at + size] for at, size in spans), usedforsecurity=False).digest(),
        )
        for name, spans in wanted
    ]


def test_an_image_that_is_written_to_meanwhile_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    with pytest.raises(BuilderError, match="changed while it was read"), opened(tmp_path / "file"):
        (tmp_path / "file").write_bytes(DATA + b"more")
