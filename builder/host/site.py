"""A site: the folder with `profiles/`, `preseeds/`, `cache/` and `build/`, found and read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuilderError
from builder.profile.load import SourceText


@dataclass(frozen=True, slots=True)
class Site:
    """Paths of one site; nothing is created by naming them."""

    root: Path

    @property
    def profiles(self) -> Path:
        """site.yaml, layers and guests."""
        return self.root / "profiles"

    @property
    def preseeds(self) -> Path:
        """The site's own templates, which override the stock ones by name."""
        return self.root / "preseeds"

    @property
    def cache(self) -> Path:
        """Verified media, by digest; shared by runs under a lock."""
        return self.root / "cache"

    @property
    def build(self) -> Path:
        """One folder of artefacts per guest."""
        return self.root / "build"

    @property
    def media_lock(self) -> Path:
        """The pinned installer builds."""
        return self.profiles / "media.lock"


def find_site(given: Path | None) -> Site:
    """`--site`, else DOMU_SITE, else the working folder; BuilderError when it has no profiles/."""
    chosen = given or Path(os.environ.get("DOMU_SITE") or ".")
    if not (chosen / "profiles").is_dir():
        raise BuilderError(
            f"{chosen}/profiles does not exist, so this is no site",
            "name one with --site DIR or DOMU_SITE, or lay a new one: domu init DIR",
        )
    return Site(chosen)


def read_profiles(site: Site) -> tuple[SourceText, ...]:
    """Every profiles/*.yaml, sorted, as bytes and with the name to show in messages."""
    paths = sorted(path for path in site.profiles.iterdir() if path.suffix in {".yaml", ".yml"} and path.is_file())
    shown = site.root if str(site.root) != "." else Path()
    return tuple(SourceText(str(shown / "profiles" / path.name), path.stem, path.read_bytes()) for path in paths)
