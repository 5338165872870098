"""Partition tables of real images, moved."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from builder.image.iso.hybrid import LBA, Hybrid, gpt_partitions, move_tables, read_hybrid
from builder.image.iso.volume import IsoError
from tests import images

SHIFT = 3 << 20


@pytest.fixture(scope="module", params=["netinst", "mini"])
def raw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp(request.param)
    return (images.netinst(folder) if request.param == "netinst" else images.mini(folder)).read_bytes()


def read(raw: bytes) -> Hybrid:
    return read_hybrid(io.BytesIO(raw))


def shown(hybrid: Hybrid) -> list[tuple[str, int, int, int]]:
    return [(one.scheme, one.number, one.start, one.end) for one in hybrid.partitions]


def grown(raw: bytes, cut: int) -> bytes:
    """The image with SHIFT bytes put in at `cut`, and its tables moved accordingly."""
    hybrid = read(raw)
    new = bytearray(raw[:cut] + bytes(SHIFT) + raw[cut:])

    def remap(start: int, end: int) -> tuple[int, int]:
        return start + SHIFT * (start >= cut), end + SHIFT * (end > cut)

    for offset, data in move_tables(hybrid, remap):
        new[offset : offset + len(data)] = data
    return bytes(new)


def cut_of(hybrid: Hybrid) -> int:
    assert hybrid.backup
    return hybrid.backup.array_at * LBA // 2048 * 2048


def test_both_copies_of_the_gpt_are_read_and_sound(raw: bytes) -> None:
    hybrid = read(raw)
    assert hybrid.primary
    assert hybrid.backup
    assert hybrid.primary.sound
    assert hybrid.backup.sound
    assert hybrid.primary.array == hybrid.backup.array
    assert hybrid.primary.at == hybrid.backup.other == 1
    assert hybrid.primary.other == hybrid.backup.at


def test_what_stands_where_in_a_netinst(tmp_path: Path) -> None:
    hybrid = read(images.netinst(tmp_path).read_bytes())
    assert hybrid.primary
    assert (hybrid.primary.array_at, hybrid.primary.count) == (12, 208)
    assert [(one.number, one.kind) for one in hybrid.mbr] == [(1, "00"), (2, "ef")]
    assert [one.kind for one in hybrid.apm] == ["Apple_partition_map", "Apple_HFS"]
    efi = {(one.start, one.end) for one in hybrid.partitions if one.number == 2}
    assert len(efi) == 1  # the same stretch in all three tables


def test_moved_tables_are_sound_and_tell_of_the_new_places(raw: bytes) -> None:
    old = read(raw)
    cut = cut_of(old)
    new = read(grown(raw, cut))
    assert new.primary
    assert new.backup
    assert new.primary.sound
    assert new.backup.sound
    assert new.backup.at * LBA == (old.primary.other * LBA if old.primary else 0) + SHIFT
    assert new.primary.array == new.backup.array
    expected = [
        (scheme, number, start + SHIFT * (start >= cut), end + SHIFT * (end > cut))
        for scheme, number, start, end in shown(old)
    ]
    assert shown(new) == expected
    assert any(end > cut for *_, end in expected)


def test_nothing_moved_writes_nothing_new(raw: bytes) -> None:
    new = bytearray(raw)
    for offset, data in move_tables(read(raw), lambda start, end: (start, end)):
        new[offset : offset + len(data)] = data
    assert new == raw


def test_cylinders_are_counted_as_before(raw: bytes) -> None:
    """isohybrid's 64 heads of 32 sectors; the EFI slot says FE FF FF, as it did."""
    old = read(raw)
    new = read(grown(raw, cut_of(old)))
    wide, efi = new.mbr[0], new.mbr[1]
    last = wide.end // LBA - 1
    cylinder, rest = divmod(last, 64 * 32)
    head, sector = divmod(rest, 32)
    assert wide.chs[3:] == bytes([head, sector + 1 | cylinder >> 2 & 0xC0, cylinder & 0xFF])
    assert efi.chs == old.mbr[1].chs == b"\xfe\xff\xff\xfe\xff\xff"


def test_a_gpt_with_a_wrong_crc_is_not_moved(raw: bytes) -> None:
    broken = bytearray(raw)
    hybrid = read(raw)
    assert hybrid.primary
    broken[hybrid.primary.array_at * LBA + 32] ^= 1
    assert not (read(bytes(broken)).primary or hybrid.primary).sound
    with pytest.raises(IsoError, match="wrong CRC"):
        move_tables(read(bytes(broken)), lambda start, end: (start, end))


def test_the_crc_is_over_the_whole_array(raw: bytes) -> None:
    """pycdlib takes it over the entries in use alone."""
    hybrid = read(raw)
    assert hybrid.primary
    (crc,) = struct.unpack_from("<L", hybrid.primary.header, 88)
    assert crc == zlib.crc32(hybrid.primary.array)
    assert len(list(gpt_partitions(hybrid.primary))) < hybrid.primary.count


@pytest.mark.parametrize(
    ("at", "value", "complaint"),
    [
        pytest.param(512 + 84, struct.pack("<L", 1 << 30), "cannot be", id="entries as wide as the image"),
        pytest.param(512 + 80, struct.pack("<L", 1 << 30), "cannot be", id="a thousand million entries"),
        pytest.param(512 + 72, struct.pack("<Q", 1 << 40), "beyond the image", id="entries beyond the image"),
    ],
)
def test_a_gpt_that_cannot_be_is_refused(raw: bytes, at: int, value: bytes, complaint: str) -> None:
    with pytest.raises(IsoError, match=complaint):
        read(raw[:at] + value + raw[at + len(value) :])


def test_no_partition_leaves_the_mbr(raw: bytes) -> None:
    with pytest.raises(IsoError, match="32 bits"):
        move_tables(read(raw), lambda start, end: (start, end + (1 << 41)))


def test_a_gpt_entry_at_the_end_of_all_numbers_is_refused_when_it_would_move(raw: bytes) -> None:
    hybrid = read(raw)
    assert hybrid.primary
    array = bytearray(hybrid.primary.array)
    at = 9 * hybrid.primary.width
    array[at : at + 48] = struct.pack("<16s16sQQ", b"k" * 16, b"g" * 16, (1 << 64) - 9, (1 << 64) - 1)
    far = replace(hybrid, primary=replace(hybrid.primary, array=bytes(array)))
    with pytest.raises(IsoError, match="further off than it can count"):
        move_tables(far, lambda start, end: (start + SHIFT, end + SHIFT))
