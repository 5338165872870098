"""Sizes: units at the door, bytes inside."""

from __future__ import annotations

import pytest

from builder.units import Size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1G", 1 << 30),
        ("1 GiB", 1 << 30),
        ("10GB", 10_000_000_000),
        ("1.5G", 3 << 29),
        ("512kB", 512_000),
        ("4194304B", 4_194_304),
        (" 768M ", 768 << 20),
        ("0B", 0),
    ],
)
def test_a_size_is_read_with_its_unit(text: str, expected: int) -> None:
    assert Size.parse(text).bytes == expected


@pytest.mark.parametrize("text", ["", "G", "10", "-1G", "1,5G", "10X", "1e3M", "0.3B", "١G", "1G\n2G", "9" * 30 + "G"])
def test_what_is_no_size_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a (size|whole number)|needs a unit|is not known"):
        Size.parse(text)


def test_a_bare_number_is_bytes_only_where_asked() -> None:
    assert Size.parse("4096", bare_is_bytes=True) == Size(4096)


@pytest.mark.parametrize(("size", "shown"), [(0, "0B"), (1 << 30, "1G"), (1536 << 20, "1536M"), (1000, "1000B")])
def test_a_size_shows_itself_exactly(size: int, shown: str) -> None:
    assert str(Size(size)) == shown


def test_extents_and_mebibytes_round_up() -> None:
    assert Size(4 * 1024**2 + 1).extents(Size.parse("4M")) == 2
    assert Size(1).mebibytes() == 1
