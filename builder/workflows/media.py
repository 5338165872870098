"""Netboot media for a suite and architecture: from the cache, the installer images or the package, and pinned."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builder.errors import BuilderError
from builder.findings import Finding
from builder.host.fetch import NotFoundError, UnreachableError
from builder.host.files import write_atomic
from builder.host.pins import read_lock
from builder.host.store import Blob, Store
from builder.image.initrd import read_initrd
from builder.media.deb import read_members
from builder.media.lock import MediaKey, Pin, describe_change, render_lock
from builder.media.mirror import netboot_path, packages_path, suite_path
from builder.media.netboot import (
    INITRD,
    KERNEL,
    Build,
    Sums,
    compare_sources,
    find_sums,
    index_path,
    list_builds,
    package_name,
    package_paths,
)
from builder.media.packages import Package, find_package, unpack_index
from builder.media.release import Digest, parse_sha256sums
from builder.workflows.access import Access, SuiteAccess


@dataclass(frozen=True, slots=True)
class NetbootMedia:
    """Kernel and initrd of one installer build, verified. `fetched`: some of it came over the network now.

    `changes` tells what became of the pin, empty when it stayed; `findings` are warnings.
    """

    kernel: Blob
    initrd: Blob
    installer_version: str
    kernel_abi: str
    suite: str
    arch: str
    source: str  # images or package
    fetched: bool = False
    changes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    @property
    def pin(self) -> Pin:
        """What profiles/media.lock says of it."""
        return Pin(self.installer_version, self.source, self.kernel_abi, _digest(self.kernel), _digest(self.initrd))


@dataclass(frozen=True, slots=True)
class _Found:
    version: str
    source: str
    kernel: Blob
    initrd: Blob
    fetched: bool
    findings: tuple[Finding, ...] = ()


def obtain(
    access: Access, lock_file: Path, *, suite: str, arch: str, sources: Sequence[str], upgrade: bool = False
) -> NetbootMedia:
    """The media that guests of this suite and architecture are built from, pinned on first use.

    What is pinned and in the cache is taken without a network. `sources` (images, package) are tried in order.
    Raises BuilderError: nothing trustworthy can be had, or the pinned build is gone.
    """
    pin = read_lock(lock_file).get((suite, arch))
    if pin and not upgrade:
        kernel, initrd = access.store.find(pin.kernel.sha256), access.store.find(pin.initrd.sha256)
        if kernel and initrd:
            return NetbootMedia(kernel, initrd, pin.version, pin.kernel_abi, suite, arch, pin.source)
        found = _first(access, suite, arch, sources, pin)
        return NetbootMedia(
            found.kernel, found.initrd, pin.version, pin.kernel_abi, suite, arch, found.source, fetched=found.fetched
        )
    found = _first(access, suite, arch, sources, None)
    new = Pin(found.version, found.source, _kernel_abi(found.initrd), _digest(found.kernel), _digest(found.initrd))
    _write_pin(access.store, lock_file, (suite, arch), new)
    return NetbootMedia(
        found.kernel,
        found.initrd,
        new.version,
        new.kernel_abi,
        suite,
        arch,
        new.source,
        fetched=found.fetched,
        changes=describe_change(pin, new),
        findings=(*access.suite(suite).findings, *found.findings),
    )


def _write_pin(store: Store, lock_file: Path, key: MediaKey, pin: Pin) -> None:
    with store.lock("media", f"writes {lock_file}"):
        pins = read_lock(lock_file)  # as another run may have left it
        if pins.get(key) != pin:
            write_atomic(lock_file, render_lock({**pins, key: pin}).encode(), mode=0o644)


def _digest(blob: Blob) -> Digest:
    return Digest(blob.sha256, blob.size)


def _kernel_abi(initrd: Blob) -> str:
    with initrd.path.open("rb") as stream:
        abis = read_initrd(stream).kernel_abis
    if len(abis) != 1:
        seen = ", ".join(abis) or "none"
        raise BuilderError(
            f"the initrd has kernel modules of {seen}, where those of one kernel are due", "it is no netboot initrd"
        )
    return abis[0]


def _first(access: Access, suite: str, arch: str, sources: Sequence[str], pin: Pin | None) -> _Found:
    """From the first source that can be had; what fails is said, and a mismatch never falls through."""
    archive = access.suite(suite)
    failures: list[str] = []
    for number, source in enumerate(sources):
        try:
            return _SOURCES[source](access, archive, arch, pin)
        except UnreachableError as error:
            failures.append(error.message)
            if number + 1 < len(sources):
                access.progress.say(f"{suite}/{arch}: {error.message}; trying the next source: {sources[number + 1]}")
    why = "; ".join(failures)
    if pin:
        raise BuilderError(
            f"the pinned installer build {pin.version} of {suite}/{arch} is gone from {access.mirror}: {why}",
            "take the build that is there now with: domu fetch --upgrade; or name a mirror that keeps old ones",
        )
    raise BuilderError(
        f"no netboot media of {suite}/{arch} can be had from {access.mirror}: {why}", "take another mirror"
    )


def _from_images(access: Access, archive: SuiteAccess, arch: str, pin: Pin | None) -> _Found:
    """The installer images under dists/, by the digests of the SHA256SUMS that the Release lists."""
    builds = list_builds(archive.release, arch)
    if not builds:
        raise NotFoundError(f"the Release of {archive.name} lists no installer images for {arch}", "")
    failure: UnreachableError | None = None
    for build, sums in _offers(archive, arch, builds, pin):
        try:
            return _download_images(access, archive, arch, build, _wanted(sums, pin))
        except NotFoundError as error:
            failure = failure or error
    raise failure or NotFoundError(f"it lists the builds {', '.join(dict.fromkeys(b.version for b in builds))}", "")


def _download_images(
    access: Access, archive: SuiteAccess, arch: str, build: Build, wanted: dict[str, Digest]
) -> _Found:
    known = all(access.store.find(digest.sha256) for digest in wanted.values())
    kernel, initrd = (
        access.fetcher.download(
            archive.mirror.file(suite_path(archive.name, f"{build.folder}/{netboot_path(arch, name)}")),
            digest=digest,
            store=access.store,
            what=f"{archive.name}/{arch} {name}",
        )
        for name, digest in wanted.items()
    )
    return _Found(build.version, "images", kernel, initrd, fetched=not known)


def _offers(archive: SuiteAccess, arch: str, builds: Sequence[Build], pin: Pin | None) -> Iterator[tuple[Build, Sums]]:
    """The builds that may be taken: the newest, or those that have the pinned digests."""
    for build in builds if pin else builds[:1]:
        try:
            sums = _sums(archive, arch, build)
        except NotFoundError:
            if pin is None:
                raise
            continue  # listed and pruned; another folder may hold the same build
        if sums and (pin is None or (sums.kernel, sums.initrd) == (pin.kernel.sha256, pin.initrd.sha256)):
            yield build, sums


def _sums(archive: SuiteAccess, arch: str, build: Build) -> Sums | None:
    listing = archive.listed(build.sums_path).path.read_text(encoding="utf-8", errors="replace")
    return find_sums(parse_sha256sums(listing), arch)


def _wanted(sums: Sums, pin: Pin | None) -> dict[str, Digest]:
    """SHA256SUMS names no sizes; a pin does."""
    if pin:
        return {KERNEL: pin.kernel, INITRD: pin.initrd}
    return {KERNEL: Digest(sums.kernel), INITRD: Digest(sums.initrd)}


def _from_package(access: Access, archive: SuiteAccess, arch: str, pin: Pin | None) -> _Found:
    """The same media out of the suite's netboot package, compared with SHA256SUMS where that can be had."""
    package = _package(archive, arch)
    if pin and package.version != pin.version:
        raise NotFoundError(f"{package.name} is there in version {package.version}", "")
    known = access.store.find(package.digest.sha256)
    deb = access.fetcher.download(
        archive.mirror.file(package.filename),
        digest=package.digest,
        store=access.store,
        what=f"{package.name} {package.version}",
    )
    kernel, initrd = _unpack(access.store, deb, package_paths(archive.name, arch))
    if pin and (kernel.sha256, initrd.sha256) != (pin.kernel.sha256, pin.initrd.sha256):
        raise BuilderError(
            f"{package.name} {package.version} holds other media than profiles/media.lock pins for {pin.version}",
            "do not use it before you know why; domu fetch --upgrade takes it all the same",
        )
    finding = None if pin else _compare(access, archive, arch, package, Sums(kernel.sha256, initrd.sha256))
    findings = (finding,) if finding else ()
    return _Found(package.version, "package", kernel, initrd, fetched=not known, findings=findings)


