"""Files that appear whole or not at all: written beside their final name, made durable, then renamed.

Modes are the caller's whatever the umask; what a killed run left behind is taken over or cleared by the next.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import secrets
import shutil
import stat
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

from builder.errors import BuilderError

Way = Literal["cloned", "copied"]
FICLONERANGE = 0x4020940D  # linux/fs.h: _IOW(0x94, 13, struct file_clone_range)
_RANGE = "qQQQ"  # struct file_clone_range: source fd, offset, length (0: to the end), offset in the target
RENAME_EXCHANGE, AT_FDCWD = 2, -100  # linux/fs.h, fcntl.h
# What says "not on these file systems" rather than "this went wrong".
_CANNOT = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM, errno.ETXTBSY}
CHUNK = 1 << 20
_SYNC_FILE_RANGE_WRITE = 2  # linux/fs.h
_C = ctypes.CDLL(None, use_errno=True)


def write_atomic(path: Path, data: bytes, *, mode: int) -> None:
    """Put `data` under `path` with exactly `mode`; whoever reads it sees the old file or the new one, whole.

    Raises BuilderError when the file cannot be written; then nothing has changed.
    """
    with beside(path, mode) as handle:
        _write_all(handle, data)


def write_in_front(front: bytes, base: Path, target: Path, *, skip: int = 0, mode: int) -> Way:
    """Make `target` of `front` and `base` without its first `skip` bytes, as atomic as `write_atomic`.

    `cloned`: both share the base's blocks (XFS, btrfs; needs `front` and `skip` in multiples of the block size).
    Else `copied`, within the kernel where it can. BuilderError when a file cannot be read or written.
    """
    with _told(base), base.open("rb") as source, beside(target, mode) as handle:
        wanted = os.fstat(source.fileno()).st_size - skip
        if wanted < 0:
            raise BuilderError(f"{base} has less than {skip} bytes", "fetch it again")
        _write_all(handle, front)
        if clone_range(source.fileno(), skip, handle, len(front), 0):
            way: Way = "cloned"
        else:
            way = "copied"
            copy_range(source.fileno(), skip, handle, len(front), wanted)
        if os.fstat(handle).st_size != len(front) + wanted:
            raise BuilderError(f"{base} changed while it was read", "run it again when nothing writes there")
    return way


def write_joined(
    parts: Iterable[bytes | Path], target: Path, *, mode: int, check: Callable[[BinaryIO], object]
) -> None:
    """Make `target` of bytes and whole files, one behind the other, as atomic as `write_atomic`.

    `check` looks at what was written before it gets its name; what it raises leaves everything as it was.
    """
    with beside(target, mode) as handle:
        for part in parts:
            if isinstance(part, bytes):
                _write_all(handle, part)
                continue
            with _told(part), part.open("rb") as source:
                copy_range(
                    source.fileno(), 0, handle, os.lseek(handle, 0, os.SEEK_CUR), os.fstat(source.fileno()).st_size
                )
        with os.fdopen(handle, "rb", closefd=False) as written:
            written.seek(0)
            check(written)


def private_folder(path: Path) -> Path:
    """Make `path`, and what is missing above it, for this user only (0700); an existing one is narrowed to that."""
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        path.chmod(0o700)
    return path


@contextmanager
def staged_folder(final: Path) -> Iterator[Path]:
    """An empty 0700 folder beside `final`, to fill and then `replace_folder`; gone afterwards if that did not happen.

    First clears what killed runs left beside `final`; folders of runs still alive are theirs (each holds a lock).
    """
    with ExitStack() as stack:
        with _told(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            clear_stale(final)
            folder = _new_folder(final, stack)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def replace_folder(staged: Path, final: Path) -> None:
    """Put the folder `staged` in the place of `final`, which is then gone; at no moment a mixture of both.

    Where the file system cannot exchange two names (RENAME_EXCHANGE), a crash between two renames leaves the old
    one aside, from where `clear_stale` brings it back. Raises BuilderError when it cannot be done.
    """
    with _told(final):
        if final.is_symlink() or (final.exists() and not final.is_dir()):
            raise BuilderError(f"{final} is not a folder", "move it away, or choose another place")
        for path in (*staged.rglob("*"), staged):
            if not path.is_symlink():
                _make_durable(path)
        while not _take_place(staged, final):
            pass
        _make_durable(final.parent)


def _take_place(staged: Path, final: Path) -> bool:
    """One try; False when another run made `final` in between."""
    if not final.exists():
        try:
            staged.rename(final)
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                return False
            raise
    elif _exchange(staged, final):
        shutil.rmtree(staged, ignore_errors=True)  # another run may be clearing it too
    else:
        aside = _aside(final)
        final.rename(aside)
        staged.rename(final)
        shutil.rmtree(aside)
    return True


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it, and what killed runs left beside it; one that is not there is fine."""
    with _told(path):
        clear_stale(path)
        if path.exists():
            shutil.rmtree(path)


