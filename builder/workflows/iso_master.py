"""`domu iso master`: a bootable ISO for one guest out of netboot media, for when there is no installer ISO."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding
from builder.host import files
from builder.host.digests import file_digest
from builder.host.run import Runner, run
from builder.host.site import Site
from builder.host.store import Blob, Store
from builder.image.initrd import check_files, read_initrd, segment
from builder.image.master import Disc, Stored, master_disc, menu_of
from builder.profile.model import Guest
from builder.progress import Progress
from builder.workflows.access import Access, terms_of
from builder.workflows.installer import netboot_media
from builder.workflows.iso import Wish, look_again
from builder.workflows.iso_guest import prove, wish_for
from builder.workflows.loaders import ARCH, find_loaders
from builder.workflows.payload import read_carried

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
    artefacts, about_guest = prove(site, order.guest, environment=environment, runner=runner)
    guest = artefacts.guest
    if guest.arch != ARCH:
        raise BuilderError(f"{guest.name} is {guest.arch}; images are made for {ARCH} only", "use domu build")
    wish = wish_for(artefacts, read_carried(site, guest))
    disc = _disc(guest, wish, order)
    terms = terms_of(guest, site, offline=order.offline)
    with Access(Store(site.cache, progress), terms, progress=progress, now=now, runner=runner) as access:
        media = netboot_media(guest, site, access)
        loaders = find_loaders(access, guest.suite)
    with media.initrd.path.open("rb") as base:
        findings = check_files(wish.payloads, read_initrd(base))
    if findings.errors:
        raise RefusalError("no image was made: the initrd cannot carry these files", findings.errors)
    version = media.described["version"]
    front = segment(wish.payloads)
    kernel, initrd = _stored("vmlinuz", media.kernel), _stored("initrd.gz", media.initrd, front)
    parts = master_disc(replace(disc, version=version), kernel, initrd, front, loaders.loaders)
    paths = {"vmlinuz": media.kernel.path, "initrd.gz": media.initrd.path}
    output = order.output or site.build / f"{guest.name}-netboot.iso"
    if order.output is None:
        files.private_folder(site.build)
    files.write_joined(
        (part if isinstance(part, bytes) else paths[part.name] for part in parts),
        output,
        mode=_PRIVATE,
        check=lambda image: look_again(image.fileno()),
    )
    return Mastered(output, *file_digest(output), version, loaders.versions, (*media.findings, *about_guest))


def _disc(guest: Guest, wish: Wish, order: MasterOrder) -> Disc:
    shared = (*wish.shared, *order.arguments)
    disc = Disc(guest.name, "", guest.suite, wish.arguments, shared, order.delay)
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
