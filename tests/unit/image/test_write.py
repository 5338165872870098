"""New ISO 9660 volumes, read back by pycdlib and by our own reader of hostile images."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime

import pycdlib
import pytest

from builder.image.iso.volume import SECTOR, read_volume
from builder.image.iso.write import BootImage, NewVolume, lay_volume
from tests.archive import noise
from tests.discs import files_on

MOMENT = datetime(2025, 8, 3, 12, 34, 56, 780_000, tzinfo=UTC)
MANY = {f"doc/a-file-with-a-name-of-some-length-{number:03}.txt": b"x" * number for number in range(150)}


def volume_of(files: Mapping[str, bytes], label: str = "TEST") -> NewVolume:
    return NewVolume(label, MOMENT, {path: len(data) for path, data in files.items()})


def image_of(files: Mapping[str, bytes], volume: NewVolume | None = None) -> bytes:
    layout = lay_volume(volume or volume_of(files))
    image = bytearray(layout.head)
    for path, data in files.items():
        assert len(image) <= layout.extents[path] * SECTOR
        image += bytes(layout.extents[path] * SECTOR - len(image)) + data
    return bytes(image) + bytes(layout.sectors * SECTOR - len(image))


def read_back(image: bytes) -> dict[str, bytes]:
    """Every file by its Rock Ridge path, as pycdlib sees it."""
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(image))
    found = {}
    for folder, _folders, files in iso.walk(rr_path="/"):
        for name in files:
            path = f"{folder.rstrip('/')}/{name}"
            out = io.BytesIO()
            iso.get_file_from_iso_fp(out, rr_path=path)
            found[path[1:]] = out.getvalue()
    iso.close()
    return found


@pytest.mark.parametrize(
    "files",
    [
        {"a": b"x"},
        {"empty": b"", "behind": b"x"},
        {"a/b/c/d/e/f/deep.txt": b"deep", "a/b/side.txt": b"side"},
        {"meta-data": b"m", "user-data": b"u", "network-config": b"n"},
        {"install.amd/vmlinuz": noise("kernel", 5000), ".disk/info": b"info", ".disk/id/0-1": b"id"},
        MANY,
        {f"folder-{number}/file": b"x" for number in range(80)},
        {"sector": bytes(SECTOR), "sector-and-one": bytes(SECTOR + 1)},
        {"ä/ö.txt": "ü".encode()},
    ],
    ids=["one", "empty", "deep", "cidata", "dotted", "directory-of-sectors", "folders", "boundaries", "utf-8"],
)
def test_every_file_is_read_back(files: dict[str, bytes]) -> None:
    image = image_of(files)
    assert read_back(image) == files
    assert files_on(image) == files
    assert read_volume(io.BytesIO(image)).descriptors[0].sectors * SECTOR == len(image)


def test_the_same_volume_is_the_same_bytes() -> None:
    assert image_of(MANY) == image_of(MANY)


@pytest.mark.parametrize(
    "names",
    [("file-a", "file_a"), ("a.b.c", "a_b.c"), ("FILE", "file"), ("folder/x", "FOLDER/x")],
    ids=["dash", "dots", "case", "folders"],
)
def test_names_that_iso_9660_cannot_tell_apart_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="in ISO 9660"):
        lay_volume(volume_of(dict.fromkeys(names, b"")))


@pytest.mark.parametrize("length", [120, 129, 300])
def test_a_name_that_no_record_holds_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="too long"):
        lay_volume(volume_of({"x" * length: b""}))


def test_a_file_may_begin_at_a_boundary_and_be_the_end_of_another() -> None:
    whole = noise("whole", 3 * SECTOR + 100)
    sizes = {"small": 10, "whole": len(whole), "end": SECTOR + 100}
    volume = NewVolume("TEST", MOMENT, sizes, starts={"whole": 64}, within={"end": ("whole", 2)})
    layout = lay_volume(volume)
    assert layout.extents["whole"] % 64 == 0
    image = image_of({"small": b"0123456789", "whole": whole}, volume)
    assert read_back(image)["end"] == whole[2 * SECTOR :]


def test_the_boot_catalog_names_both_images() -> None:
    files = {"isolinux/isolinux.bin": noise("isolinux", 9000), "boot/grub/efi.img": noise("efi", 40_960)}
    volume = NewVolume(
        *("TEST", MOMENT, {path: len(data) for path, data in files.items()}),
        BootImage("isolinux/isolinux.bin", 4),
        BootImage("boot/grub/efi.img", 80),
    )
    image = image_of(files, volume)
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(image))
    catalog = iso.eltorito_boot_catalog
    assert catalog is not None
    layout = lay_volume(volume)
    assert catalog.initial_entry.get_rba() == layout.extents["isolinux/isolinux.bin"]
    (section,) = catalog.sections
    assert section.platform_id == 0xEF
    assert section.section_entries[0].get_rba() == layout.extents["boot/grub/efi.img"]
    assert "isolinux/boot.cat" in read_back(image)
    iso.close()


def test_dates_are_the_volumes_own() -> None:
    image = image_of({"a": b"x"})
    assert image[16 * SECTOR + 813 :][:17] == b"2025080312345678\0"
    assert b"\x7d\x08\x03\x0c\x22\x38\x00" in image
