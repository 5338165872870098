"""`domu iso master`: a bootable ISO for one guest out of netboot media, for when there is no installer ISO."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Severity
from builder.host import files
from builder.host.digests import file_digest
from builder.host.run import Runner, run
from builder.host.secrets import resolve
from builder.host.site import Site
from builder.host.store import Blob, Store
from builder.image.initrd import check_files, read_initrd, segment
from builder.image.iso.installer import read_installer
from builder.image.master import Disc, Stored, master_disc, menu_of
from builder.profile.model import Guest
from builder.progress import Progress
from builder.workflows.access import Access
from builder.workflows.check import check
from builder.workflows.fetch import terms_of
from builder.workflows.installer import netboot_media
from builder.workflows.loaders import ARCH, find_loaders
from builder.workflows.payload import payloads_of, read_carried
from builder.xen.boot import console_of
from builder.xen.config import INSTALLER_ARGUMENTS

_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class MasterOrder:
    """What the command line asked for; `arguments` are added to the kernel's, `delay` counts seconds."""

    guest: str
    output: Path | None = None
    delay: int = 5
    arguments: tuple[str, ...] = ()
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Mastered:
    """The image that was written, and what it is made of; `findings` are warnings and notes."""

    path: Path
    sha256: str
    size: int
    installer_version: str
    loaders: Mapping[str, str]  # package -> version
    findings: tuple[Finding, ...]


def master(
    site: Site,
    order: MasterOrder,
    *,
    progress: Progress,
    now: datetime,
    environment: Mapping[str, str],
    runner: Runner = run,
) -> Mastered:
    """Write the image, readable by its owner only: the preseed in it may hold password hashes.

    Raises RefusalError with what is wrong with the guest, BuilderError when media or loaders cannot be had.
    """
    proved = check(
        site,
        (order.guest,),
        secrets=lambda guest: resolve(guest.secrets(), site=site, runner=runner, environment=environment),
        runner=runner,
    )
    if any(finding.severity is Severity.ERROR for finding in proved.findings):
        raise RefusalError("no image was made", proved.findings, "mend the errors above")
    (artefacts,) = proved.artefacts
    guest = artefacts.guest
    if guest.arch != ARCH:
        raise BuilderError(f"{guest.name} is {guest.arch}; images are made for {ARCH} only", "use domu build")
    disc = _disc(guest, order)
    payloads = payloads_of(artefacts, read_carried(site, guest))
    terms = terms_of(guest, site, offline=order.offline)
    with Access(Store(site.cache, progress), terms, progress=progress, now=now, runner=runner) as access:
        media = netboot_media(guest, site, access)
        loaders = find_loaders(access, guest.suite)
    with media.initrd.path.open("rb") as base:
        findings = check_files(payloads, read_initrd(base))
    if findings.errors:
        raise RefusalError("no image was made: the initrd cannot carry these files", findings.errors)
    version = media.described["version"]
    front = segment(payloads)
    kernel, initrd = _stored("vmlinuz", media.kernel), _stored("initrd.gz", media.initrd, front)
    parts = master_disc(replace(disc, version=version), kernel, initrd, front, loaders.loaders)
    paths = {"vmlinuz": media.kernel.path, "initrd.gz": media.initrd.path}
    output = order.output or site.build / f"{guest.name}-netboot.iso"
    if order.output is None:
        files.private_folder(site.build)
    files.write_joined(
        (part if isinstance(part, bytes) else paths[part.name] for part in parts), output, mode=_PRIVATE, check=verify
    )
    return Mastered(output, *file_digest(output), version, loaders.versions, (*media.findings, *proved.findings))


def _disc(guest: Guest, order: MasterOrder) -> Disc:
    """An HVM guest is installed over its serial port, which its domain's console shows."""
    arguments: tuple[str, ...] = ("auto=true", "priority=critical")
    shared = order.arguments
    if guest.type == "hvm":
        arguments, shared = ("auto=true", *INSTALLER_ARGUMENTS), (f"console={console_of(guest)}", *shared)
    disc = Disc(guest.name, "", guest.suite, arguments, shared, order.delay)
    try:
        menu_of(disc)
    except ValueError as error:
        raise BuilderError(str(error), "see domu iso master --help") from error
    return disc


def _stored(name: str, blob: Blob, front: bytes = b"") -> Stored:
    """Both digests in one pass."""
    alone, behind = hashlib.md5(usedforsecurity=False), hashlib.md5(front, usedforsecurity=False)
    with blob.path.open("rb") as stream:
        while data := stream.read(1 << 20):
            alone.update(data)
            behind.update(data)
    return Stored(name, blob.sha256, alone.hexdigest(), blob.size, behind.hexdigest())


def verify(image: BinaryIO) -> None:
    """Refuse an image whose own directory does not lead to kernel and initrd."""
    read_installer(image)
