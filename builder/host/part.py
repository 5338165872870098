"""A file that is still on its way, kept so that a later run continues it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.host.store import Store
from builder.media.release import Digest


@dataclass(frozen=True, slots=True)
class Part:
    """One file on its way: `path` grows in the store's incoming folder, `tag` tells what answer it began with."""

    url: str
    digest: Digest
    store: Store
    what: str
    path: Path
    largest: int  # bytes, where nobody signed the size

    @property
    def tag(self) -> Path:
        """A small JSON file beside it."""
        return self.path.with_suffix(".tag.part")

    def arrived(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def size(self) -> int | None:
        """Of the whole file: as the digest says, else as the answer said with which the part began."""
        return self._tagged().get("size") if self.digest.size is None else self.digest.size

    def if_same(self) -> dict[str, str]:
        """If-Range, when the part began at this URL; else the digest decides whether the pieces fit."""
        kept = self._tagged()
        return {"If-Range": kept["validator"]} if kept.get("url") == self.url and kept["validator"] else {}

    def remember(self, validator: str, size: int | None) -> None:
        """Note what answer the part begins with; the caller stands in `Store.writing`."""
        self.tag.write_text(json.dumps({"url": self.url, "validator": validator, "size": size}))

    def drop(self) -> None:
        """Forget it and its tag."""
        with self.store.writing(0):
            self.path.unlink(missing_ok=True)
            self.tag.unlink(missing_ok=True)

    def _tagged(self) -> dict[str, Any]:
        with suppress(FileNotFoundError, ValueError):  # a crash may have cut it
            kept: dict[str, Any] = json.loads(self.tag.read_text())
            return kept
        return {}
