"""The segment in front: its bytes, how it is known again, and which files may travel in it."""

from __future__ import annotations

import gzip
import io
import lzma
from collections.abc import Sequence

import pytest

from builder.errors import BuilderError, RefusalError
from builder.image.cpio import LINK, Entry, folder, read_newc, write_newc
from builder.image.initrd import (
    ALIGNMENT,
    HEAD,
    InitrdFacts,
    InitrdPayload,
    check_files,
    check_names,
    front_length,
    read_initrd,
    read_segments,
    segment,
)

STATUS = "Package: busybox-udeb\nStatus: install ok installed\nVersion: 1:1.37.0-6\n"
# A usr-merged base in small, as trixie's: /lib is a link.
TREE = [
    folder("."),
    Entry("lib", b"usr/lib", LINK | 0o777),
    Entry("init", b"#!/bin/sh\n"),
    *(folder(name) for name in ("usr", "usr/lib", "usr/lib/modules", "usr/lib/modules/6.12.1+deb13-amd64")),
    Entry("usr/lib/modules/6.12.1+deb13-amd64/modules.dep", b"x" * 300_000),
    *(folder(name) for name in ("var", "var/lib", "var/lib/dpkg")),
    Entry("var/lib/dpkg/status", STATUS.encode()),
]
BASE = gzip.compress(write_newc(TREE), mtime=0)
FACTS = read_initrd(io.BytesIO(BASE))
MICROCODE = write_newc([folder("kernel"), folder("kernel/x86"), Entry("kernel/x86/fw.bin", b"m" * 5000)])


def front(**files: bytes) -> bytes:
    return segment({name.replace("__", "/"): InitrdPayload(data) for name, data in files.items()})


def test_the_segment_is_aligned_and_read_by_anybody() -> None:
    made = segment({"/preseed.cfg": InitrdPayload(b"d-i x\n", 0o600), "/domu/hook": InitrdPayload(b"#!", 0o755)})
    assert len(made) == ALIGNMENT
    found = {entry.name: entry for entry in read_newc(io.BytesIO(made))}
    assert list(found) == [".domu", "domu", "domu/hook", "preseed.cfg"]
    assert found["preseed.cfg"].mode == 0o100600
    assert found["domu/hook"].mode == 0o100755
    assert {(entry.uid, entry.gid, entry.mtime) for entry in found.values()} == {(0, 0, 0)}


def test_the_order_in_which_files_are_named_does_not_matter() -> None:
    assert front(a=b"1", b=b"2") == front(b=b"2", a=b"1")


@pytest.mark.parametrize("size", [0, 1, 3700, 3800, 3900, 4000, 4096, 100_000])
def test_front_length_is_the_segments_length(size: int) -> None:
    made = front(preseed=b"x" * size)
    assert len(made) % ALIGNMENT == 0
    assert front_length((made + BASE)[:HEAD]) == len(made)


@pytest.mark.parametrize(
    "head",
    [b"", b"\0" * HEAD, BASE[:HEAD], MICROCODE[:HEAD], write_newc([Entry("preseed.cfg", b"x")]), b"070701" * 80],
    ids=["empty", "zeros", "gzip", "microcode", "another tool's preseed", "garbage"],
)
def test_a_strangers_front_is_part_of_the_base(head: bytes) -> None:
    assert front_length(head) == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"domu initrd segment, version 2, 0000004096 bytes\n", "another domu"),
        (b"domu initrd segment, version 1, 0000004095 bytes\n", "damaged"),
        (b"domu initrd segment, version 1, 0000000000 bytes\n", "damaged"),
        (b"something else\n", "damaged"),
    ],
)
def test_a_segment_of_ours_that_is_not_understood_is_refused(text: bytes, complaint: str) -> None:
    with pytest.raises(BuilderError, match=complaint):
        front_length(write_newc([Entry(".domu", text)]))


def test_facts_of_a_base() -> None:
    assert FACTS.kernel_abis == ("6.12.1+deb13-amd64",)
    assert FACTS.dpkg_status == STATUS
    assert {"init", "lib", "usr/lib/modules"} <= FACTS.names
    assert "." not in FACTS.names
    assert "usr/lib" in FACTS.folders
    assert "lib" not in FACTS.folders
    assert not FACTS.has_preseed


def test_facts_do_not_depend_on_how_archives_are_strung_together() -> None:
    halves = gzip.compress(write_newc(TREE[:5])) + bytes(64) + gzip.compress(write_newc(TREE[5:]))
    assert read_initrd(io.BytesIO(halves)) == FACTS
    assert read_initrd(io.BytesIO(write_newc(TREE))) == FACTS
    with_microcode = read_initrd(io.BytesIO(MICROCODE + BASE))
    assert with_microcode.names == FACTS.names | {"kernel", "kernel/x86", "kernel/x86/fw.bin"}
    after_gzip = read_initrd(io.BytesIO(BASE + bytes(-len(BASE) % 4) + MICROCODE))
    assert after_gzip == with_microcode


