"""A site: the folder with `profiles/`, `preseeds/`, `cache/` and `build/`, found and read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuilderError
from builder.findings import Finding
from builder.profile.document import BIGGEST_FILE
from builder.profile.load import LoadedSite, SourceText, load_site
from builder.profile.model import Guest
from builder.profile.rules import place_of
from builder.profile.shared import Shared, read_shared
from builder.xen.network.check import check_network

# profiles/ of the repository: a symbolic link in a checkout, a folder in an installed package.
_SAMPLE = Path(__file__).parent.parent / "sample"


@dataclass(frozen=True, slots=True)
class Site:
    """Paths of one site; nothing is created by naming them. `view`: another way to see its profiles, as drills have."""

    root: Path
    view: Callable[[LoadedSite], LoadedSite] | None = None

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
    """Every profiles/*.yaml, sorted, as bytes and with the name to show in messages.

    A file too big to be a profile is read no further than it takes to refuse it.
    """
    paths = sorted(path for path in site.profiles.iterdir() if path.suffix in {".yaml", ".yml"} and path.is_file())
    shown = site.root if str(site.root) != "." else Path()
    return tuple(
        SourceText(str(shown / "profiles" / path.name), path.stem, _start(path))
        for path in paths
        if not path.name.startswith(".")
    )


def load(site: Site) -> LoadedSite:
    """The site's profiles, whether the files that they name are there, and conflicts in the network."""
    loaded = load_site(read_profiles(site))
    made = [*loaded.guests, *(guest for guest in loaded.unsound.values() if guest)]
    missing = [
        Finding(
            "P205", f"{name} is no file in {site.root}", "mend the path, or put the file there", place, guest=one.name
        )
        for one in made
        for path, name in _named_files(one)
        for place in [place_of(loaded.origins[one.name], path)]
        if not (site.root / name).is_file()
    ]
    judged = loaded.with_findings([*missing, *check_network(loaded)])
    return site.view(judged) if site.view else judged


def read_site_yaml(site: Site) -> Shared:
    """What site.yaml says to the linter; nothing when there is none."""
    path = site.profiles / "site.yaml"
    return read_shared(SourceText(str(path), path.stem, _start(path))) if path.is_file() else Shared()


def lay_site(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a new site; BuilderError when the folder holds anything already."""
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise BuilderError(f"{target} is not empty", "name a new folder: domu init DIR")
        for name, data in files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(data)
    except OSError as error:
        raise BuilderError(f"{error.filename or target}: {error.strerror}") from error


def read_sample(name: str) -> bytes:
    """A file of the sample site, which the package carries."""
    return (_SAMPLE / name).read_bytes()


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(BIGGEST_FILE + 1)
    except OSError as error:
        raise BuilderError(f"{path} cannot be read: {error.strerror}") from error


def _named_files(guest: Guest) -> Iterator[tuple[str, str]]:
    if guest.iso and guest.iso != "auto" and guest.media == "iso":
        yield "iso", guest.iso
    for number, carried in enumerate(guest.initrd_files):
        yield f"initrd_files[{number}].source", carried.source


def find_site_or_none(given: Path | None) -> Site | None:
    """As find_site, but None where none was named and the working folder is none."""
    if given is None and not os.environ.get("DOMU_SITE") and not Path("profiles").is_dir():
        return None
    return find_site(given)
