"""The kernel and initrd on a local installer ISO."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from builder.image.iso.contents import Contents, read_contents
from builder.image.iso.volume import HINT, SECTOR, IsoError, read_at

# debian-cd's places per architecture, the one meant for Xen first (an amd64 speciality)
INSTALLERS: Mapping[str, tuple[str, ...]] = {"amd64": ("/install.amd/xen", "/install.amd"), "arm64": ("/install.a64",)}
_WANTED = re.compile(r"/install\.[a-z0-9]+(?:/xen)?/(?:vmlinuz|initrd\.gz)|/\.disk/info")
_LONGEST_INFO = 4096


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a file lies in the image: `path` on it, first byte, bytes."""

    path: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Installer:
    """What a guest boots, and `.disk/info`, in which the image names its release (empty when it has none)."""

    kernel: Extent
    initrd: Extent
    info: str


def read_installer(image: BinaryIO, arch: str = "amd64") -> Installer:
    """Find the installer's kernel and initrd on an ISO; read the bytes with `read_extent`.

    Raises IsoError when this is no ISO, a damaged one, or none that installs Debian on `arch`.
    """
    contents = read_contents(image, _WANTED)
    if not contents.rock_ridge:
        raise IsoError("the ISO has no Rock Ridge names, so Debian did not make it")
    found = _find(contents, arch)
    info = _extent(contents, "/.disk/info")
    text = read_at(image, info.offset, min(info.size, _LONGEST_INFO)).decode(errors="replace").strip() if info else ""
    return Installer(*found, text)


def read_extent(image: BinaryIO, extent: Extent) -> bytes:
    """The bytes of a file on the image."""
    image.seek(extent.offset)
    return image.read(extent.size)


def _find(contents: Contents, arch: str) -> tuple[Extent, Extent]:
    folders = INSTALLERS.get(arch)
    if folders is None:
        raise IsoError(f"no place of the installer is known for {arch!r}", f"known are: {', '.join(INSTALLERS)}")
    for folder in folders:
        kernel, initrd = _extent(contents, f"{folder}/vmlinuz"), _extent(contents, f"{folder}/initrd.gz")
        if kernel and initrd:
            return kernel, initrd
    raise IsoError(f"the ISO has no installer for {arch}: looked in {', '.join(folders)}", HINT)


def _extent(contents: Contents, path: str) -> Extent | None:
    """The place of a file that lies in one piece, None when there is none; links are followed by nobody."""
    record = contents.files.get(path)
    if record is None or record.is_folder or not record.size or path in contents.split or record.odd:
        return None
    return Extent(path, record.extent * SECTOR, record.size)
