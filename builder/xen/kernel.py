"""What a kernel's first bytes say of it: its version, and by what it is compressed. Nothing is unpacked."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Literal

from builder.errors import BuilderError
from builder.profile.model import Suite

Compression = Literal["none", "gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "zstd"]
# So much of the file holds all that is looked at: at most 65 sectors of setup code and the payload's beginning.
HEAD = 64 << 10
_MAGICS: tuple[tuple[bytes, Compression], ...] = (
    (b"\x7fELF", "none"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x89LZO", "lzo"),
    (b"\x02\x21\x4c\x18", "lz4"),  # the old frame, which is the kernel's
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_PAYLOAD_SINCE = 0x208  # the boot protocol's version that named the payload
_VERSION = re.compile(rb"[0-9]+\.[0-9][!-~]*")


@dataclass(frozen=True, slots=True)
class Kernel:
    """`version` as in 6.12.107+deb13-amd64, empty where the file does not say; `origin`: how we know."""

    compression: Compression
    version: str = ""
    origin: str = ""

    @property
    def described(self) -> str:
        """For a sentence: `Linux 6.12.107+deb13-amd64, compressed by zstd`."""
        how = "not compressed" if self.compression == "none" else f"compressed by {self.compression}"
        return f"Linux {self.version}, {how}" if self.version else f"a kernel {how}"


# What guests of each suite are installed with, for when no kernel is at hand; media that are fetched are read instead.
USUAL: dict[Suite, Kernel] = {
    "bookworm": Kernel("xz", "6.1", "assumed: so were bookworm's kernels when they were looked at, in November 2026"),
    "trixie": Kernel("zstd", "6.12", "assumed: so were trixie's kernels when they were looked at, in November 2026"),
}


def read_kernel(head: bytes, name: str) -> Kernel:
    """The kernel of which `head` is the beginning: HEAD bytes, or all there is.

    A bzImage names where its payload lies, and the payload begins with a magic number (Documentation/arch/x86/boot.rst:
    setup_sects, payload_offset, kernel_version). An ELF image, a gzipped one, and arm64's Image and zboot image
    (Documentation/arch/arm64/booting.rst) are known, too. BuilderError for anything else: `name` is for the message.
    """
    if head[0x202:0x206] == b"HdrS":
        return _bzimage(head, name)
    if head[0x38:0x3C] == b"ARM\x64":
        return Kernel("none", origin=f"read from {name}")
    if head[4:8] == b"zimg":
        return _zboot(head, name)
    found = _compression(head)
    if found in {"none", "gzip"}:
        return Kernel(found, origin=f"read from {name}")
    raise BuilderError(f"{name} is no Linux kernel", "it should be a vmlinuz as Debian's kernel packages have it")


def _bzimage(head: bytes, name: str) -> Kernel:
    if len(head) < 0x250:
        raise BuilderError(f"{name} ends in the middle of its header", "fetch or copy it again")
    (protocol,) = struct.unpack_from("<H", head, 0x206)
    if protocol < _PAYLOAD_SINCE:
        raise BuilderError(f"{name} is a kernel of before Linux 2.6.26", "no Debian that is installed here has it")
    (offset,) = struct.unpack_from("<I", head, 0x248)
    start = ((head[0x1F1] or 4) + 1) * 512 + offset
    if len(head) < start + 8:
        raise BuilderError(f"{name} ends before its payload, which begins at byte {start}", "fetch or copy it again")
    (text,) = struct.unpack_from("<H", head, 0x20E)
    version = _VERSION.match(head, text + 0x200) if text else None
    return Kernel(_payload(head[start:], name), version[0].decode() if version else "", f"read from {name}")


def _zboot(head: bytes, name: str) -> Kernel:
    """An EFI image that unpacks itself: it names its compression (drivers/firmware/efi/libstub/zboot-header.S)."""
    (start,) = struct.unpack_from("<I", head, 8)
    if len(head) < start + 8:
        raise BuilderError(f"{name} ends before its payload, which begins at byte {start}", "fetch or copy it again")
    return Kernel(_payload(head[start:], name), origin=f"read from {name}")


def _payload(payload: bytes, name: str) -> Compression:
    found = _compression(payload)
    if found is None:
        seen = payload[:8].hex(" ")
        raise BuilderError(
            f"{name} is compressed in a way that is not known: it begins with {seen}", "please report it"
        )
    return found


def _compression(data: bytes) -> Compression | None:
    return next((name for magic, name in _MAGICS if data.startswith(magic)), None)
