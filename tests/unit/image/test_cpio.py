"""newc archives: what is written, and what hostile bytes are answered with."""

from __future__ import annotations

import io

import pytest

from builder.image.cpio import (
    FILE,
    FOLDER,
    LARGEST_HELD,
    LINK,
    CpioError,
    Entry,
    folder,
    read_newc,
    with_parents,
    write_newc,
)

HELLO = write_newc([Entry("hello", b"world")])


def header(*, name: bytes = b"x\0", size: int = 0, name_size: int | None = None, mode: int = FILE | 0o644) -> bytes:
    """One newc header with its name, every number under control."""
    length = len(name) if name_size is None else name_size
    fields = (1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, length, 0)
    raw = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    return raw + bytes(-len(raw) % 4)


END = write_newc([])


def test_the_bytes_are_those_of_the_format() -> None:
    zero = b"00000000"
    fields = [b"00000001", b"000081A4", zero, zero, b"00000001", zero, b"00000005", *[zero] * 4, b"00000006", zero]
    assert HELLO[:110] == b"070701" + b"".join(fields)
    assert HELLO[110:124] == b"hello\0" + b"world\0\0\0"
    assert len(HELLO) % 4 == 0
    assert b"TRAILER!!!\0" in HELLO


def test_several_padded_archives_are_read_as_the_kernel_does() -> None:
    second = write_newc([Entry("later", b"2", mode=FILE | 0o600)])
    found = list(read_newc(io.BytesIO(HELLO + bytes(4096) + second + bytes(512))))
    assert [(entry.name, entry.data) for entry in found] == [("hello", b"world"), ("later", b"2")]


def test_an_empty_or_blank_stream_has_no_members() -> None:
    assert list(read_newc(io.BytesIO(b""))) == []
    assert list(read_newc(io.BytesIO(bytes(1 << 20)))) == []
    assert list(read_newc(io.BytesIO(END))) == []


def test_data_that_is_not_wanted_is_passed_over() -> None:
    archive = write_newc([Entry("big", b"x" * 100_001), Entry("small", b"y")])
    big, small = read_newc(io.BytesIO(archive), lambda entry: entry.name == "small")
    assert (big.data, big.skipped, big.size) == (b"", 100_001, 100_001)
    assert (small.data, small.skipped, small.size) == (b"y", 0, 1)


def test_kinds_and_numbers_survive() -> None:
    entries = [
        folder("dev"),
        Entry("dev/console", mode=0o020600, rdev=(5, 1)),
        Entry("lib", b"usr/lib", LINK | 0o777, mtime=7, uid=1, gid=2),
    ]
    found = list(read_newc(io.BytesIO(write_newc(entries))))
    assert [(e.name, e.mode, e.rdev, e.data, e.mtime, e.uid, e.gid) for e in found] == [
        (e.name, e.mode, e.rdev, e.data, e.mtime, e.uid, e.gid) for e in entries
    ]
    assert [entry.format for entry in found] == [FOLDER, 0o020000, LINK]


class Trickle(io.RawIOBase):
    """Gives one byte at a time, as a slow pipe may."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, _size: int = -1, /) -> bytes:
        first, self._data = self._data[:1], self._data[1:]
        return first


def test_short_reads_are_put_together() -> None:
    assert [entry.data for entry in read_newc(Trickle(HELLO))] == [b"world"]


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        pytest.param(b"070702" + HELLO[6:], "no newc header at byte 0", id="crc format"),
        pytest.param(b"\xc7\x71" + HELLO[2:], "no newc header", id="old binary format"),
        pytest.param(b"x" + bytes(400), "no newc header", id="not cpio"),
        pytest.param(HELLO[:60], "ends at byte 60", id="cut in the header"),
        pytest.param(HELLO[:113], "ends at byte 113", id="cut in the name"),
        pytest.param(HELLO[:120], "ends at byte 120", id="cut in the data"),
        pytest.param(HELLO[: -len(END)], "ends at byte", id="no trailer"),
        pytest.param(bytes(3) + HELLO, "no newc header at byte 3", id="not aligned"),
        pytest.param(HELLO[:6] + b"0000000g" + HELLO[14:], "no hexadecimal number", id="bad digit"),
        pytest.param(HELLO[:6] + b"+0000001" + HELLO[14:], "no hexadecimal number", id="a sign"),
        pytest.param(HELLO[:6] + b" 0x00001" + HELLO[14:], "no hexadecimal number", id="a prefix"),
        pytest.param(header(size=0xFFFFFFFF), "more than is ever read at once", id="4 GiB in one member"),
        pytest.param(header(size=1000), "in the middle of a member", id="size beyond the end"),
        pytest.param(header(name=b"", name_size=0), "a name of 0 bytes", id="no name"),
        pytest.param(header(name=b"\0"), "a name of 1 bytes", id="empty name"),
        pytest.param(header(name_size=0x7FFFFFFF), "a name of 2147483647 bytes", id="endless name"),
        pytest.param(header(name=b"abc", name_size=3), "NUL in the wrong place", id="name without NUL"),
        pytest.param(header(name=b"a\0b\0"), "NUL in the wrong place", id="NUL within the name"),
        pytest.param(header(name=b"/etc/passwd\0"), "reaches outside", id="absolute name"),
        pytest.param(header(name=b"a/../../b\0"), "reaches outside", id="dot dot"),
        pytest.param(header(name=b"..\0"), "reaches outside", id="only dot dot"),
    ],
)
def test_hostile_bytes_are_refused(raw: bytes, complaint: str) -> None:
    with pytest.raises(CpioError, match=complaint):
        list(read_newc(io.BytesIO(raw)))


def test_a_huge_member_nobody_wants_is_refused_only_by_its_missing_bytes() -> None:
    raw = header(size=LARGEST_HELD + 1) + b"x" * 10
    with pytest.raises(CpioError, match="in the middle of a member"):
        list(read_newc(io.BytesIO(raw), lambda _entry: False))


class Endless:
    """A member of 4 GiB without end: what a small compressed file can unpack to."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int, /) -> bytes:
        first = header(size=0xFFFFFFFF) if self.given == 0 else b""
        self.given += size
        return first + bytes(size - len(first))


def test_an_endless_archive_ends_at_the_limit() -> None:
    stream = Endless()
    with pytest.raises(CpioError, match="where reading stops"):
        list(read_newc(stream, lambda _entry: False))
    assert stream.given <= (1 << 30) + (1 << 20)


@pytest.mark.parametrize(
    "entry",
    [
        Entry(""),
        Entry("a\0b"),
        Entry("x" * 4096),
        Entry("x", mode=1 << 32),
        Entry("x", mtime=-1),
        Entry("x", skipped=3),
    ],
    ids=["empty", "NUL", "too long", "mode", "mtime", "data not held"],
)
def test_what_newc_cannot_hold_is_not_written(entry: Entry) -> None:
    with pytest.raises(ValueError, match=r"no member|does not fit"):
        write_newc([entry])


def test_parents_come_first_and_once() -> None:
    entries = [Entry("b/c/d", b"1"), Entry("b-x"), Entry("b/a"), Entry("a")]
    assert [entry.name for entry in with_parents(entries)] == ["a", "b", "b/a", "b/c", "b/c/d", "b-x"]
