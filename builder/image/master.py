"""A mini ISO that installs one guest, made of netboot media: for CD and USB, BIOS and UEFI, Secure Boot on or off.

Kernel and initrd lie where Debian's own images have them, the initrd with our segment in front, and a second time
without it. UEFI starts Debian's signed shim and GRUB. The same inputs give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from builder.errors import BuilderError
from builder.image.bootdisk import (
    BACKUP,
    BASIC_DATA,
    BLOCK,
    EFI_SYSTEM,
    Partition,
    with_boot_table,
    write_gpt,
    write_mbr,
)
from builder.image.fat import write_fat
from builder.image.iso.menus import Menu, with_block
from builder.image.iso.repack import ORIGINAL
from builder.image.iso.volume import SECTOR, SYSTEM_AREA
from builder.image.iso.write import BootImage, Layout, NewVolume, lay_volume

KERNEL, INITRD, ORIGINAL_INITRD = "install.amd/vmlinuz", "install.amd/initrd.gz", f"install.amd/{ORIGINAL}"
ISOLINUX, EFI_IMAGE = "isolinux/isolinux.bin", "boot/grub/efi.img"
MODULES = ("ldlinux.c32", "libcom32.c32", "libutil.c32", "menu.c32")
_PER_SECTOR = SECTOR // BLOCK
# Of the MBR's geometry, 1 MiB: some BIOSes start only disks and partitions of whole cylinders.
_CYLINDER = (1 << 20) // SECTOR
_BIOS_MENU = "default menu.c32\nprompt 0\nmenu title Debian installer\n"
# Of the first serial port, should the kernel's console be there; isolinux says so on both.
_SERIAL = "serial 0 115200\n"


@dataclass(frozen=True, slots=True)
class Loaders:
    """Boot loaders out of Debian's packages; `modules` by name, those of MODULES."""

    shim: bytes
    grub: bytes
    isolinux: bytes
    mbr: bytes
    modules: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Stored:
    """A large file, known by its digests and size in bytes, copied from where the caller has it.

    `md5_behind` is the MD5 of it with our segment in front, where it has one.
    """

    name: str
    sha256: str
    md5: str
    size: int
    md5_behind: str = ""


@dataclass(frozen=True, slots=True)
class Disc:
    """What the image is called and does: it starts by itself after `delay` seconds.

    The kernel gets `arguments` when it installs unattended, and `shared` in any case.
    """

    guest: str
    version: str  # of the installer, which begins with its day: 20250803+deb13u1
    suite: str
    arguments: tuple[str, ...]
    shared: tuple[str, ...]
    delay: int


Part = bytes | Stored


