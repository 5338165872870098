"""The installer that a guest starts from: netboot media out of the archive, or an ISO, local or fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builder.errors import BuilderError
from builder.findings import Finding, Severity
from builder.host.site import Site
from builder.host.store import Blob, Store
from builder.image.iso import read_extent, read_installer
from builder.profile.model import Guest
from builder.workflows.access import Access
from builder.workflows.iso_media import fetch_iso
from builder.workflows.media import NetbootMedia, obtain


@dataclass(frozen=True, slots=True)
class InstallerMedia:
    """Verified kernel and initrd. `described` goes into the manifest; `iso` is attached to the installer."""

    kernel: Blob
    initrd: Blob
    described: Mapping[str, str]
    netboot: NetbootMedia | None = None
    iso: Path | None = None
    about: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Warnings about where the media came from."""
        return (*self.about, *(self.netboot.findings if self.netboot else ()))


def netboot_media(guest: Guest, site: Site, access: Access) -> InstallerMedia:
    """The pinned netboot media of the guest's suite; fetched where the cache has them not. Raises as `obtain`."""
    media = obtain(access, site.media_lock, suite=guest.suite, arch=guest.arch, sources=guest.media_sources)
    described = {
        "version": media.installer_version,
        "kernel_abi": media.kernel_abi,
        "kernel": media.kernel.sha256,
        "initrd": media.initrd.sha256,
    }
    return InstallerMedia(media.kernel, media.initrd, described, netboot=media)


def iso_media(guest: Guest, site: Site, store: Store) -> InstallerMedia:
    """Kernel and initrd out of the guest's ISO; BuilderError unless the ISO has the SHA-256 that the profile pins."""
    if guest.iso is None:
        raise BuilderError(f"{guest.name} has media: iso and names none", "write iso and iso_sha256")
    path = site.root / guest.iso
    try:
        # One handle: what was hashed is what is read.
        with path.open("rb") as image:
            seen = hashlib.file_digest(image, "sha256").hexdigest()
            if seen != guest.iso_sha256:
                raise BuilderError(
                    f"{path} has the SHA-256 {seen}, where {guest.name} pins {guest.iso_sha256}",
                    "fetch the ISO again, or compare both with the signed SHA256SUMS beside it on the mirror",
                )
            return _on_iso(guest, image, path, seen, store)
    except OSError as error:
        raise BuilderError(f"{path} cannot be read: {error.strerror}", "see the profile's iso") from error


def fetched_media(guest: Guest, site: Site, access: Access) -> InstallerMedia:
    """Kernel and initrd out of the ISO that `iso: auto` means; `access` is on `iso_terms`. Raises as `fetch_iso`."""
    fetched = fetch_iso(guest, site, access)
    with fetched.blob.path.open("rb") as image:
        return _on_iso(guest, image, fetched.blob.path, fetched.blob.sha256, access.store)


def _on_iso(guest: Guest, image: BinaryIO, path: Path, sha256: str, store: Store) -> InstallerMedia:
    found = read_installer(image, guest.arch)
    kernel = store.admit_bytes(read_extent(image, found.kernel))
    initrd = store.admit_bytes(read_extent(image, found.initrd))
    described = {"iso": sha256, "info": found.info, "kernel": kernel.sha256, "initrd": initrd.sha256}
    return InstallerMedia(kernel, initrd, described, iso=path, about=tuple(_look_at(guest, found.info)))


def _look_at(guest: Guest, info: str) -> Iterator[Finding]:
    """Images of one's own may be called anything, so that this is no error."""
    if guest.suite not in info.lower():
        yield Finding(
            "I301",
            f"the ISO calls itself {info!r}, which does not name {guest.suite}" if info else "the ISO has no name",
            "see that it is the right one: another suite's installer installs that suite's base system",
            severity=Severity.WARNING,
            guest=guest.name,
        )
