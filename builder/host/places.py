"""Where this user keeps what belongs to no site."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """Where what belongs to no site is cached: domu/ in XDG_CACHE_HOME, else in ~/.cache."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "domu"
