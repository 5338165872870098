"""What `domu iso master` and `domu iso cidata` made, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builder.units import Size


def mastered_text(path: Path, sha256: str, size: int, installer: str, loaders: Mapping[str, str]) -> str:
    """A few lines: the file, its digest, and what is in it."""
    used = "".join(f"\n  {name} {version}" for name, version in loaders.items())
    return f"{seed_text(path, sha256, size)}\n  installer {installer}{used}"


def mastered_data(path: Path, sha256: str, size: int, installer: str, loaders: Mapping[str, str]) -> dict[str, Any]:
    """The same as JSON data."""
    return {**seed_data(path, sha256, size), "installer": installer, "loaders": dict(loaders)}


def seed_text(path: Path, sha256: str, size: int) -> str:
    """The file and its digest."""
    return f"{path}: {Size(size).human}\n  sha256 {sha256}"


def seed_data(path: Path, sha256: str, size: int) -> dict[str, Any]:
    """The same as JSON data."""
    return {"file": str(path), "sha256": sha256, "size": size}
