from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host.store import Blob, DigestError, Store
from builder.progress import Silence
from tests.archive import sha256

DATA = b"verified bytes"
NAME = sha256(DATA)


class Heard(Silence):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.waits = threading.Event()

    def say(self, text: str) -> None:
        self.said.append(text)
        self.waits.set()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def store(tmp_path: Path, heard: Heard) -> Store:
    return Store(tmp_path / "cache", heard)


def test_an_empty_store_has_nothing_and_makes_nothing(store: Store) -> None:
    assert store.find(NAME) is None
    assert not store.root.exists()


def test_what_was_admitted_is_found_under_its_digest(store: Store) -> None:
    part = store.incoming(NAME)
    part.write_bytes(DATA)
    blob = store.admit(part, sha256=NAME)
    assert blob.path == store.root / "sha256" / NAME[:2] / NAME[2:]
    assert (blob.sha256, blob.size, blob.path.read_bytes()) == (NAME, len(DATA), DATA)
    assert blob.path.stat().st_mode & 0o777 == 0o444
    assert not part.exists()
    assert store.find(NAME) == blob == Store(store.root).find(NAME)


def test_bytes_are_admitted_twice_as_one(store: Store) -> None:
    first, second = store.admit_bytes(DATA), store.admit_bytes(DATA)
    assert first == second
    assert first.path.read_bytes() == DATA
    assert list(store.root.glob("incoming/*")) == []


def test_other_bytes_are_not_admitted(store: Store) -> None:
    part = store.incoming(NAME)
    part.write_bytes(b"other")
    with pytest.raises(DigestError) as caught:
        store.admit(part, sha256=NAME)
    assert (caught.value.expected, caught.value.seen) == (NAME, sha256(b"other"))
    assert part.read_bytes() == b"other"
    assert store.find(NAME) is None


@pytest.mark.parametrize("spoilt", [b"verified bytez", b"", DATA + b"x"], ids=["changed", "emptied", "longer"])
def test_a_spoilt_file_is_found_out_by_the_next_run(store: Store, heard: Heard, spoilt: bytes) -> None:
    path = store.admit_bytes(DATA).path
    path.chmod(0o644)
    path.write_bytes(spoilt)
    assert Store(store.root, heard).find(NAME) is None
    assert not path.exists()
    assert heard.said == [f"{path} was spoilt (its SHA-256 is {sha256(spoilt)}) and has been removed"]
    assert store.admit_bytes(DATA).path == path


def test_one_run_reads_a_file_again_only_when_it_changed(store: Store) -> None:
    path = store.admit_bytes(DATA).path
    path.chmod(0o644)
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(DATA[::-1])
    os.utime(path, ns=times)  # only a new reading could tell
    assert store.find(NAME) is not None
    path.touch()
    assert store.find(NAME) is None


def test_nobody_else_makes_a_blob(store: Store) -> None:
    blob = store.admit_bytes(DATA)
    with pytest.raises(TypeError, match="Store"):
        Blob(blob.path, NAME, len(DATA), object())  # type: ignore[arg-type]  # the attempt that mypy refuses
    with pytest.raises((TypeError, ValueError)):
        replace(blob, sha256="0" * 64)  # type: ignore[call-arg]  # and this one


@pytest.mark.parametrize("name", ["", "../../etc/passwd", NAME.upper(), NAME + "0", NAME[:-1] + "/"])
def test_only_a_digest_names_a_file(store: Store, name: str) -> None:
    for use in (store.find, store.incoming):
        with pytest.raises(ValueError, match="SHA-256"):
            use(name)


def test_beginnings_are_kept_for_two_weeks(store: Store) -> None:
    young, old = store.incoming(NAME), store.incoming("0" * 64)
    for path, days in ((young, 13), (old, 15)):
        path.touch()
        then = path.stat().st_mtime - days * 24 * 3600
        os.utime(path, (then, then))
    store.incoming(NAME)
    assert young.exists()
    assert not old.exists()


def test_the_second_to_lock_waits_and_says_so(store: Store, heard: Heard) -> None:
    order: list[str] = []

    def other() -> None:
        with store.lock("job", "does the job"):
            order.append("second")

    thread = threading.Thread(target=other)
    with store.lock("job"):
        thread.start()
        assert heard.waits.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert heard.said == ["waiting for another run, which does the job"]


def test_a_lock_ends_with_an_error_too(store: Store) -> None:
    with pytest.raises(KeyError), store.lock("job"):
        raise KeyError
    with store.lock("job"):
        pass


def test_notes_are_kept(store: Store) -> None:
    assert store.note("initrd", NAME) is None
    store.keep_note("initrd", NAME, {"kernel": "6.12.48"})
    store.keep_note("initrd", NAME, {"kernel": "6.12.57", "modules": ["xen"]})
    assert Store(store.root).note("initrd", NAME) == {"kernel": "6.12.57", "modules": ["xen"]}


def test_an_unreadable_note_is_none(store: Store) -> None:
    store.keep_note("initrd", NAME, 1)
    (store.root / "notes" / "initrd" / f"{NAME}.json").write_bytes(b'{"ker\xff')
    assert store.note("initrd", NAME) is None


@pytest.mark.parametrize(("kind", "key"), [("", "a"), ("a", ""), ("..", "a"), ("a", "b/c"), ("a", "../../b")])
def test_a_note_stays_among_the_notes(store: Store, kind: str, key: str) -> None:
    with pytest.raises(ValueError, match="no place for a note"):
        store.keep_note(kind, key, 1)


def test_a_store_that_cannot_be_made_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(BuilderError, match=f"cannot write in {tmp_path}/cache: Not a directory"):
        Store(tmp_path / "cache").incoming(NAME)
