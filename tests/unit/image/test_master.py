"""The layout of a mastered image: the same bytes for the same inputs, others for others, and sound boot records."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from hashlib import md5, sha256
from uuid import UUID
from zlib import crc32

import pytest

from builder.errors import BuilderError
from builder.image.bootdisk import EFI_SYSTEM, Partition, with_boot_table, write_gpt, write_mbr
from builder.image.initrd import InitrdPayload, segment
from builder.image.iso.verify import check_carried, examine, read_carried
from builder.image.iso.volume import SECTOR
from builder.image.master import INITRD, KERNEL, MODULES, ORIGINAL_INITRD, Disc, Loaders, Stored, master_disc
from tests.archive import noise
from tests.discs import files_on, toy_initrd

FRONT = segment({"/preseed.cfg": InitrdPayload(b"d-i debian-installer/locale select C.UTF-8\n", 0o600)})
BASE, LINUX = toy_initrd("base"), noise("linux", 90_000)
LOADERS = Loaders(
    *(noise("shim", 20_000), noise("grub", 60_000), noise("isolinux", 9_001), noise("mbr", 432)),
    {name: noise(name, 3000) for name in MODULES},
)
DISC = Disc("web1", "20250803+deb13u1", "trixie", ("auto=true", "priority=critical"), ("console=ttyS0",), 5)


def stored(name: str, data: bytes, front: bytes = b"") -> Stored:
    def digest(text: bytes) -> str:
        return md5(text, usedforsecurity=False).hexdigest()

    return Stored(name, sha256(data).hexdigest(), digest(data), len(data), digest(front + data))


def image_of(
    disc: Disc = DISC, *, front: bytes = FRONT, base: bytes = BASE, linux: bytes = LINUX, loaders: Loaders = LOADERS
) -> bytes:
    parts = master_disc(disc, stored("linux", linux), stored("initrd", base, front), front, loaders)
    large = {"linux": linux, "initrd": base}
    return b"".join(part if isinstance(part, bytes) else large[part.name] for part in parts)


def test_it_is_sound_and_the_preseed_is_in_front_of_the_installers_own_initrd() -> None:
    image = image_of()
    checks, contents = examine(io.BytesIO(image))
    assert [finding for check in checks for finding in check.findings] == []
    assert contents is not None
    carried = read_carried(io.BytesIO(image), contents)
    assert check_carried(carried).findings == ()
    content = files_on(image)
    assert content[KERNEL] == LINUX
    assert content[INITRD] == FRONT + BASE
    assert content[ORIGINAL_INITRD] == BASE
    sums = dict(line.split("  ./")[::-1] for line in content["md5sum.txt"].decode().splitlines())
    assert sums == {
        path: md5(data, usedforsecurity=False).hexdigest()
        for path, data in content.items()
        if not path.startswith("isolinux/") and path != "md5sum.txt"
    }
    assert len(image) % (1 << 20) == 0


def test_the_same_inputs_are_the_same_bytes() -> None:
    assert image_of() == image_of()


def guids(image: bytes) -> tuple[bytes, ...]:
    return (image[440:444], image[512 + 56 : 512 + 72], image[1024 + 16 : 1024 + 32], image[1152 + 16 : 1152 + 32])


@pytest.mark.parametrize(
    "other",
    [
        image_of(replace(DISC, guest="web2")),
        image_of(replace(DISC, delay=6)),
        image_of(replace(DISC, version="20250803+deb13u2")),
        image_of(front=segment({"/preseed.cfg": InitrdPayload(b"other", 0o600)})),
        image_of(base=toy_initrd("other")),
        image_of(linux=noise("other", 90_000)),
        image_of(loaders=replace(LOADERS, grub=noise("other", 60_000))),
        image_of(loaders=replace(LOADERS, modules={**LOADERS.modules, "menu.c32": noise("other", 3000)})),
    ],
    ids=["guest", "delay", "version", "front", "initrd", "kernel", "grub", "module"],
)
def test_another_input_is_another_disk_for_whoever_tells_disks_apart(other: bytes) -> None:
    first = image_of()
    assert all(one != two for one, two in zip(guids(first), guids(other), strict=True))
    at = 16 * SECTOR + 813  # the volume's moment: blkid's UUID
    assert first[at : at + 16] != other[at : at + 16]


@pytest.mark.parametrize(
    ("version", "day"), [("20250803+deb13u1", b"20250803"), ("sha256-0123456789ab", b"20000101"), ("", b"20000101")]
)
def test_the_day_is_the_installers(version: str, day: bytes) -> None:
    image = image_of(replace(DISC, version=version))
    assert image[16 * SECTOR + 813 :][:8] == day


def test_a_long_name_is_cut_in_the_label_alone() -> None:
    image = image_of(replace(DISC, guest="a" * 63))
    assert image[16 * SECTOR + 40 :][:32] == b"DOMU " + b"A" * 27
    assert b"Unattended installation of " + b"a" * 63 in image


def test_menus_start_by_themselves_and_offer_the_installer_as_it_was() -> None:
    image = image_of()
    content = files_on(image)
    for path, unattended, by_hand in (
        ("isolinux/isolinux.cfg", "append initrd=/install.amd/initrd.gz", "append initrd=/install.amd/original.gz"),
        ("boot/grub/grub.cfg", "initrd   /install.amd/initrd.gz", "initrd   /install.amd/original.gz"),
    ):
        text = content[path].decode()
        assert unattended in text
        assert by_hand in text
        assert text.count("console=ttyS0") == 2
        assert text.count("priority=critical") == 1
    assert "serial 0 115200" in image.decode("latin1")
    assert "serial 0 115200" not in image_of(replace(DISC, shared=())).decode("latin1")


@pytest.mark.parametrize(
    "loaders",
    [
        replace(LOADERS, mbr=bytes(440)),
        replace(LOADERS, isolinux=b""),
        replace(LOADERS, modules={}),
    ],
    ids=["mbr", "isolinux", "modules"],
)
def test_loaders_of_another_kind_are_refused(loaders: Loaders) -> None:
    with pytest.raises(BuilderError, match="isolinux is not what it was"):
        image_of(loaders=loaders)


@pytest.mark.parametrize("disc", [replace(DISC, delay=-1), replace(DISC, shared=("a;b",)), replace(DISC, guest="a'b")])
def test_what_menus_cannot_say_is_refused(disc: Disc) -> None:
    with pytest.raises(ValueError, match=r"delay|argument|name"):
        image_of(disc)


def test_both_partition_tables_have_their_checksums() -> None:
    part = Partition(EFI_SYSTEM, UUID(int=2), "EFI", 100, 199)
    front, back = write_gpt(UUID(int=1), 5000, (part,))
    for header, entries in ((front[:512], front[512:]), (back[-512:], back[:-512])):
        assert header.startswith(b"EFI PART")
        assert struct.unpack_from("<I", header, 16) == (crc32(header[:16] + bytes(4) + header[20:92]),)
        assert struct.unpack_from("<I", header, 88) == (crc32(entries),)
        assert len(entries) == 128 * 128
    assert struct.unpack_from("<QQQQ", front, 24) == (1, 4999, 34, 4966)
    assert struct.unpack_from("<QQ", back[-512:], 24) == (4999, 1)
    assert struct.unpack_from("<Q", back[-512:], 72) == (4967,)


@pytest.mark.parametrize(
    ("first", "start"),
    [(2048, (0, 1, 1)), (2048 * 300 + 33, (1, 2 | 1 << 6, 44)), (2048 * 2000, (0xFE, 0xFF, 0xFF))],
    ids=["near", "beyond-256-cylinders", "beyond-1023"],
)
def test_the_mbr_gives_both_kinds_of_places(first: int, start: tuple[int, int, int]) -> None:
    efi = Partition(EFI_SYSTEM, UUID(int=2), "EFI", first, first + 2047)
    mbr = write_mbr(noise("mbr", 432), isolinux=132, serial=0xDEADBEEF, efi=efi)
    assert len(mbr) == 512
    assert struct.unpack_from("<QI", mbr, 432) == (132, 0xDEADBEEF)
    assert (mbr[446], mbr[450], mbr[466]) == (0x80, 0x00, 0xEF)
    assert struct.unpack_from("<II", mbr, 454) == (0, first)
    assert struct.unpack_from("<II", mbr, 470) == (first, 2048)
    assert tuple(mbr[463:466]) == start


def test_the_boot_table_has_length_and_sum_of_isolinux() -> None:
    data = noise("isolinux", 9_001)
    done = with_boot_table(data, volume=16, extent=33)
    words = struct.unpack(f"<{(9_004 - 64) // 4}I", (data + bytes(3))[64:])
    assert struct.unpack_from("<IIII", done, 8) == (16, 33, 9_001, sum(words) % (1 << 32))
    assert (done[:8], done[24:64], done[64:]) == (data[:8], bytes(40), data[64:])
