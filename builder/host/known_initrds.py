"""What was found in initrds that were unpacked before: a second look costs a digest instead of 0.6 s per 100 MB."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

from builder.host import files
from builder.image.initrd import InitrdFacts

_VERSION = 1


@dataclass(frozen=True, slots=True)
class KnownInitrds:
    """Facts by the SHA-256 of an initrd, in a folder of this user's."""

    folder: Path

    def find(self, sha256: str) -> InitrdFacts | None:
        """What was found in that initrd; None when it was not seen, or what was kept cannot be read."""
        try:
            kept = json.loads(gzip.decompress(self._path(sha256).read_bytes()))
            if kept["version"] != _VERSION or kept["sha256"] != sha256:
                return None
            names, folders = frozenset(map(str, kept["names"])), frozenset(map(str, kept["folders"]))
            return InitrdFacts(tuple(map(str, kept["kernel_abis"])), str(kept["dpkg_status"]), names, folders)
        except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error):
            return None

    def keep(self, sha256: str, facts: InitrdFacts) -> None:
        """Remember; BuilderError when that cannot be written."""
        kept = {
            "version": _VERSION,
            "sha256": sha256,
            "kernel_abis": facts.kernel_abis,
            "dpkg_status": facts.dpkg_status,
            "names": sorted(facts.names),
            "folders": sorted(facts.folders),
        }
        files.private_folder(self.folder)
        files.write_atomic(self._path(sha256), gzip.compress(json.dumps(kept).encode(), 1, mtime=0), mode=0o600)

    def _path(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.json.gz"
