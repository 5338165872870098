"""The pins of a site as its media.lock holds them."""

from __future__ import annotations

from pathlib import Path

from builder.errors import BuilderError
from builder.media.lock import MediaKey, Pin, parse_lock


def read_lock(lock_file: Path) -> dict[MediaKey, Pin]:
    """The pins of a site; none when there is no lock file yet. BuilderError when it cannot be read."""
    try:
        return parse_lock(lock_file.read_text(encoding="utf-8"), name=str(lock_file))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BuilderError(f"{lock_file} cannot be read: {error}", "restore it from version control") from error
