"""A site in a folder, and `domu fetch` run on it within this process."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from builder.cli.app import call, load_commands
from builder.host.run import Completed
from builder.media.lock import Pin, parse_lock
from tests.archive import sha256

PROFILE = """\
suite: trixie
memory: 1G
volume_group: vg0
nics: [{bridge: xenbr0}]
"""


@dataclass(frozen=True)
class FetchSite:
    """One guest, web1, of trixie."""

    root: Path

    @classmethod
    def lay(cls, root: Path, more: str = "") -> FetchSite:
        """`more` is added to the guest's profile."""
        (root / "profiles").mkdir(parents=True)
        (root / "profiles/web1.yaml").write_text(PROFILE + more)
        return cls(root)

    def argv(self, *words: str) -> list[str]:
        return ["--site", str(self.root), "fetch", *words]

    def domu(self, *words: str) -> Completed:
        """Run `domu fetch`."""
        argv = self.argv(*words)
        out, err = io.StringIO(), io.StringIO()
        load_commands()
        with redirect_stdout(out), redirect_stderr(err):
            status = call(argv)
        return Completed(tuple(argv), status, out.getvalue().encode(), err.getvalue().encode())

    @property
    def lock(self) -> Path:
        return self.root / "profiles/media.lock"

    @property
    def pin(self) -> Pin:
        return parse_lock(self.lock.read_text(), name="media.lock")["trixie", "amd64"]

    def path_of(self, digest: str) -> Path:
        """Where the cache keeps the file with this SHA-256."""
        return self.root / "cache/sha256" / digest[:2] / digest[2:]

    def holds(self, media: Mapping[str, bytes]) -> bool:
        """Whether all of them are in the cache, whole."""
        paths = {sha256(data): self.path_of(sha256(data)) for data in media.values()}
        return all(path.exists() and sha256(path.read_bytes()) == digest for digest, path in paths.items())

    def clear_cache(self) -> None:
        """As after `make clean`, but with the lock."""
        shutil.rmtree(self.root / "cache")