def _package(archive: SuiteAccess, arch: str) -> Package:
    name, path = package_name(archive.name, arch), index_path(archive.release, packages_path(arch))
    with archive.listed(path, by_hash=True).path.open("rb") as packed, unpack_index(packed, path) as index:
        package = find_package(index, name)
    if package is None:
        raise NotFoundError(f"{archive.name} has no package {name}", "")
    return package


def _unpack(store: Store, deb: Blob, paths: tuple[str, str]) -> tuple[Blob, Blob]:
    """Kernel and initrd out of the package into the store, each under the digest that it turns out to have."""
    found: dict[str, Blob] = {}
    with store.lock(f"unpack-{deb.sha256}", "unpacks the same package"), deb.path.open("rb") as stream:
        for path, size, blocks in read_members(stream, paths):
            aside = store.incoming(hashlib.sha256(f"{deb.sha256} {path}".encode()).hexdigest())
            seen = hashlib.sha256()
            with store.writing(size), aside.open("wb") as file:
                for block in blocks:
                    seen.update(block)
                    file.write(block)
            found[path] = store.admit(aside, sha256=seen.hexdigest())
    return found[paths[0]], found[paths[1]]


def _compare(access: Access, archive: SuiteAccess, arch: str, package: Package, own: Sums) -> Finding | None:
    builds = sorted(list_builds(archive.release, arch), key=lambda build: build.version != package.version)
    for build in builds[:1]:
        try:
            listed = _sums(archive, arch, build)
        except UnreachableError as error:
            access.progress.say(f"the package is not compared with the installer images: {error.message}")
            return None
        if listed:
            return compare_sources(own, version=package.version, images=listed, build=build)
    return None


_SOURCES: dict[str, Callable[[Access, SuiteAccess, str, Pin | None], _Found]] = {
    "images": _from_images,
    "package": _from_package,
}
