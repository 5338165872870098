"""Read preseed files as the installer does, without one."""

from __future__ import annotations

from builder.preseed.loader import Loaded, load
from builder.preseed.syntax import parse_preseed


def load_preseed(data: bytes) -> Loaded:
    """What the installer's database holds after it has loaded a file of these bytes."""
    return load(parse_preseed(data))
