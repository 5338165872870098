"""The kernel and initrd on a local installer ISO.

pycdlib sees the image with its first 32 KiB blank: it reads hybrid boot records there, and fails on those of
official images whose backup GPT it does not find (pycdlib bug 139). ISO 9660 itself begins behind them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import pycdlib
from pycdlib.pycdlibexception import PyCdlibException

from builder.errors import BuilderError

SYSTEM_AREA = 32768  # ECMA-119 6.2.1: 16 sectors for the use of boot code
SECTOR = 2048
# debian-cd's places per architecture, the one meant for Xen first (an amd64 speciality)
INSTALLERS: Mapping[str, tuple[str, ...]] = {"amd64": ("/install.amd/xen", "/install.amd"), "arm64": ("/install.a64",)}
HINT = "give a Debian installer image, such as a netinst ISO"


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


class _WithoutSystemArea(io.RawIOBase):
    """The image, with zeros where boot code and partition tables are."""

    def __init__(self, image: BinaryIO) -> None:
        super().__init__()
        self._image = image

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move in the image itself."""
        return self._image.seek(offset, whence)

    def tell(self) -> int:
        """The place in the image itself."""
        return self._image.tell()

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # the buffer protocol has no name in 3.11
        """Fill `buffer` with what is there, or zeros."""
        start = self._image.tell()
        data = self._image.read(len(buffer))
        blank = min(max(SYSTEM_AREA - start, 0), len(data))
        buffer[: len(data)] = bytes(blank) + data[blank:]
        return len(data)


def read_installer(image: BinaryIO, arch: str = "amd64") -> Installer:
    """Find the installer's kernel and initrd on an ISO; read the bytes with `read_extent`.

    Raises BuilderError when this is no ISO, a damaged one, or none that installs Debian on `arch`.
    """
    iso = pycdlib.PyCdlib()
    try:
        _refuse_short(image)
        iso.open_fp(io.BufferedReader(_WithoutSystemArea(image)))
        try:
            if not iso.has_rock_ridge():
                raise BuilderError("the ISO has no Rock Ridge names, so Debian did not make it", HINT)
            found = _find(iso, arch)
            info = _extent(iso, "/.disk/info")
        finally:
            iso.close()
    except (PyCdlibException, struct.error, IndexError, ValueError) as error:
        raise BuilderError(f"this is no ISO image that can be read: {error}", HINT) from error
    text = read_extent(image, info).decode(errors="replace").strip() if info else ""
    return Installer(*found, text)


def _refuse_short(image: BinaryIO) -> None:
    """What was cut off is opened by pycdlib 1.22.0 all the same, its last files shortened without a word."""
    size = image.seek(0, io.SEEK_END)
    image.seek(SYSTEM_AREA + 80)  # ECMA-119 8.4.8: the volume's size in sectors, little-endian first
    (sectors,) = struct.unpack("<L", image.read(4))
    if size < sectors * SECTOR:
        raise BuilderError(f"this ISO is cut off: {size} of {sectors * SECTOR} bytes are there", "fetch it again")


def read_extent(image: BinaryIO, extent: Extent) -> bytes:
    """The bytes of a file on the image."""
    image.seek(extent.offset)
    return image.read(extent.size)


def _find(iso: pycdlib.PyCdlib, arch: str) -> tuple[Extent, Extent]:
    folders = INSTALLERS.get(arch)
    if folders is None:
        raise BuilderError(f"no place of the installer is known for {arch!r}", f"known are: {', '.join(INSTALLERS)}")
    for folder in folders:
        kernel, initrd = _extent(iso, f"{folder}/vmlinuz"), _extent(iso, f"{folder}/initrd.gz")
        if kernel and initrd:
            return kernel, initrd
    raise BuilderError(f"the ISO has no installer for {arch}: looked in {', '.join(folders)}", HINT)


def _extent(iso: pycdlib.PyCdlib, path: str) -> Extent | None:
    """The place of a file, None when there is none; links are followed by nobody."""
    try:
        record = iso.get_record(rr_path=path)
    except PyCdlibException:
        return None
    if not record.is_file() or not record.get_data_length():
        return None
    return Extent(path, record.extent_location() * SECTOR, record.get_data_length())
