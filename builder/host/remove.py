"""Takes away what a guest has on dom0 besides its domain and its volumes: its folder, and the link that starts it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from builder.errors import BuilderError
from builder.host.dom0.reading import below
from builder.host.files import clear_stale


def names_in_folder(root: Path, folder: str) -> tuple[str, ...] | None:
    """What is in a guest's folder; None where there is none. BuilderError for a link or a file of that name."""
    path = below(root, folder)
    try:
        if path.is_symlink() or not path.is_dir():
            path.lstat()
            raise BuilderError(f"{folder} is no folder", "look at it, and remove it by hand")
        return tuple(sorted(one.name for one in path.iterdir()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BuilderError(f"{folder} cannot be read: {error.strerror}", "this needs root") from error


def remove_files(root: Path, folder: str, names: Collection[str]) -> None:
    """Remove these from the folder, what killed runs left beside it, and then the folder. Done already is fine, too.

    BuilderError when something else is in it by now; that stays.
    """
    path = below(root, folder)
    clear_stale(path)
    there = names_in_folder(root, folder)
    if there is None:
        return
    if strangers := sorted(set(there) - set(names)):
        hint = "look at it, and run this again"
        raise BuilderError(f"{folder} holds something new: {', '.join(strangers)}", hint)
    try:
        for name in there:
            one = path / name
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one)
            else:
                one.unlink()
        path.rmdir()
        _make_durable(path.parent)
    except OSError as error:
        raise BuilderError(
            f"{error.filename} cannot be removed: {error.strerror}", "look at it, and run this again"
        ) from error


def remove_link(root: Path, link: str, target: str) -> None:
    """Remove the link where it leads to `target` still; gone already is fine, too."""
    path = below(root, link)
    with suppress(FileNotFoundError):
        if not path.is_symlink() or str(path.readlink()) != target:
            path.lstat()
            raise BuilderError(f"{link} leads elsewhere than to {target} now", "look at it, and run this again")
        path.unlink()
        _make_durable(path.parent)


def _make_durable(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
