"""Boot loader packages for a toy archive: the right names and places, noise for content."""

from __future__ import annotations

import lzma
from pathlib import Path

from builder.host.run import run
from builder.image.master import MODULES
from builder.workflows.loaders import PACKAGES
from tests.archive import NOW, noise
from tests.netboot import NetbootArchive, stanza

SIZES = {"isohdpfx.bin": 432, "isolinux.bin": 38_912, **dict.fromkeys(MODULES, 20_000)}


def lay_loaders(archive: NetbootArchive, folder: Path, version: str = "1.0", without: str = "") -> None:
    """Add them to the archive's pool and index; one of their files may be missing."""
    index = f"{archive.dists}/main/binary-amd64/Packages.xz"
    text = lzma.decompress(archive.files[index]).decode()
    for name, paths in PACKAGES.items():
        root = folder / f"{name}-{version}"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: Toy <toy@example.org>\n"
            "Description: toy\n"
        )
        for path in paths:
            file = root / path
            if file.name == without:
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(noise(f"{file.name} {version}", SIZES.get(file.name, 100_000)))
        deb = folder / f"{name}-{version}.deb"
        argv = ["dpkg-deb", "--build", "--root-owner-group", "-Zxz", str(root), str(deb)]
        done = run(argv, env={"SOURCE_DATE_EPOCH": str(int(NOW.timestamp()))})
        assert done.status == 0, done.complaint
        place = f"pool/main/l/{deb.name}"
        archive.files[place] = deb.read_bytes()
        text += "\n" + stanza(name, version, place, archive.files[place])
    archive.files[index] = lzma.compress(text.encode())
