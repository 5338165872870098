"""Properties of initrds: round trips through our reader and GNU cpio, and repacking that repeats itself."""

from __future__ import annotations

import gzip
import io
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.image.cpio import FILE, FOLDER, LINK, CpioError, Entry, folder, read_newc, with_parents, write_newc
from builder.image.initrd import ALIGNMENT, HEAD, InitrdPayload, front_length, read_segments, segment
from builder.workflows.initrd import repack

needs_cpio = pytest.mark.skipif(not shutil.which("cpio"), reason="GNU cpio is not installed")
PART = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda part: part not in {".", "..", "TRAILER!!!"}
)
PLAIN = st.from_regex(r"[a-z0-9][a-zA-Z0-9._+-]{0,9}", fullmatch=True)
DATA = st.binary(max_size=300) | st.integers(0, 9000).map(lambda size: b"x" * size)
NUMBER = st.integers(0, 0xFFFFFFFF)


def without_conflicts(files: dict[str, bytes]) -> dict[str, bytes]:
    """No path that is a file here and a folder there."""
    return {name: data for name, data in files.items() if not any(other.startswith(name + "/") for other in files)}


def trees(part: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, bytes]]:
    paths = st.lists(part, min_size=1, max_size=4).map("/".join)
    return st.dictionaries(paths, DATA, max_size=8).map(without_conflicts)


ENTRIES = st.lists(
    st.builds(
        Entry,
        name=st.lists(PART, min_size=1, max_size=5).map("/".join).filter(lambda name: name != "TRAILER!!!"),
        data=DATA,
        mode=st.sampled_from([FILE, FOLDER, LINK, 0o020000]).flatmap(lambda kind: st.integers(kind, kind | 0o7777)),
        mtime=NUMBER,
        nlink=NUMBER,
        uid=NUMBER,
        gid=NUMBER,
        rdev=st.tuples(NUMBER, NUMBER),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(ENTRIES, st.integers(0, 3))
def test_what_is_written_is_read(entries: list[Entry], padding: int) -> None:
    raw = write_newc(entries) + bytes(padding * 512)
    found = list(read_newc(io.BytesIO(raw + raw)))
    numbered = [replace(entry, inode=at) for at, entry in enumerate(entries, 1)]
    assert found == numbered + numbered


@settings(deadline=None)
@given(ENTRIES)
def test_reading_without_data_tells_the_same_sizes(entries: list[Entry]) -> None:
    found = list(read_newc(io.BytesIO(write_newc(entries)), lambda _entry: False))
    assert [(entry.name, entry.size, entry.data) for entry in found] == [(e.name, e.size, b"") for e in entries]


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(0, 200), st.binary(max_size=20))
def test_any_bytes_are_read_or_refused(noise: bytes, at: int, patch: bytes) -> None:
    archive = write_newc([Entry("a", b"data"), Entry("b", b"more")])
    for raw in (noise, archive[:at] + patch + archive[at + len(patch) :], archive[:at]):
        try:
            names = [entry.name for entry in read_newc(io.BytesIO(raw))]
        except CpioError:
            continue
        assert all(".." not in name.split("/") and not name.startswith("/") and "\0" not in name for name in names)


@needs_cpio
@settings(max_examples=40, deadline=None)
@given(trees(PLAIN), st.sampled_from([0o600, 0o644, 0o755, 0o400]))
def test_gnu_cpio_unpacks_what_we_write(files: dict[str, bytes], mode: int) -> None:
    archive = write_newc(with_parents([Entry(name, data, FILE | mode) for name, data in files.items()]))
    with TemporaryDirectory() as scratch:
        subprocess.run(["cpio", "-idm", "--quiet"], input=archive, cwd=scratch, check=True, capture_output=True)
        root = Path(scratch)
        assert {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()} == files
        assert {stat.S_IMODE(p.stat().st_mode) for p in root.rglob("*") if p.is_file()} <= {mode}
        assert {p.stat().st_mtime for p in root.rglob("*") if p.is_file()} <= {0}


@needs_cpio
@settings(max_examples=40, deadline=None)
@given(trees(PLAIN), st.sampled_from([0o600, 0o644, 0o755]))
def test_we_read_what_gnu_cpio_writes(files: dict[str, bytes], mode: int) -> None:
    with TemporaryDirectory() as scratch:
        for name, data in files.items():
            path = Path(scratch, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(mode)
        Path(scratch, "A-LINK").symlink_to("some/where")
        listing = "\0".join(sorted(str(p.relative_to(scratch)) for p in Path(scratch).rglob("*"))).encode()
        argv = ["cpio", "-o", "-H", "newc", "--null", "--quiet"]
        archive = subprocess.run(argv, input=listing, cwd=scratch, check=True, capture_output=True).stdout
        found = {entry.name: entry for entry in read_newc(io.BytesIO(archive))}
        assert found.pop("A-LINK").data == b"some/where"
        assert {name: entry.data for name, entry in found.items() if entry.format == FILE} == files
        assert {entry.mode & 0o7777 for entry in found.values() if entry.format == FILE} <= {mode}
        # and what we write of it is what GNU cpio reads as the same
        again = write_newc(found.values())
        listed = subprocess.run(["cpio", "-it", "--quiet"], input=again, check=True, capture_output=True).stdout
        assert listed.decode().splitlines() == list(found)


PAYLOADS = st.dictionaries(
    st.lists(PLAIN, min_size=1, max_size=3).map(lambda parts: "/domu/" + "/".join(parts)), DATA, max_size=5
).map(without_conflicts)


@settings(deadline=None)
@given(PAYLOADS, st.binary(max_size=100))
def test_a_segment_is_whole_blocks_known_again_and_holds_the_files(files: dict[str, bytes], behind: bytes) -> None:
    made = segment({name: InitrdPayload(data) for name, data in files.items()})
    assert len(made) % ALIGNMENT == 0
    assert front_length((made + behind)[:HEAD]) == len(made)
    found = {f"/{entry.name}": entry.data for entry in read_newc(io.BytesIO(made)) if entry.format == FILE}
    assert {name: data for name, data in found.items() if name != "/.domu"} == files
    again = segment({name.lstrip("/"): InitrdPayload(data) for name, data in reversed(files.items())})
    assert made == again


@settings(deadline=None, max_examples=50)
@given(PAYLOADS, PAYLOADS, st.binary(max_size=10_000), st.booleans())
def test_repacking_replaces_and_repeats(
    first: dict[str, bytes], second: dict[str, bytes], bulk: bytes, microcode: bool
) -> None:
    stranger = write_newc([folder("kernel"), Entry("kernel/x", b"fw")]) if microcode else b""
    base = stranger + gzip.compress(write_newc([Entry("init", bulk)]), mtime=0)
    with TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / "base").write_bytes(base)

        def packed(source: str, target: str, files: dict[str, bytes]) -> bytes:
            payloads = {name: InitrdPayload(data) for name, data in files.items()}
            done = repack(root / source, payloads, root / target)
            raw = (root / target).read_bytes()
            assert raw[done.front :] == base
            assert done.replaced == (source != "base")
            return raw

        direct = packed("base", "direct", second)
        packed("base", "once", first)
        assert packed("once", "twice", second) == direct
        assert packed("twice", "twice", second) == direct
        parts = read_segments(io.BytesIO(direct), len(direct))
        assert [part.kind for part in parts] == ["domu", *["cpio"] * microcode, "gzip"]
        assert sum(part.size for part in parts) == len(direct)
