"""Facts of disks: volume groups, room, and what lies in folders that grow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from builder.errors import BuilderError
from builder.host.dom0.reading import below, said
from builder.host.run import Runner
from builder.units import Size
from builder.xen.doctor.fact import Fact, Known, Unknown
from builder.xen.doctor.facts import Hoard, Space


def space(runner: Runner, root: Path, folder: str) -> Fact[Space]:
    """The file system that the folder is on, or will be once it is made."""
    path = below(root, folder)
    try:
        exists = path.exists()
        while not path.exists() and path != root:
            path = path.parent
    except OSError as error:  # Python 3.11's exists() raises what is no answer, as where a folder is closed to us
        return Unknown(f"{folder} cannot be looked at: {error.strerror}")
    listed = said(runner, ["df", "--block-size=1", "--output=size,avail,target", str(path)])
    return listed.then(lambda text: _space(folder, text, exists=exists))


def _space(folder: str, text: str, *, exists: bool) -> Space:
    match [line.split(None, 2) for line in text.splitlines()]:
        case [_head, [size, free, mount]] if size.isdecimal() and free.isdecimal():
            return Space(folder, exists, Size(int(size)), Size(int(free)), mount)
    raise BuilderError(f"df says of {folder} what is not understood: {text!a}")


def hoard(root: Path, folder: str) -> Fact[Hoard | None]:
    """Files below a folder, with their sizes on disk and times; None where there is no such folder."""
    path = below(root, folder)
    try:
        if not path.is_dir():
            return Known(None)
        stats = list(_files(path))
    except OSError as error:
        return Unknown(f"{folder} cannot be read: {error.strerror}")
    times = [datetime.fromtimestamp(one.st_mtime, UTC) for one in stats]
    size = Size(sum(one.st_blocks * 512 for one in stats))
    return Known(Hoard(folder, len(stats), size, min(times, default=None), max(times, default=None)))


def _files(folder: Path) -> Iterator[os.stat_result]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield entry.stat(follow_symlinks=False)


def rotated(root: Path, folder: str) -> Fact[bool]:
    """Does any part of logrotate's configuration name the folder?"""
    parts = below(root, "/etc/logrotate.d")
    try:
        texts: Mapping[str, str] = {path.name: path.read_text(errors="replace") for path in sorted(parts.glob("*"))}
    except OSError as error:
        return Unknown(f"/etc/logrotate.d cannot be read: {error.strerror}")
    parent = folder.rpartition("/")[0]
    wanted = (f"{folder}/", f"{parent}/*/")
    return Known(any(name in text for text in texts.values() for name in wanted))