def test_bookworms_modules_are_found_too() -> None:
    tree = [folder("lib/modules/6.1.0-50-amd64"), Entry("preseed.cfg", b"")]
    facts = read_initrd(io.BytesIO(write_newc(tree)))
    assert facts.kernel_abis == ("6.1.0-50-amd64",)
    assert facts.has_preseed


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        pytest.param(BASE[:-20], "ends within its compressed part", id="cut off"),
        pytest.param(BASE[:-8] + b"\0\0\0\0" + BASE[-4:], "damaged", id="wrong CRC"),
        pytest.param(gzip.compress(b"no archive at all"), "in the middle of a member|no newc", id="gzip of something"),
        pytest.param(gzip.compress(write_newc(TREE)[:-300]), "in the middle of a member", id="gzip of half an archive"),
        pytest.param(lzma.compress(write_newc(TREE)), "packed with xz", id="xz"),
        pytest.param(b"\x28\xb5\x2f\xfd" + bytes(99), "packed with zstd", id="zstd"),
        pytest.param(b"<!DOCTYPE html>", "starts nothing known", id="an error page"),
        pytest.param(BASE + b"trailing rubbish", "starts nothing known", id="rubbish behind"),
    ],
)
def test_what_the_kernel_would_not_unpack_is_refused(raw: bytes, complaint: str) -> None:
    with pytest.raises(BuilderError, match=complaint):
        read_initrd(io.BytesIO(raw))


def test_a_gzip_bomb_is_read_in_bounds() -> None:
    bomb = io.BytesIO(gzip.compress(write_newc([Entry("zeros", bytes(50 << 20))]), 1))
    assert read_initrd(bomb).names == {"zeros"}


def codes(names: Sequence[str], facts: InitrdFacts = FACTS) -> list[str]:
    return [finding.code for finding in check_files(names, facts)]


@pytest.mark.parametrize("name", ["/preseed.cfg", "/domu/a/b", "usr/lib/domu.sh", "/etc/new", "/domu/größe"])
def test_files_that_arrive(name: str) -> None:
    assert codes([name]) == []


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["/a/../b"], ["I101"], id="dot dot"),
        pytest.param(["/"], ["I101"], id="root"),
        pytest.param(["//x//y"], ["I101"], id="double slash"),
        pytest.param(["/a\nb"], ["I101"], id="newline"),
        pytest.param(["/a\0b"], ["I101"], id="NUL"),
        pytest.param(["/" + "x" * 1100], ["I101"], id="too long"),
        pytest.param(["/.domu"], ["I102"], id="the marker"),
        pytest.param(["/.domu/x"], ["I102"], id="below the marker"),
        pytest.param(["/dev/x"], ["I103"], id="mounted over"),
        pytest.param(["/run/domu/x"], ["I103"], id="mounted over, deeper"),
        pytest.param(["/target/etc/motd"], ["I103"], id="hidden by the new system"),
        pytest.param(["/a", "/a/b"], ["I104"], id="file and folder"),
        pytest.param(["/a", "a"], ["I104"], id="twice"),
        pytest.param(["/init"], ["I105"], id="in the base"),
        pytest.param(["/usr/lib"], ["I105"], id="a folder of the base"),
        pytest.param(["/lib/x"], ["I106"], id="below a link"),
        pytest.param(["/lib/modules/x"], ["I106"], id="deep below a link"),
        pytest.param(["/init/x"], ["I106"], id="below a file"),
        pytest.param(["/lib/x", "/init", "/dev/y"], ["I103", "I105", "I106"], id="all at once"),
    ],
)
def test_files_that_would_not_arrive(names: list[str], expected: list[str]) -> None:
    assert codes(names) == expected


def test_a_base_with_a_preseed_of_its_own_is_refused() -> None:
    assert codes(["/preseed.cfg"], read_initrd(io.BytesIO(write_newc([Entry("preseed.cfg")])))) == ["I105"]


def test_segment_refuses_what_no_base_can_take() -> None:
    assert [finding.code for finding in check_names(["../x"])] == ["I101"]
    with pytest.raises(RefusalError) as refusal:
        segment({"../x": InitrdPayload(b"")})
    assert [finding.code for finding in refusal.value.findings] == ["I101"]


def kinds(raw: bytes) -> list[tuple[str, int, int]]:
    return [(part.kind, part.offset, part.size) for part in read_segments(io.BytesIO(raw), len(raw))]


def test_the_parts_of_an_initrd() -> None:
    ours = front(preseed=b"x" * 5000)
    assert kinds(BASE) == [("gzip", 0, len(BASE))]
    assert kinds(ours + BASE) == [("domu", 0, 8192), ("gzip", 8192, len(BASE))]
    assert kinds(ours + MICROCODE + BASE) == [
        ("domu", 0, 8192),
        ("cpio", 8192, len(MICROCODE)),
        ("gzip", 8192 + len(MICROCODE), len(BASE)),
    ]
    assert kinds(ours) == [("domu", 0, 8192)]
    assert kinds(b"") == []
    assert kinds(b"hello") == [("unknown", 0, 5)]
    parts = read_segments(io.BytesIO(ours), len(ours))
    assert [(entry.name, entry.data, entry.size) for entry in parts[0].entries[1:]] == [("preseed", b"", 5000)]


def test_a_segment_that_was_cut_or_moved_is_refused() -> None:
    ours = front(preseed=b"x" * 5000)
    with pytest.raises(BuilderError, match="tells of 8192 bytes"):
        kinds(ours[:6000])
    with pytest.raises(BuilderError, match="tells of 8192 bytes and ends at 7192"):
        kinds(ours[:7192] + BASE + BASE)
