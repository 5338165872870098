"""Boot loaders for mastered images: out of Debian's own packages of the guest's suite, verified like all media."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from builder.errors import BuilderError
from builder.host.store import Blob, Store
from builder.image.master import MODULES, Loaders
from builder.media.asking import find_asking
from builder.media.deb import read_members
from builder.media.mirror import packages_path
from builder.media.netboot import index_path
from builder.media.packages import Package, unpack_index
from builder.media.release import Digest
from builder.workflows.access import Access

ARCH = "amd64"
_BIOS = "usr/lib/syslinux/modules/bios"
# package -> the files that are wanted of it
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "shim-signed": ("usr/lib/shim/shimx64.efi.signed",),
    "grub-efi-amd64-signed": ("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",),
    "isolinux": ("usr/lib/ISOLINUX/isolinux.bin", "usr/lib/ISOLINUX/isohdpfx.bin"),
    "syslinux-common": tuple(f"{_BIOS}/{name}" for name in MODULES),
}
_NOTE = "loaders"


@dataclass(frozen=True, slots=True)
class FoundLoaders:
    """The loaders, and the version of each package that they come from."""

    loaders: Loaders
    versions: Mapping[str, str]


def find_loaders(access: Access, suite: str) -> FoundLoaders:
    """The loaders of a suite as its archive has them now; offline those that were had last.

    Raises BuilderError when the archive cannot be asked or trusted, lacks a package, or a package lacks a file.
    """
    packages = _noted(access.store, suite) if access.terms.offline else _listed(access, suite)
    blobs = {name: _blob(access, suite, package) for name, package in packages.items()}
    access.store.keep_note(_NOTE, suite, {name: _as_note(package) for name, package in packages.items()})
    files: dict[str, bytes] = {}
    for name, wanted in PACKAGES.items():
        with blobs[name].path.open("rb") as deb:
            files |= {path: b"".join(blocks) for path, _size, blocks in read_members(deb, wanted)}
    shim, grub, isolinux, mbr = (files[path] for name in list(PACKAGES)[:3] for path in PACKAGES[name])
    modules = {name: files[f"{_BIOS}/{name}"] for name in MODULES}
    versions = {name: package.version for name, package in packages.items()}
    return FoundLoaders(Loaders(shim, grub, isolinux, mbr, modules), versions)


def _listed(access: Access, suite: str) -> Mapping[str, Package]:
    archive = access.suite(suite)
    path = index_path(archive.release, packages_path(ARCH))
    with archive.listed(path, by_hash=True).path.open("rb") as packed, unpack_index(packed, path) as index:
        found = find_asking(index, PACKAGES).packages
    if missing := sorted(PACKAGES.keys() - found.keys()):
        raise BuilderError(f"{suite} has no package {', '.join(missing)}", "take a mirror that has all of main")
    return {name: found[name] for name in PACKAGES}


def _blob(access: Access, suite: str, package: Package) -> Blob:
    if found := access.store.find(package.digest.sha256):
        return found
    archive = access.suite(suite)
    return access.fetcher.download(
        archive.mirror.file(package.filename),
        digest=package.digest,
        store=access.store,
        what=f"{package.name} {package.version}",
    )


def _as_note(package: Package) -> dict[str, object]:
    return {
        "version": package.version,
        "filename": package.filename,
        "sha256": package.digest.sha256,
        "size": package.digest.size,
    }


def _noted(store: Store, suite: str) -> Mapping[str, Package]:
    """What was taken last time; the bytes still have to be in the store under their digest."""
    kept = store.note(_NOTE, suite)
    try:
        return {
            name: Package(
                name, kept[name]["version"], kept[name]["filename"], Digest(kept[name]["sha256"], kept[name]["size"])
            )
            for name in PACKAGES
        }
    except (TypeError, KeyError, ValueError) as error:
        raise BuilderError(
            f"the boot loaders of {suite} are not in the cache, and this run is offline",
            "run it once without --offline",
        ) from error