def clear_stale(final: Path) -> None:
    """Remove what killed runs left beside the folder `final`, and bring `final` back if one died between renames."""
    aside = _aside(final)
    if aside.exists():
        if final.exists():
            shutil.rmtree(aside)
        else:
            aside.rename(final)
    for folder in final.parent.glob(f".{_plain(final.name)}.staged-*"):
        with suppress(FileNotFoundError, BlockingIOError), _open_folder(folder) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: its run is alive
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _open_folder(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _plain(name: str) -> str:
    """The name with glob's own signs taken as they are."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _aside(final: Path) -> Path:
    return final.with_name(f".{final.name}.old")


def _new_folder(final: Path, stack: ExitStack) -> Path:
    """A new staging folder; its lock goes with `stack`."""
    while True:
        folder = final.with_name(f".{final.name}.staged-{secrets.token_hex(4)}")
        folder.mkdir(mode=0o700)
        with suppress(FileNotFoundError):  # another run cleared it before it was locked
            lock = stack.enter_context(_open_folder(folder))
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder.chmod(0o700)
            if _is_still(folder, os.fstat(lock)):
                return folder


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where kernel or file system cannot."""
    names = (os.fsencode(one), os.fsencode(other))
    if _C.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))


@contextmanager
def beside(path: Path, mode: int) -> Iterator[int]:
    """A descriptor of an empty file beside `path`, which takes its place when all went well."""
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.part")
        with ExitStack() as undo:
            handle = _open_alone(partial)
            undo.callback(os.close, handle)
            failed = undo.enter_context(ExitStack())
            failed.callback(partial.unlink, missing_ok=True)
            yield handle
            os.fchmod(handle, mode)
            os.fsync(handle)
            partial.rename(path)
            failed.pop_all()
            _make_durable(path.parent)


def _open_alone(partial: Path) -> int:
    """Open the one partial file of a target under a lock: a second writer waits, a killed one's rest is taken over."""
    while True:
        handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        found = os.fstat(handle)
        if found.st_nlink == 0 or not _is_still(partial, found):
            os.close(handle)  # its writer renamed it while we waited: begin anew
            continue
        if found.st_uid != os.geteuid() or found.st_nlink != 1 or not stat.S_ISREG(found.st_mode):
            os.close(handle)
            raise BuilderError(
                f"{partial} is not this user's own file", "remove it, or write into a folder of your own"
            )
        os.fchmod(handle, 0o600)
        os.ftruncate(handle, 0)
        return handle


def _is_still(path: Path, found: os.stat_result) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.lstat(), found)
    return False


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the system's refusals into ours."""
    try:
        yield
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else path
        hint = "make room and run it again" if error.errno in {errno.ENOSPC, errno.EDQUOT} else ""
        raise BuilderError(f"{name}: {error.strerror or error}", hint) from error


def _make_durable(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def clone_range(source: int, skip: int, target: int, offset: int, count: int) -> bool:
    """Share `count` bytes (0: all) of the source's from `skip` on with the target; False where that cannot be done."""
    try:
        fcntl.ioctl(target, FICLONERANGE, struct.pack(_RANGE, source, skip, count, offset))
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def start_writing(handle: int, offset: int, count: int) -> None:
    """Let the kernel begin to write a stretch to the disk, so that a later fsync, which tells of errors, is short."""
    _C.sync_file_range(handle, ctypes.c_int64(offset), ctypes.c_int64(count), _SYNC_FILE_RANGE_WRITE)


def copy_range(source: int, skip: int, target: int, offset: int, count: int) -> None:
    """Copy `count` bytes from `skip` on to `offset`, in the kernel if it can; ends early when the source does."""
    os.lseek(target, offset, os.SEEK_SET)
    os.lseek(source, skip, os.SEEK_SET)
    try:
        while count and (done := os.copy_file_range(source, target, count)):
            count -= done
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    while count and (data := os.read(source, min(count, CHUNK))):
        _write_all(target, data)
        count -= len(data)
