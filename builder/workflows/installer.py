"""The installer that a guest starts from: netboot media out of the archive, or a local ISO whose digest is pinned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuilderError
from builder.findings import Finding
from builder.host.site import Site
from builder.host.store import Blob, Store
from builder.image.iso import read_extent, read_installer
from builder.profile.model import Guest
from builder.workflows.access import Access
from builder.workflows.media import NetbootMedia, obtain


@dataclass(frozen=True, slots=True)
class InstallerMedia:
    """Verified kernel and initrd. `described` goes into the manifest; `iso` is attached to the installer."""

    kernel: Blob
    initrd: Blob
    described: Mapping[str, str]
    netboot: NetbootMedia | None = None
    iso: Path | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Warnings about where the media came from."""
        return self.netboot.findings if self.netboot else ()


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
            found = read_installer(image, guest.arch)
            kernel = store.admit_bytes(read_extent(image, found.kernel))
            initrd = store.admit_bytes(read_extent(image, found.initrd))
    except OSError as error:
        raise BuilderError(f"{path} cannot be read: {error.strerror}", "see the profile's iso") from error
    described = {"iso": seen, "info": found.info, "kernel": kernel.sha256, "initrd": initrd.sha256}
    return InstallerMedia(kernel, initrd, described, iso=path)
