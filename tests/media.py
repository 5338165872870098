"""Real netboot media for tests, through the project's own rooms: fetched once into the repository's cache, verified."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from builder.host.site import Site
from builder.host.store import Store
from builder.progress import Silence
from builder.workflows.access import Access, Terms
from builder.workflows.media import NetbootMedia, obtain

ROOT = Path(__file__).parent.parent


def netboot_media(suite: str, folder: Path) -> NetbootMedia:
    """What a suite's guests on amd64 start from; the pin is kept in `folder`, so that no site's own is moved."""
    store = Store(Site(ROOT).cache)
    with Access(store, Terms(), progress=Silence(), now=datetime.now(UTC)) as access:
        return obtain(access, folder / "media.lock", suite=suite, arch="amd64", sources=("images", "package"))
