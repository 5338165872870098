"""The files of a guest that travel in front of an installer's initrd: its preseed, what that needs, the site's own."""

from __future__ import annotations

from collections.abc import Mapping

from builder.errors import BuilderError
from builder.host.site import Site
from builder.image.initrd import PRESEED, InitrdPayload
from builder.profile.model import Guest
from builder.workflows.render import Artefacts

_PRIVATE, _RUNNABLE = 0o600, 0o700


def read_carried(site: Site, guest: Guest) -> dict[str, bytes]:
    """The site's files that the profile names under initrd_files, by their path in the installer; BuilderError."""
    return {file.path: _read(site, file.source) for file in guest.initrd_files}


def payloads_of(artefacts: Artefacts, carried: Mapping[str, bytes]) -> dict[str, InitrdPayload]:
    """Everything that goes in front, by path; readable by the installer's root only, as it may hold hashes."""
    payloads = {f"/{PRESEED}": InitrdPayload(artefacts.preseed.text.encode(), _PRIVATE)}
    payloads |= {path: InitrdPayload(text.encode(), _PRIVATE) for path, text in artefacts.preseed.files.items()}
    runnable = {file.path for file in artefacts.guest.initrd_files if file.executable}
    return payloads | {
        path: InitrdPayload(data, _RUNNABLE if path in runnable else _PRIVATE) for path, data in carried.items()
    }


def _read(site: Site, source: str) -> bytes:
    path = site.root / source
    try:
        return path.read_bytes()
    except OSError as error:
        raise BuilderError(f"{path} cannot be read: {error.strerror}", "it is named under initrd_files") from error
