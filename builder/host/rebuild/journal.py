"""Where the journals of rebuilds are, /var/lib/domu/runs: one per guest, appended to under a lock, line by line.

A line is on the disk before what it announces is begun. Lines are given and returned as text; the plan reads them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding
from builder.host.files import private_folder
from builder.profile.rules_run import RUNS_STATE

# Whoever only looks whether a run is at work holds the lock for an instant; a run lasts longer than this.
_PATIENCE, _PAUSE = 1.0, 0.02
# Of a guest; consoles and logs of a run are 1 MB or so. The journal, a few KB for each, tells of all.
KEPT_RUNS = 10


@dataclass(frozen=True, slots=True)
class GuestJournal:
    """The journal of one guest, while this process has its lock."""

    folder: Path
    handle: int

    @property
    def path(self) -> Path:
        """Its file, for messages."""
        return self.folder / "journal"

    def read(self) -> str:
        """All of its lines."""
        return self.path.read_text(encoding="ascii", errors="surrogateescape")

    def append(self, line: str) -> None:
        """Add a line and make it durable. BuilderError when that fails; then the journal is as it was."""
        before = os.fstat(self.handle).st_size
        try:
            with open(self.handle, "ab", buffering=0, closefd=False) as journal:
                journal.write(line.encode("ascii"))
                os.fsync(self.handle)
                written = os.fstat(self.handle).st_size - before
        except OSError as error:
            os.ftruncate(self.handle, before)
            raise BuilderError(f"{self.path} cannot be written: {error.strerror}", "make room there") from error
        if written != len(line):
            os.ftruncate(self.handle, before)
            raise BuilderError(f"{self.path} cannot be written: the disk is full", "make room there")

    def run_folder(self, run: str) -> Path:
        """Where what is kept of a run goes; made if it is not there."""
        return private_folder(self.folder / run)

    def make_room(self, runs: Sequence[str]) -> None:
        """Before a new run: what is kept of earlier ones (the oldest first) goes, but for the last few."""
        try:
            for folder in (self.folder / run for run in runs[: 1 - KEPT_RUNS]):
                if folder.parent == self.folder and folder.is_dir() and not folder.is_symlink():
                    shutil.rmtree(folder)
        except OSError as error:
            raise BuilderError(
                f"{error.filename} cannot be removed: {error.strerror}", "nothing was touched"
            ) from error


def runs_folder(root: Path) -> Path:
    """The folder of all journals, on the dom0 whose file system begins at `root`."""
    return root / RUNS_STATE.lstrip("/")


@contextmanager
def open_journal(root: Path, guest: str) -> Iterator[GuestJournal]:
    """The guest's journal for this run alone; what a crash left of a last line is cut off.

    RefusalError (G111) when another run is at work on the guest.
    """
    private_folder(runs_folder(root))
    folder = private_folder(runs_folder(root) / guest)
    with _locked(folder / "lock", guest):
        path = folder / "journal"
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            whole = path.read_bytes().rfind(b"\n") + 1
            os.ftruncate(handle, whole)
            os.fsync(handle)
            _make_durable(folder)
            yield GuestJournal(folder, handle)
        finally:
            os.close(handle)


def read_journals(root: Path) -> dict[str, str]:
    """The text of every guest's journal, by guest; takes no lock, so a last line may be half written."""
    return read_of_guests(root, "journal")


def read_of_guests(root: Path, name: str) -> dict[str, str]:
    """The file of this name of every guest that has one, by guest. BuilderError where it may not be read."""
    folder = runs_folder(root)
    texts = {}
    try:
        # Path.glob would say nothing of a folder that may not be read.
        for guest in sorted(folder.iterdir()) if folder.exists() else ():
            with suppress(FileNotFoundError, NotADirectoryError):
                texts[guest.name] = (guest / name).read_text(encoding="ascii", errors="surrogateescape")
    except PermissionError as error:
        raise BuilderError(f"{folder} cannot be read: {error.strerror}", "this needs root") from error
    return texts


def is_at_work(root: Path, guest: str) -> bool:
    """Whether a run has this guest's lock now."""
    try:
        handle = os.open(runs_folder(root) / guest / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextmanager
def _locked(path: Path, guest: str) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not _lock(handle):
            finding = Finding("G111", "another run is at work on it", "wait for its end: domu status", guest=guest)
            raise RefusalError("two runs on one guest exclude each other", [finding])
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE)
        else:
            return True


def _make_durable(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
