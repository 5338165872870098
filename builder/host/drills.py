"""What dom0 keeps of drills: a file of records per guest beside its journal, and the mark of a drill under way.

The mark is on the disk before a drill makes anything, and goes when nothing of it is left: so a drill that was killed
is cleared away by the next command.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding
from builder.host.files import private_folder, write_atomic
from builder.host.rebuild.journal import read_of_guests, runs_folder

_RECORDS, _MARK, _LOCK = "drills", ".drill", ".drill.lock"


def read_records(root: Path) -> dict[str, str]:
    """The text of every guest's records, by guest. BuilderError where they may not be read."""
    return read_of_guests(root, _RECORDS)


def add_record(root: Path, guest: str, line: str) -> None:
    """Add a line to a guest's records, durable; what a crash left of a last line is cut off before."""
    path = private_folder(private_folder(runs_folder(root)) / guest) / _RECORDS
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        whole = path.read_bytes().rfind(b"\n") + 1
        os.ftruncate(handle, whole)
        with open(handle, "ab", closefd=False) as records:
            records.write(line.encode("ascii"))
        os.fsync(handle)
    except OSError as error:
        raise BuilderError(f"{path} cannot be written: {error.strerror}", "make room there") from error
    finally:
        os.close(handle)


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """No other drill on this dom0 meanwhile: all have the same bridge. RefusalError (G148) when there is one."""
    path = private_folder(runs_folder(root)) / _LOCK
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            finding = Finding("G148", "another drill is under way on this dom0", "wait for its end: domu status")
            raise RefusalError("drills exclude each other", [finding]) from None
        yield
    finally:
        os.close(handle)


def mark(root: Path, guests: tuple[str, ...]) -> None:
    """A drill of these guests is about to begin."""
    write_atomic(
        private_folder(runs_folder(root)) / _MARK, "".join(f"{name}\n" for name in guests).encode(), mode=0o600
    )


def marked(root: Path) -> tuple[str, ...]:
    """The guests of a drill that is under way or was killed; none when there is none."""
    try:
        return tuple((runs_folder(root) / _MARK).read_text(encoding="ascii").split())
    except FileNotFoundError:
        return ()
    except PermissionError as error:
        raise BuilderError(f"{runs_folder(root)} cannot be read: {error.strerror}", "this needs root") from error


def unmark(root: Path) -> None:
    """Nothing of the drill is left."""
    (runs_folder(root) / _MARK).unlink(missing_ok=True)
