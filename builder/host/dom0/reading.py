"""Reading below a root folder, and asking programs: what cannot be had is Unknown, with the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from builder.errors import BuilderError
from builder.host.run import Runner, as_line
from builder.xen.doctor.fact import Fact, Known, Unknown

T = TypeVar("T")


def below(root: Path, path: str) -> Path:
    """`/etc/xen` as it lies below `root`."""
    return root / path.lstrip("/")


def text_or_none(root: Path, path: str) -> Fact[str | None]:
    """A file's text; None where there is no such file."""
    try:
        return Known(below(root, path).read_text(errors="surrogateescape"))
    except (FileNotFoundError, NotADirectoryError):
        return Known(None)
    except OSError as error:
        return Unknown(f"{path} cannot be read: {error.strerror}")


def names_in(root: Path, folder: str) -> Fact[tuple[str, ...] | None]:
    """The names in a folder, sorted as a shell does in the C locale; None where there is no such folder."""
    try:
        return Known(tuple(sorted(path.name for path in below(root, folder).iterdir())))
    except (FileNotFoundError, NotADirectoryError):
        return Known(None)
    except OSError as error:
        return Unknown(f"{folder} cannot be read: {error.strerror}")


def is_there(root: Path, path: str) -> Fact[bool]:
    """Does the path lead to something?"""
    try:
        below(root, path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return Known(value=False)
    except OSError as error:
        return Unknown(f"{path} cannot be looked at: {error.strerror}")
    return Known(value=True)


def said(runner: Runner, argv: Sequence[str]) -> Fact[str]:
    """What a program prints; unknown when it is not there, is too slow or ends with a status."""
    try:
        done = runner(argv, limit=20)
    except BuilderError as error:
        return Unknown(error.message)
    if done.status != 0:
        return Unknown(f"{as_line(argv)}: {done.complaint}")
    return Known(done.text)


def learnt(ask: Callable[[], T]) -> Fact[T]:
    """What `ask` returns; unknown where it raises BuilderError."""
    try:
        return Known(ask())
    except BuilderError as error:
        return Unknown(error.message)
