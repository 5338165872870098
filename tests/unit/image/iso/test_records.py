"""Reading records: what pycdlib reads, and what it would stumble over."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pycdlib
import pytest

from builder.image.iso.records import DEEPEST, Record, read_path_table, walk
from builder.image.iso.volume import SECTOR, SYSTEM_AREA, IsoError, both32, pack_both32, read_volume
from tests import images


@pytest.fixture(scope="module", params=["netinst", "small", "mini", "arm64", "deep"])
def raw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp(request.param)
    made: dict[str, Callable[[], Path]] = {
        "netinst": lambda: images.netinst(folder),
        "small": lambda: images.netinst(folder, images.small_tree()),
        "mini": lambda: images.mini(folder),
        "arm64": lambda: images.arm64(folder),
        "deep": lambda: deep(folder),
    }
    return made[request.param]().read_bytes()


def deep(folder: Path) -> Path:
    """Directories deeper than ISO 9660 allows, which Rock Ridge then keeps in /rr_moved."""
    tree = images.Tree({"/".join("abcdefghijkl") + "/deep.txt": b"deep", "plain": b"plain"})
    tree.lay(folder / "cd")
    options = ["-rr_reloc_dir", "rr_moved", "-no-pad"]
    images.xorriso(
        ["xorriso", "-as", "mkisofs", "-r", "-J", *options, "-o", str(folder / "deep.iso"), str(folder / "cd")]
    )
    return folder / "deep.iso"


def records(raw: bytes, kind: str = "primary") -> Iterator[Record]:
    image = io.BytesIO(raw)
    volume = read_volume(image)
    for tree in volume.descriptors:
        if tree.kind == kind:
            yield from walk(image, volume, tree)


def by_pycdlib(raw: bytes, facade: str) -> set[tuple[str, int, int]]:
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(bytes(SYSTEM_AREA) + raw[SYSTEM_AREA:]))
    found = set()
    for folder, folders, files in iso.walk(**{facade: "/"}):
        for name in (*folders, *files):
            path = f"{folder.rstrip('/')}/{name}"
            record = iso.get_record(**{facade: path})
            found.add((path, record.extent_location(), record.get_data_length()))
    iso.close()
    return found


@pytest.mark.parametrize(("kind", "facade"), [("primary", "rr_path"), ("joliet", "joliet_path")])
def test_pycdlib_sees_the_same(raw: bytes, kind: str, facade: str) -> None:
    """Of a directory that Rock Ridge moved, pycdlib shows the place it stands for, and we both."""
    found = list(records(raw, kind))
    moved = {one.path for one in found if one.role == "moved"}
    seen = {
        (one.path, one.extent, one.size)
        for one in found
        if one.role == "entry" and not one.path.startswith("/rr_moved/")
    }
    assert seen == {one for one in by_pycdlib(raw, facade) if one[0] not in moved}
    assert len(moved) == sum(one.path.startswith("/rr_moved/") for one in found if one.role == "entry")


def test_each_record_stands_where_it_is_said_to(raw: bytes) -> None:
    for kind in ("primary", "joliet"):
        for one in records(raw, kind):
            at = raw[one.place : one.place + one.length]
            assert (at[0], both32(at, 2), both32(at, 10)) == (one.length, one.extent, one.size)


def test_path_tables_name_every_directory(raw: bytes) -> None:
    image = io.BytesIO(raw)
    for tree in read_volume(image).descriptors:
        folders = {one.extent for one in records(raw, tree.kind) if one.role == "self"}
        for big in (False, True):
            assert {sector for sector, _ in read_path_table(image, tree, big=big)} == folders


def with_patch(raw: bytes, path: str, at: int, value: bytes) -> bytes:
    place = next(one.place for one in records(raw) if one.path == path and one.role == "entry") + at
    return raw[:place] + value + raw[place + len(value) :]


@pytest.fixture(scope="module")
def netinst(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return images.netinst(tmp_path_factory.mktemp("damaged"), images.small_tree()).read_bytes()


def root(raw: bytes) -> int:
    return read_volume(io.BytesIO(raw)).descriptors[0].root[0]


@pytest.mark.parametrize(
    ("path", "at", "value", "complaint"),
    [
        pytest.param("/doc/a", 10, pack_both32(1000), "1000 bytes .* cannot be", id="a directory of odd size"),
        pytest.param("/doc/a", 10, pack_both32(0xFFFFF800), "cannot be|beyond", id="a directory of 4 GiB"),
        pytest.param("/doc/a", 2, pack_both32(0xFFFFFF), "beyond", id="a directory beyond the image"),
        pytest.param("/md5sum.txt", 2, pack_both32(0xFFFFFF), "ends beyond the image", id="a file beyond the image"),
        pytest.param("/md5sum.txt", 10, pack_both32(0xFFFFFFFF), "ends beyond the image", id="a file of 4 GiB"),
        pytest.param("/md5sum.txt", 2, struct.pack("<L", 99), "has two values", id="byte orders that differ"),
        pytest.param("/md5sum.txt", 0, b"\x10", "damaged at byte", id="a record of 16 bytes"),
        pytest.param("/md5sum.txt", 32, b"\xff", "damaged at byte", id="a name longer than its record"),
    ],
)
def test_damage_is_told(netinst: bytes, path: str, at: int, value: bytes, complaint: str) -> None:
    with pytest.raises(IsoError, match=complaint):
        list(records(with_patch(netinst, path, at, value)))


def test_a_directory_within_itself_is_told(netinst: bytes) -> None:
    raw = with_patch(netinst, "/doc/a", 2, pack_both32(root(netinst)))
    with pytest.raises(IsoError, match="round in circles"):
        list(records(raw))


@pytest.mark.parametrize("name", ["..", "a/b", "a\0b", "."])
def test_names_that_reach_elsewhere_are_told(netinst: bytes, name: str) -> None:
    """Rock Ridge holds any bytes: md5sum.txt's name is replaced, with a second NM field for the rest."""
    old = b"NM\x0f\x01\0md5sum.txt"
    assert old in netinst
    encoded = name.encode()
    new = (b"NM" + bytes([5 + len(encoded), 1, 0]) + encoded).ljust(len(old), b"\0")
    with pytest.raises(IsoError, match="a name that reaches elsewhere"):
        list(records(netinst.replace(old, new)))


def test_continuation_areas_that_lead_to_themselves_end(netinst: bytes) -> None:
    at = netinst.rindex(b"CE\x1c\x01")
    sector, offset, size = (struct.unpack_from("<L", netinst, at + 4 + 8 * number)[0] for number in range(3))
    place = sector * SECTOR + offset
    looping = (netinst[at : at + 28]).ljust(size, b"\0")
    with pytest.raises(IsoError, match="continuation areas do not end"):
        list(records(netinst[:place] + looping + netinst[place + size :]))


def test_a_continuation_area_stays_in_its_sector(netinst: bytes) -> None:
    at = netinst.rindex(b"CE\x1c\x01") + 20
    with pytest.raises(IsoError, match="leaves its sector"):
        list(records(netinst[:at] + pack_both32(1 << 20) + netinst[at + 8 :]))


def test_depth_has_a_limit(tmp_path: Path) -> None:
    tree = images.Tree({"/".join("d" for _ in range(DEEPEST + 2)) + "/f": b"x"})
    tree.lay(tmp_path / "cd")
    argv = ["xorriso", "-as", "mkisofs", "-D", "-r", "-o", str(tmp_path / "deep.iso"), str(tmp_path / "cd")]
    images.xorriso(argv)
    with pytest.raises(IsoError, match="lies deeper than"):
        list(records((tmp_path / "deep.iso").read_bytes()))
