"""`domu iso cidata`: the NoCloud seed that makes a clone of a golden image this guest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.host import files
from builder.host.run import Runner, run
from builder.host.secrets import resolve
from builder.host.site import Site
from builder.image.cidata import seed_files, write_seed
from builder.image.manifest import digest
from builder.workflows.render import find_guest

_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Seed:
    """The image that was written: its SHA-256 and size in bytes."""

    path: Path
    sha256: str
    size: int


def cidata(site: Site, name: str, output: Path | None, *, environment: Mapping[str, str], runner: Runner = run) -> Seed:
    """Write the seed, readable by its owner only: it holds the crypt hashes of the guest's logins.

    BuilderError for an unknown guest, RefusalError for an unsound one or when a secret cannot be had.
    """
    guest = find_guest(site, name)
    secrets = resolve(guest.secrets(), site=site, runner=runner, environment=environment)
    image = write_seed(seed_files(guest, secrets))
    if output is None:
        files.private_folder(site.build)
    path = output or site.build / f"{guest.name}-cidata.iso"
    files.write_atomic(path, image, mode=_PRIVATE)
    return Seed(path, digest(image), len(image))
