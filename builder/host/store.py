"""The content-addressed store: verified bytes under their digest, everything else under another roof.

A file reaches `sha256/` only by a rename after its digest was found right, so a crash leaves no wrong one there.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import Any

from builder.errors import BuilderError
from builder.host.files import write_atomic
from builder.media.release import SHA256
from builder.progress import Progress, Silence
from builder.units import Size

_STALE = 14 * 24 * 3600  # seconds after which what was never completed is dropped


class DigestError(BuilderError):
    """The bytes are not those that were asked for: `expected` and `seen` are SHA-256."""

    def __init__(self, path: Path, *, expected: str, seen: str) -> None:
        super().__init__(f"{path} has the SHA-256 {seen}, where {expected} is due")
        self.expected, self.seen = expected, seen


class _Token:
    """Held by the store alone: what makes a Blob a proof."""


_TOKEN = _Token()


@dataclass(frozen=True, slots=True)
class Blob:
    """A file whose content was found to have this SHA-256 and size (bytes). Only a Store makes one."""

    path: Path
    sha256: str
    size: int
    token: InitVar[_Token]

    def __post_init__(self, token: _Token) -> None:
        if token is not _TOKEN:
            raise TypeError("a Blob is made by builder.host.store.Store, which has looked at its bytes")


class Store:
    """One cache folder, shared by any number of runs: sha256/ab/REST, incoming/ (unverified), locks/ and notes/."""

    def __init__(self, root: Path, progress: Progress | None = None) -> None:
        self.root = root
        self._progress = progress or Silence()
        self._known: dict[Path, tuple[int, ...]] = {}

    def find(self, sha256: str) -> Blob | None:
        """The file with this digest, looked at again before it is handed out; a spoilt one is removed, and said so."""
        path = self._home(sha256)
        try:
            with path.open("rb") as file:
                mark = _mark(file.fileno())
                if self._known.get(path) != mark:
                    seen = hashlib.file_digest(file, "sha256").hexdigest()
                    if seen != sha256:
                        self._drop_spoilt(path, mark, seen)
                        return None
                    self._known[path] = mark
                return Blob(path, sha256, os.fstat(file.fileno()).st_size, _TOKEN)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BuilderError(f"cannot read {path}: {error.strerror}", "mend its permissions, or remove it") from error

    def admit(self, path: Path, *, sha256: str) -> Blob:
        """Take in a file of `incoming/`; it is gone from there afterwards. DigestError leaves it where it is."""
        home = self._home(sha256)
        with self.writing(path.stat().st_size), path.open("rb") as file:
            seen = hashlib.file_digest(file, "sha256").hexdigest()
            if seen != sha256:
                raise DigestError(path, expected=sha256, seen=seen)
            os.fchmod(file.fileno(), 0o444)
            os.fsync(file.fileno())
            home.parent.mkdir(parents=True, exist_ok=True)
            with self.lock("sha256"):
                path.replace(home)
            _sync_folder(home.parent)
            self._known[home] = _mark(file.fileno())
            return Blob(home, sha256, os.fstat(file.fileno()).st_size, _TOKEN)

    def admit_bytes(self, data: bytes) -> Blob:
        """Take in bytes that were verified or made elsewhere, under the digest they have."""
        sha256 = hashlib.sha256(data).hexdigest()
        if blob := self.find(sha256):
            return blob
        return self.admit(self._write_aside(data), sha256=sha256)

    def incoming(self, sha256: str) -> Path:
        """Where the unverified beginnings of this file are kept, and may be continued; see `lock`."""
        folder = self._folder("incoming")
        for path in folder.iterdir():
            with suppress(OSError):  # gone meanwhile, or another user's
                if time.time() - path.stat().st_mtime > _STALE:
                    path.unlink()
        return folder / f"{_checked(sha256)}.part"

    @contextmanager
    def lock(self, name: str, doing: str = "") -> Iterator[None]:
        """Alone among all runs that share this store. Whoever waited looks again at what the other one did.

        `doing` completes the sentence "waiting for another run, which ...".
        """
        path = self._folder("locks") / f"{name}.lock"
        with self.writing(0):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._progress.say(f"waiting for another run, which {doing or f'holds {path}'}")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def note(self, kind: str, key: str) -> Any:
        """What was kept under this kind and key (a JSON value), or None; the reader checks its shape."""
        try:
            return json.loads((self.root / "notes" / kind / f"{key}.json").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def keep_note(self, kind: str, key: str, value: Any) -> None:
        """Keep a small JSON value, in one step; `kind` and `key` are plain file names."""
        if any(not word or "/" in word or word.startswith(".") for word in (kind, key)):
            raise ValueError(f"{kind}/{key} is no place for a note")
        path = self._folder(f"notes/{kind}") / f"{key}.json"
        write_atomic(path, json.dumps(value, sort_keys=True).encode(), mode=0o644)

    @contextmanager
    def writing(self, count: int) -> Iterator[None]:
        """Around writes of `count` bytes into the store: a full disk or a missing permission becomes a BuilderError."""
        try:
            yield
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                needed = f": {count} bytes ({Size(count).human}) more are needed" if count else ""
                raise BuilderError(
                    f"no room in {self.root}{needed}",
                    "make room and run it again; what has arrived is kept",
                ) from error
            raise BuilderError(f"cannot write in {self.root}: {error.strerror}", "mend its permissions") from error

    def _home(self, sha256: str) -> Path:
        return self.root / "sha256" / _checked(sha256)[:2] / sha256[2:]

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        with self.writing(0):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _write_aside(self, data: bytes) -> Path:
        with (
            self.writing(len(data)),
            tempfile.NamedTemporaryFile(dir=self._folder("incoming"), suffix=".part", delete=False) as file,
        ):
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), 0o644)
            except OSError:
                Path(file.name).unlink()
                raise
        return Path(file.name)

    def _drop_spoilt(self, path: Path, mark: tuple[int, ...], seen: str) -> None:
        # Under the lock of `admit`, and only the very file that was read: another run may have put a right one there.
        with self.lock("sha256"), suppress(FileNotFoundError), self.writing(0):
            if _stat_mark(path.stat()) == mark:
                path.unlink()
                self._progress.say(f"{path} was spoilt (its SHA-256 is {seen}) and has been removed")


def _checked(sha256: str) -> str:
    if not SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is no SHA-256 in small hex")
    return sha256


def _stat_mark(stat: os.stat_result) -> tuple[int, ...]:
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _mark(handle: int) -> tuple[int, ...]:
    return _stat_mark(os.fstat(handle))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
