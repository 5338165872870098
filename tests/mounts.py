"""Small file systems of a kind, mounted for a test; skipped where that cannot be had."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def xfs(folder: Path) -> Iterator[Path]:
    """An XFS with shared blocks, in a file."""
    yield from mounted(folder, "400M", ["mkfs.xfs", "-q", "-m", "reflink=1"], ["-o", "loop"], "xfs")


def mounted(folder: Path, size: str, make: list[str], options: list[str], kind: str) -> Iterator[Path]:
    """What `make` makes in a file of `size`, or what needs none."""
    if os.geteuid() != 0:
        pytest.skip(f"mounting {kind} needs root")
    if make and not shutil.which(make[0]):
        pytest.skip(f"{make[0]} is not installed")
    image, place = folder / "image", folder / "mnt"
    place.mkdir()
    if make:
        subprocess.run(["truncate", "--size", size, image], check=True)
        subprocess.run([*make, image], check=True)
    mount = subprocess.run(
        ["mount", "-t", kind, *options, image if make else "none", place], capture_output=True, text=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"no {kind} can be mounted here: {mount.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)
