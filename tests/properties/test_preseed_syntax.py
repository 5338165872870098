"""Laws of the preseed parser, over made-up files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from builder.preseed.loader import load
from builder.preseed.syntax import Entry, parse_preseed, unparse

SIGNS = [*b" \t\n\r\v\f\0\\#-neEab/.*?\xc2\xa0\x81\xff"]
WORDS = [
    b"d-i",
    b"a/b",
    b"string",
    b"seen",
    b"true",
    b"\\\n",
    b"\n",
    b"\n",
    b" ",
    b"  ",
    b"\t",
    b"\r\n",
    b"# c\n",
    b"-n\n",
]
files = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from(SIGNS), max_size=60).map(bytes),
    st.lists(st.sampled_from(WORDS), max_size=40).map(b"".join),
)


@given(files)
def test_nothing_is_lost(data: bytes) -> None:
    assert unparse(parse_preseed(data)) == data


@given(files)
def test_every_field_is_found_where_it_says(data: bytes) -> None:
    for entry in parse_preseed(data).entries:
        for field in entry[4:7]:
            assert field.start < field.end or not field.text
            if b"\\" not in data and b"\r" not in data:
                assert data[field.start : field.end].decode("utf-8", "surrogateescape") == field.text


@given(files, files)
def test_what_comes_before_is_not_changed_by_what_comes_after(before: bytes, after: bytes) -> None:
    head = before + b"\n"
    alone, both = parse_preseed(head), parse_preseed(head + after)
    if all(isinstance(item, Entry) for item in alone.items):
        assert both.items[: len(alone.items)] == alone.items
        assert load(both).abort_line in {0, *range(head.count(b"\n") + 1, (head + after).count(b"\n") + 2)}


@given(files)
def test_items_and_lines_are_in_order_and_do_not_overlap(data: bytes) -> None:
    file = parse_preseed(data)
    assert [line.start for line in file.lines] == sorted(line.start for line in file.lines)
    ends = [index for item in file.items for index in (item.first, item.last)]
    assert ends == sorted(ends)
