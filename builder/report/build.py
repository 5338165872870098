"""What `domu build` made, for people and as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builder.image.manifest import Manifest
from builder.units import Size


def built_text(manifest: Manifest, folder: Path, *, fresh: bool) -> str:
    """One line when nothing was to do, else a line per artefact as well."""
    head = f"{manifest.guest}: {'built in' if fresh else 'is built already, in'} {folder} (key {manifest.key[:12]})"
    if not fresh:
        return head
    rows = [f"  {name:<20}{Size(out.size).human:>10}  sha256 {out.sha256[:16]}..." for name, out in _sorted(manifest)]
    return "\n".join([head, *rows])


def built_data(manifest: Manifest, folder: Path, *, fresh: bool) -> Mapping[str, Any]:
    """The same for `--json`."""
    return {
        "guest": manifest.guest,
        "folder": str(folder),
        "fresh": fresh,
        "key": manifest.key,
        "outputs": {name: {"sha256": out.sha256, "size": out.size} for name, out in _sorted(manifest)},
    }


def _sorted(manifest: Manifest) -> list[tuple[str, Any]]:
    return sorted(manifest.outputs.items())
