"""`domu network show --svg`: the picture, written."""

from __future__ import annotations

from pathlib import Path

from builder.host.files import write_atomic


def write_picture(target: Path, picture: str) -> None:
    """Whole or not at all, readable by all; BuilderError when it cannot be written."""
    write_atomic(target, picture.encode(), mode=0o644)
