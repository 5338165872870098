"""Kernels for tests: headers as Linux has them, with a payload of one's own."""

from __future__ import annotations

import struct

MAGICS = {
    "none": b"\x7fELF",
    "gzip": b"\x1f\x8b\x08",
    "bzip2": b"BZh9",
    "lzma": b"\x5d\x00\x00",
    "xz": b"\xfd7zXZ\x00",
    "lzo": b"\x89LZO\x00",
    "lz4": b"\x02\x21\x4c\x18",
    "zstd": b"\x28\xb5\x2f\xfd",
}


def bzimage(payload: bytes, *, version: str = "6.12.1-amd64", protocol: int = 0x20F, sectors: int = 39) -> bytes:
    """A bzImage (Documentation/arch/x86/boot.rst) that is nothing but its header and a payload."""
    image = bytearray((sectors + 1) * 512)
    image[0x1F1] = sectors
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, protocol)
    if version:
        struct.pack_into("<H", image, 0x20E, 0x300)
        text = f"{version} (nobody@example.org) #1 SMP".encode() + b"\0"
        image[0x500 : 0x500 + len(text)] = text
    struct.pack_into("<II", image, 0x248, 0x2CC, len(payload))
    return bytes(image) + bytes(0x2CC) + payload


def xen_elf() -> bytes:
    """The least ELF image that GRUB takes for a 64-bit kernel of Xen PV guests: one note segment, no code."""
    notes = b"".join(
        struct.pack("<III", 4, len(value), kind) + b"Xen\0" + value + bytes(-len(value) % 4)
        for kind, value in (
            (6, b"linux\0"),
            (5, b"xen-3.0\0"),
            (8, b"generic\0"),
            (1, struct.pack("<Q", 0x1000)),
            (3, struct.pack("<Q", 0)),
        )
    )
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0x1000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 4, 4, 64 + 56, 0, 0, len(notes), len(notes), 4)
    return head + segment + notes + bytes(4096)
