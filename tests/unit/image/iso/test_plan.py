"""Where files go that change: tables of small situations, and the laws that hold for all."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.image.iso.contents import Contents, read_contents, sectors_of
from builder.image.iso.plan import NeedsFullRewriteError, Placement, copies, place
from builder.image.iso.volume import SECTOR, IsoError
from tests import images

EVERYTHING = re.compile(".*", re.DOTALL)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return images.netinst(tmp_path_factory.mktemp("plan"), images.small_tree()).read_bytes()


@pytest.fixture(scope="module")
def contents(raw: bytes) -> Contents:
    return read_contents(io.BytesIO(raw), EVERYTHING)


def placed(raw: bytes, contents: Contents, sizes: Mapping[str, int]) -> Placement:
    return place(io.BytesIO(raw), contents, {contents.files[path].extent: size for path, size in sizes.items()})


def extent(contents: Contents, path: str) -> int:
    return contents.files[path].extent


def test_what_fits_stays(raw: bytes, contents: Contents) -> None:
    placement = placed(
        raw, contents, {"/install.amd/initrd.gz": 100, "/md5sum.txt": contents.files["/md5sum.txt"].size}
    )
    assert all(old == new for old, new in placement.moved.items())
    assert placement.growth == 0


def test_small_neighbours_make_room_for_an_initrd(raw: bytes, contents: Contents) -> None:
    record = contents.files["/install.amd/initrd.gz"]
    placement = placed(raw, contents, {record.path: record.size + SECTOR})
    assert placement.moved[record.extent] == record.extent
    (neighbour,) = placement.kept
    assert neighbour == record.extent + sectors_of(record.size) == extent(contents, "/install.amd/xen/debian.cfg")
    assert placement.moved[neighbour] == placement.bounds.tail
    assert placement.growth == 0  # the padding at the end has room


def test_a_file_with_dear_neighbours_moves_itself(raw: bytes, contents: Contents) -> None:
    record = contents.files["/boot/grub/grub.cfg"]
    placement = placed(raw, contents, {record.path: record.size + SECTOR})
    assert placement.moved == {record.extent: placement.bounds.tail}


def test_an_image_grows_by_whole_cylinders_and_keeps_its_padding(raw: bytes, contents: Contents) -> None:
    placement = placed(raw, contents, {"/install.amd/initrd.gz": 5_000_000})
    assert placement.growth % 512 == 0
    assert placement.growth * SECTOR >= 5_000_000 - SECTOR * (placement.bounds.cut - placement.bounds.tail)
    (start,) = placement.moved.values()
    assert start + sectors_of(5_000_000) + 150 <= placement.bounds.cut + placement.growth


def test_freed_sectors_are_taken_before_new_ones(raw: bytes, contents: Contents) -> None:
    moved = placed(raw, contents, {"/install.amd/gtk/initrd.gz": 5_000_000, "/boot/grub/grub.cfg": 3000})
    gtk = contents.files["/install.amd/gtk/initrd.gz"]
    assert gtk.extent <= moved.moved[extent(contents, "/boot/grub/grub.cfg")] < gtk.extent + sectors_of(gtk.size)


@pytest.mark.parametrize("path", ["/boot/grub/efi.img", "/isolinux/isolinux.bin", "/doc/empty-file"])
def test_boot_images_and_empty_files_are_not_moved(raw: bytes, contents: Contents, path: str) -> None:
    with pytest.raises(NeedsFullRewriteError):
        placed(raw, contents, {path: 10_000_000})


CHANGING = (
    "/install.amd/initrd.gz",
    "/install.amd/gtk/initrd.gz",
    "/install.amd/vmlinuz",
    "/boot/grub/grub.cfg",
    "/isolinux/isolinux.cfg",
    "/isolinux/txt.cfg",
    "/md5sum.txt",
    "/.disk/info",
)


@settings(max_examples=150, deadline=None)
@given(sizes=st.dictionaries(st.sampled_from(CHANGING), st.integers(1, 700_000), min_size=1))
def test_laws_of_placing(raw: bytes, contents: Contents, sizes: dict[str, int]) -> None:
    placement = placed(raw, contents, sizes)
    wanted = {extent(contents, path): sectors_of(size) for path, size in sizes.items()}
    assert wanted.keys() <= placement.moved.keys()

    new_end = (placement.bounds.cut + placement.growth) * SECTOR
    taken = [(new * SECTOR, (wanted.get(old) or placement.kept[old]) * SECTOR) for old, new in placement.moved.items()]
    stays = [
        (row.extent * SECTOR, sectors_of(row.size) * SECTOR)
        for row in contents.rows
        if row.size and row.extent not in placement.moved
    ]
    spans = sorted({*taken, *stays})
    for (start, length), (following, _) in itertools.pairwise(spans):
        assert start + length <= following, "two files share a sector"
    assert max(start + length for start, length in taken) <= new_end

    old = bytearray(raw)
    new = bytearray(len(raw) + placement.growth * SECTOR)
    for copy in copies(placement, len(raw)):
        new[copy.target : copy.target + copy.length] = old[copy.source : copy.source + copy.length]
    for start, length in stays:
        assert new[start : start + length] == old[start : start + length]
    for before, after in placement.moved.items():
        if before in placement.kept:
            length = placement.kept[before] * SECTOR
            assert new[after * SECTOR : after * SECTOR + length] == old[before * SECTOR : before * SECTOR + length]
    assert len(new) == len(raw) + placement.growth * SECTOR
    trailer = len(raw) - placement.bounds.cut * SECTOR
    assert new[len(new) - trailer :] == old[len(old) - trailer :]


def test_vacated_sectors_hold_nothing_of_what_was_there(raw: bytes, contents: Contents) -> None:
    """An earlier preseed with its hashes must not be found in a new image."""
    record = contents.files["/install.amd/initrd.gz"]
    placement = placed(raw, contents, {record.path: 5_000_000})
    assert placement.moved[record.extent] != record.extent
    start, end = record.extent * SECTOR, record.extent * SECTOR + record.size
    assert not any(copy.source < end and copy.source + copy.length > start for copy in copies(placement, len(raw)))


def test_a_partition_that_is_a_volume_of_its_own_is_told(tmp_path: Path) -> None:
    path = images.netinst(tmp_path, images.small_tree(), options=("-partition_offset", "16"))
    image = io.BytesIO(path.read_bytes())
    contents = read_contents(image, EVERYTHING)
    with pytest.raises(IsoError, match="second ISO volume"):
        place(image, contents, {extent(contents, "/md5sum.txt"): 10})
