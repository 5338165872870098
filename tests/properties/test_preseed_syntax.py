"""Laws of the preseed parser, over made-up files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from builder.preseed.lint import lint
from builder.preseed.loader import load
from builder.preseed.syntax import Broken, Entry, parse_preseed, unparse

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


@given(files)
def test_the_linter_never_fails_and_points_into_the_file(data: bytes) -> None:
    for finding in lint(parse_preseed(data), "p.cfg"):
        assert 1 <= finding.place.line <= data.count(b"\n") + 1
        assert 1 <= finding.place.column <= len(data) + 1


@given(files)
def test_a_load_that_aborts_is_always_an_error(data: bytes) -> None:
    file = parse_preseed(data)
    errors = {finding.place.line for finding in lint(file).errors}
    assert not load(file).aborts or load(file).abort_line in errors


@given(files)
def test_every_entry_that_is_lost_is_an_error(data: bytes) -> None:
    file = parse_preseed(data)
    lost = [item for item in file.items if isinstance(item, Broken)]
    assert len(lint(file).errors) >= min(len(lost), 1)
