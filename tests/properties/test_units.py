"""A size that is written reads back as the same size."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.units import LARGEST, UNITS, Size

COUNTS = st.integers(0, LARGEST - 1)


@given(COUNTS)
def test_a_size_reads_back_as_itself(count: int) -> None:
    assert Size.parse(str(Size(count))) == Size(count)


@given(st.integers(0, 10**6), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_every_unit_is_what_it_says(number: int, unit: str, blank: str) -> None:
    assert Size.parse(f"{number}{blank}{unit}") == Size(number * UNITS[unit])


@given(COUNTS, COUNTS)
def test_sizes_order_and_add_as_their_bytes(one: int, other: int) -> None:
    assert (Size(one) < Size(other)) == (one < other)
    assert Size(one) + Size(other) == Size(one + other)


@given(COUNTS, st.sampled_from([1 << 20, 4 << 20, 32 << 20]))
def test_extents_hold_it_and_one_less_would_not(count: int, extent: int) -> None:
    extents = Size(count).extents(Size(extent))
    assert (extents - 1) * extent < count or count == 0
    assert extents * extent >= count


@given(st.text(max_size=20))
def test_other_text_is_refused_with_what_to_write(text: str) -> None:
    known = re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,6})? ?(B|[KMGT](iB)?|[kMGT]B)", text.strip(), re.ASCII)
    if known is None:
        with pytest.raises(ValueError, match=r"size|whole number of bytes|unit|more than any disk"):
            Size.parse(text)


@pytest.mark.parametrize(
    "text", ["-1G", "1,5G", "1G5", "1 G B", "٣G", "1e3M", "1.5B", "G", "", "0x10M", "8388608T", "9223372036854775808B"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|whole|more than any disk"):
        Size.parse(text)
