"""Small installer ISOs and a toy mirror of CD images, made without any program but gpg."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from datetime import UTC, datetime

from builder.image import cpio
from builder.image.iso.records import walk
from builder.image.iso.volume import SECTOR, read_volume
from builder.image.iso.write import NewVolume, lay_volume
from tests.archive import Keys, noise, sha256

FOLDER = "debian-cd/current/amd64/iso-cd"
ABI = "6.12.1+toy-amd64"


def disc(files: Mapping[str, bytes]) -> bytes:
    """An ISO image with these files."""
    layout = lay_volume(NewVolume("TOY", datetime(2025, 1, 1, tzinfo=UTC), {path: len(files[path]) for path in files}))
    return layout.head + b"".join(data + bytes(-len(data) % SECTOR) for data in files.values())


def installer_disc(
    version: str = "13.1.0", *, suite: str = "Trixie", xen: bool = True, initrd: bytes | None = None
) -> bytes:
    """What debian-cd makes, in small: kernel and initrd, those meant for Xen too, and .disk/info."""
    info = f'Debian GNU/Linux {version} "{suite}" - Official amd64 NETINST with firmware 20250101-00:00\n'
    files = {
        ".disk/info": info.encode(),
        "isolinux/isolinux.cfg": b"default vesamenu.c32\nprompt 0\ntimeout 0\n",
        "install.amd/vmlinuz": noise(f"vmlinuz {version}", 70_000),
        "install.amd/initrd.gz": initrd or toy_initrd(f"plain {version}"),
    }
    if xen:
        files["install.amd/xen/vmlinuz"] = noise(f"xen vmlinuz {version}", 60_000)
        files["install.amd/xen/initrd.gz"] = toy_initrd(f"xen {version}")
    return disc(files)


def toy_initrd(name: str) -> bytes:
    """What read_initrd looks for: modules of one kernel, and the list of udebs."""
    entries = [
        cpio.Entry(f"lib/modules/{ABI}/modules.dep", noise(name, 3000)),
        cpio.Entry("var/lib/dpkg/status", b"Package: main-menu\nStatus: install ok installed\nVersion: 1.0\n"),
    ]
    return gzip.compress(cpio.write_newc(cpio.with_parents(entries)), mtime=0)


def files_on(image: bytes) -> dict[str, bytes]:
    """Every file of an image by its path without leading slash, as our own reader sees them."""
    stream = io.BytesIO(image)
    volume = read_volume(stream)
    records = walk(stream, volume, volume.descriptors[0])
    return {
        record.path[1:]: image[record.extent * SECTOR :][: record.size]
        for record in records
        if record.role == "entry" and not record.is_folder
    }


def lay_images(
    files: dict[str, bytes], keys: Keys, images: Mapping[str, bytes], *, by: str = "archive", at: str = ""
) -> None:
    """A folder of ISOs with the SHA256SUMS that lists them, and its signature."""
    for path in [path for path in files if path.startswith(FOLDER)]:
        del files[path]
    sums = "".join(f"{sha256(data)}  {name}\n" for name, data in images.items()).encode()
    files |= {f"{FOLDER}/{name}": data for name, data in images.items()}
    files |= {f"{FOLDER}/SHA256SUMS": sums, f"{FOLDER}/SHA256SUMS.sign": keys.detach(sums, by, at=at)}
