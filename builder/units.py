"""Sizes are a type, never a bare number: bytes inside, units at the door."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import total_ordering
from typing import Self

# Binary as LVM and Xen mean them (G, GiB); decimal as partman and disk makers mean them (GB).
UNITS: dict[str, int] = {
    "B": 1,
    **{letter + ending: 1 << 10 * power for power, letter in enumerate("KMGT", 1) for ending in ("", "iB")},
    **{letter + "B": 1000**power for power, letter in enumerate("kMGT", 1)},
}
_SIZE = re.compile(r"(?P<number>[0-9]{1,19}(?:\.[0-9]{1,6})?) ?(?P<unit>[A-Za-z]*)", re.ASCII)
LARGEST = 1 << 63  # what the kernel counts in; everything below reads back from its own text
SIZE_HINT = "write a number with a unit: 1024M or 10G (1024-based), 10GB (1000-based)"


@total_ordering
@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes, never negative."""

    bytes: int

    def __post_init__(self) -> None:
        if self.bytes < 0:
            raise ValueError(f"a size is never negative: {self.bytes}")

    @classmethod
    def parse(cls, text: str, *, bare_is_bytes: bool = False) -> Self:
        """`10G`, `10GiB`, `10.5 GB`, `4194304B`; a number without unit only where `bare_is_bytes`.

        Raises ValueError with what to write instead.
        """
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a size; {SIZE_HINT}")
        unit = match["unit"] or ("B" if bare_is_bytes else "")
        if unit not in UNITS:
            seen = f"unit {unit!r} is not known" if unit else "a size needs a unit"
            raise ValueError(f"{text!r}: {seen}; {SIZE_HINT}")
        number = Decimal(match["number"]) * UNITS[unit]
        if number != int(number):
            raise ValueError(f"{text!r} is not a whole number of bytes")
        if number >= LARGEST:
            raise ValueError(f"{text!r} is more than any disk holds; {SIZE_HINT}")
        return cls(int(number))

    def __str__(self) -> str:
        for unit in ("T", "G", "M", "K"):
            if self.bytes and self.bytes % UNITS[unit] == 0:
                return f"{self.bytes // UNITS[unit]}{unit}"
        return f"{self.bytes}B"

    @property
    def human(self) -> str:
        """Rounded for reading: `9.4 GiB`."""
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            if self.bytes >= UNITS[unit]:
                return f"{self.bytes / UNITS[unit]:.1f} {unit}"
        return f"{self.bytes} B"

    def __lt__(self, other: Size) -> bool:
        return self.bytes < other.bytes

    def __add__(self, other: Size) -> Size:
        return Size(self.bytes + other.bytes)

    def extents(self, extent: Size) -> int:
        """How many whole extents hold this much: rounded up, as `lvcreate --size` does."""
        return -(-self.bytes // extent.bytes)

    def mebibytes(self) -> int:
        """Whole MiB, rounded up: the unit of `memory=` in an xl config."""
        return -(-self.bytes // UNITS["MiB"])