def master_disc(disc: Disc, kernel: Stored, initrd: Stored, front: bytes, loaders: Loaders) -> tuple[Part, ...]:
    """The image from its first byte to its last; `front` is the segment with the guest's files (`initrd.segment`).

    Raises BuilderError when a loader is not what its package should hold.
    """
    if len(loaders.isolinux) < 64 or len(loaders.mbr) != 432 or set(loaders.modules) != set(MODULES):
        raise BuilderError("isolinux is not what it was in Debian 12 and 13", "tell us which version this is")
    identity = _identity(disc, (kernel, initrd), front, loaders)
    contents: dict[str, tuple[Part, ...]] = {path: (data,) for path, data in _contents(disc, identity, loaders).items()}
    contents |= {KERNEL: (kernel,), INITRD: (front, initrd)}
    contents["md5sum.txt"] = (_md5_list(contents, initrd),)
    contents[EFI_IMAGE] = contents.pop(EFI_IMAGE)  # last, so that its partition ends where the files do
    layout = _lay(disc, identity, contents)
    contents[ISOLINUX] = (
        with_boot_table(loaders.isolinux, volume=SYSTEM_AREA // SECTOR, extent=layout.extents[ISOLINUX]),
    )
    return tuple(_assemble(layout, contents, loaders.mbr, identity))


def menu_of(disc: Disc) -> Menu:
    """What the boot menus offer; ValueError for a delay or an argument that they cannot have."""
    paths = (f"/{KERNEL}", f"/{INITRD}", f"/{ORIGINAL_INITRD}")
    return Menu(*paths, disc.delay, disc.guest, disc.arguments, disc.shared)


def _identity(disc: Disc, stored: tuple[Stored, ...], front: bytes, loaders: Loaders) -> bytes:
    """32 bytes that are another's when any input is; GUIDs and the volume's hour are taken from them."""
    modules = (loaders.modules[name] for name in MODULES)
    files = (front, loaders.shim, loaders.grub, loaders.isolinux, loaders.mbr, *modules)
    digests = [file.sha256 for file in stored] + [hashlib.sha256(file).hexdigest() for file in files]
    return hashlib.sha256("\n".join([repr(disc), *digests]).encode()).digest()


def _guid(identity: bytes, what: str) -> UUID:
    return UUID(bytes=hashlib.sha256(identity + what.encode()).digest()[:16], version=4)


def _moment(disc: Disc, identity: bytes) -> datetime:
    """The installer's day. The time of day differs per image: blkid and GRUB know a volume by its moment."""
    try:
        day = datetime.strptime(disc.version[:8], "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        day = datetime(2000, 1, 1, tzinfo=UTC)
    return day + timedelta(milliseconds=10 * (int.from_bytes(identity[:4], "big") % 8_640_000))


def _contents(disc: Disc, identity: bytes, loaders: Loaders) -> dict[str, bytes]:
    """Everything but kernel, initrd and their digests."""
    menu = menu_of(disc)
    serial = _SERIAL if any(word.startswith("console=ttyS0") for word in disc.shared) else ""
    mark = f".disk/id/{_guid(identity, 'disc')}"
    stage = f"search --file --set=root /{mark}\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
    firmware = {
        "EFI/BOOT/BOOTX64.EFI": loaders.shim,
        "EFI/BOOT/GRUBX64.EFI": loaders.grub,
        "EFI/DEBIAN/GRUB.CFG": stage.encode(),
    }
    texts = {
        ".disk/info": f"Debian installer {disc.version} for {disc.guest}, {disc.suite}, made by domu\n",
        mark: f"{disc.guest}\n",
        "isolinux/isolinux.cfg": with_block(serial + _BIOS_MENU, "isolinux", menu),
        # GRUB looks for it where it was started from: the FAT of a stick, but on a CD the ISO itself (GRUB 2.12).
        "EFI/debian/grub.cfg": stage,
        "boot/grub/grub.cfg": with_block("", "grub", menu),
    }
    return {
        **{path: text.encode() for path, text in texts.items()},
        ISOLINUX: loaders.isolinux,
        **{f"isolinux/{name}": loaders.modules[name] for name in MODULES},
        EFI_IMAGE: write_fat(firmware, serial=int.from_bytes(identity[4:8], "big")),
    }


def _md5_list(contents: Mapping[str, tuple[Part, ...]], initrd: Stored) -> bytes:
    """As on Debian's images: all but isolinux, whose boot information table is written later."""
    digests = {path: _md5(parts[0]) for path, parts in contents.items() if not path.startswith("isolinux/")}
    digests |= {INITRD: initrd.md5_behind, ORIGINAL_INITRD: initrd.md5}
    return "".join(f"{digest}  ./{path}\n" for path, digest in sorted(digests.items())).encode()


def _md5(part: Part) -> str:
    return part.md5 if isinstance(part, Stored) else hashlib.md5(part, usedforsecurity=False).hexdigest()


def _size(parts: tuple[Part, ...]) -> int:
    return sum(part.size if isinstance(part, Stored) else len(part) for part in parts)


def _lay(disc: Disc, identity: bytes, contents: Mapping[str, tuple[Part, ...]]) -> Layout:
    """With room for the backup of the partition table, and filled up to a whole cylinder."""
    volume = NewVolume(
        f"DOMU {disc.guest}".upper()[:32],
        _moment(disc, identity),
        {path: _size(parts) for path, parts in contents.items()} | {ORIGINAL_INITRD: _size(contents[INITRD][1:])},
        BootImage(ISOLINUX, 4),
        BootImage(EFI_IMAGE, _size(contents[EFI_IMAGE]) // BLOCK),
        {EFI_IMAGE: _CYLINDER},
        {ORIGINAL_INITRD: (INITRD, _size(contents[INITRD][:1]) // SECTOR)},
    )
    backup = -(-BACKUP // _PER_SECTOR)
    padding = backup + -(lay_volume(volume).sectors + backup) % _CYLINDER
    return lay_volume(replace(volume, padding=padding))


def _assemble(layout: Layout, contents: Mapping[str, tuple[Part, ...]], code: bytes, identity: bytes) -> Iterator[Part]:
    blocks = layout.sectors * _PER_SECTOR
    first = layout.extents[EFI_IMAGE] * _PER_SECTOR
    efi = Partition(
        *(EFI_SYSTEM, _guid(identity, "efi"), "EFI"), first, first + _size(contents[EFI_IMAGE]) // BLOCK - 1
    )
    data = Partition(BASIC_DATA, _guid(identity, "data"), "ISO9660", SYSTEM_AREA // BLOCK, first - 1)
    front, back = write_gpt(_guid(identity, "disk"), blocks, (data, efi))
    mbr = write_mbr(
        code,
        isolinux=layout.extents[ISOLINUX] * _PER_SECTOR,
        serial=int.from_bytes(identity[8:12], "big"),
        efi=efi,
    )
    area = (mbr + front).ljust(SYSTEM_AREA, b"\0")
    yield area + layout.head[len(area) :]
    at = len(layout.head)
    for path, parts in contents.items():
        begin = layout.extents[path] * SECTOR
        yield bytes(begin - at)
        yield from parts
        at = begin + _size(parts)
    yield bytes(layout.sectors * SECTOR - at - len(back)) + back
