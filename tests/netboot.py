"""A toy archive that an installer could be fetched from: images, the netboot package, udebs; all signed, all small."""

from __future__ import annotations

import gzip
import lzma
from dataclasses import dataclass, field
from pathlib import Path

from builder.host.run import run
from builder.image import cpio
from tests.archive import NOW, Archive, Keys, noise, sha256

OLD, NEW = "20250803", "20250803+deb13u1"
ABI, NEW_ABI = "6.12.1-amd64", "6.12.2-amd64"
NETBOOT = "netboot/debian-installer/amd64"
PACKAGE = "debian-installer-13-netboot-amd64"
UDEBS = ("anna", "partman-base", "grub-installer")


def initrd(abi: str) -> bytes:
    """A small initrd.gz with a kernel's modules and a dpkg status."""
    status = b"Package: main-menu\nStatus: install ok installed\nVersion: 1.0\n"
    entries = [
        cpio.Entry(f"lib/modules/{abi}/modules.dep", b"", cpio.FILE | 0o644),
        cpio.Entry("var/lib/dpkg/status", status, cpio.FILE | 0o644),
        cpio.Entry("noise", noise(f"initrd {abi}", 200_000), cpio.FILE | 0o644),
    ]
    return gzip.compress(cpio.write_newc(cpio.with_parents(entries)), mtime=0)


@dataclass(frozen=True)
class Build:
    """One build of the installer."""

    version: str = OLD
    abi: str = ABI
    media: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def make(cls, version: str = OLD, abi: str = ABI) -> Build:
        return cls(version, abi, {"linux": noise(f"linux {version}", 100_000), "initrd.gz": initrd(abi)})


class NetbootArchive(Archive):
    """The mirror of one suite, trixie; `fill_with` lays a build, `publish` signs."""

    def __init__(self, keys: Keys, folder: Path) -> None:
        super().__init__(keys, suite="trixie")
        self._folder = folder

    def lay(self, build: Build, *, package: Build | None = None) -> None:
        """Everything of this build; the package may be another's."""
        self.files.clear()
        self.lay_images(build, "current")
        self.lay_images(build, build.version)
        self.lay_package(package or build)
        self.lay_udebs(build.abi)

    def lay_images(self, build: Build, name: str) -> None:
        folder = f"{self.dists}/main/installer-amd64/{name}/images"
        self.files |= {f"{folder}/{NETBOOT}/{file}": data for file, data in build.media.items()}
        sums = "".join(f"{sha256(data)}  ./{NETBOOT}/{file}\n" for file, data in build.media.items())
        self.files[f"{folder}/SHA256SUMS"] = sums.encode()

    def drop_images(self) -> None:
        """As on a partial mirror: SHA256SUMS is there, what it lists is not."""
        for path in [path for path in self.files if f"/{NETBOOT}/" in path]:
            del self.files[path]

    def lay_package(self, build: Build) -> None:
        """The netboot package as dpkg-deb builds it, and the index that lists it among others."""
        data = self._deb(build)
        self.deb = f"pool/main/d/{PACKAGE}_{build.version}_all.deb"
        self.files[self.deb] = data
        text = "\n".join(
            [
                stanza("aaa", "1.0", "pool/a.deb", b"a"),
                stanza(PACKAGE, build.version, self.deb, data),
                stanza("zzz", "1.0", "pool/z.deb", b"z"),
            ]
        )
        self.files[f"{self.dists}/main/binary-amd64/Packages.xz"] = lzma.compress(text.encode())

    def lay_udebs(self, abi: str) -> None:
        """A few udebs for the kernel `abi`, in the pool and in their index."""
        names = [*UDEBS, f"scsi-modules-{abi}-di"]
        text = ""
        for name in names:
            path = f"pool/main/u/{name}_1.0_amd64.udeb"
            self.files[path] = noise(name, 1000)
            kernel = f"Kernel-Version: {abi}\n" if "-modules-" in name else ""
            text += stanza(name, "1.0", path, self.files[path]) + f"Priority: standard\n{kernel}\n"
        self.files[f"{self.dists}/main/debian-installer/binary-amd64/Packages.xz"] = lzma.compress(text.encode())

    def _deb(self, build: Build) -> bytes:
        root = self._folder / f"deb-{build.version}"
        media = root / "usr/lib/debian-installer/images/13/amd64/text/debian-installer/amd64"
        media.mkdir(parents=True, exist_ok=True)
        (root / "DEBIAN").mkdir(exist_ok=True)
        (root / "DEBIAN/control").write_text(
            f"Package: {PACKAGE}\nVersion: {build.version}\nArchitecture: all\nMaintainer: Toy <toy@example.org>\n"
            "Description: toy\n"
        )
        for name, data in build.media.items():
            (media / name).write_bytes(data)
        out = self._folder / f"{build.version}.deb"
        epoch = {"SOURCE_DATE_EPOCH": str(int(NOW.timestamp()))}
        done = run(["dpkg-deb", "--build", "--root-owner-group", str(root), str(out)], env=epoch)
        assert done.status == 0, done.complaint
        return out.read_bytes()


def stanza(name: str, version: str, path: str, data: bytes) -> str:
    """An entry of an index."""
    return f"Package: {name}\nVersion: {version}\nFilename: {path}\nSize: {len(data)}\nSHA256: {sha256(data)}\n"
