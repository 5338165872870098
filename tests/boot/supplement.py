"""The udebs that an installation pulls, put into its initrd beforehand, so that a boot under emulation is quick.

A mirror may list udebs that it cannot give. For those something stands in, by `Standing`; with a complete mirror
nothing does. For tests alone: what domu itself builds holds Debian's own initrd, untouched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from debian.deb822 import Deb822

from builder.host.fetch import NotFoundError
from builder.host.site import Site
from builder.host.store import Blob, Store
from builder.media.mirror import packages_path, udebs_path
from builder.media.netboot import index_path
from builder.media.packages import Package, find_package, parse_package, read_stanzas, unpack_index
from builder.preseed.owners import TWINS
from builder.progress import Silence
from builder.workflows.access import Access, SuiteAccess, Terms
from builder.workflows.media import NetbootMedia
from builder.workflows.preflight import preflight
from tests.boot.prober import checkpoint_udebs

ARCH = "amd64"
# Which suite's udebs stand in, where a mirror lacks a suite's own.
OTHER = {"bookworm": "trixie", "trixie": "bookworm"}
# What an installation on a virtio disk, or on a disk of Xen's, needs of the kernel's modules.
MODULES = (
    "virtio_blk",
    "xen-blkfront",
    "ext4",
    "crc32c_generic",
    "loop",
    "md-mod",
    "raid1",
    "dm-mod",
    "dm-mirror",
    "dm-snapshot",
)
# Libraries and programs of udebs that a mirror may lack, from the packages of the installed system.
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "e2fsprogs-udeb": ("e2fsprogs", "libext2fs2", "libext2fs2t64", "libss2", "libcom-err2"),
    "libparted2-udeb": ("libparted2", "libparted2t64"),
    "libparted-fs-resize0-udeb": ("libparted-fs-resize0", "libparted-fs-resize0t64"),
    "libdevmapper1.02.1-udeb": ("libdevmapper1.02.1", "libselinux1", "libpcre2-8-0"),
    "lvm2-udeb": ("lvm2", "libdevmapper-event1.02.1", "libaio1", "libaio1t64", "libedit2", "libbsd0", "libmd0"),
    "libmount1-udeb": ("libmount1",),
}
_FOLDERS = ("bin", "sbin", "usr/bin", "usr/sbin", "lib", "usr/lib", "etc")


class Standing(Enum):
    """How a udeb came into the initrd."""

    OWN = "the suite's own udeb"
    TWIN = "the code of the .deb from the same source"
    PROGRAM = "the programs of the installed system's package"
    OTHER = "the udeb of the other suite"
    NONE = "said to be installed, nothing there"


@dataclass(frozen=True, slots=True)
class Supplement:
    """A cpio archive to append to the initrd, and how each udeb came in."""

    archive: Path
    standing: Mapping[str, Standing]
    merged: bool  # /lib of the initrd is a link

    def __str__(self) -> str:
        groups = {kind: [name for name, its in self.standing.items() if its is kind] for kind in Standing}
        return "\n".join(
            f"{len(names):3} {kind.value}" + ("" if kind is Standing.OWN else f": {', '.join(names)}")
            for kind, names in groups.items()
            if names
        )


def make_supplement(site: Site, media: NetbootMedia, folder: Path, *, checkpoints: bool = True) -> Supplement:
    """Fetch, unpack and pack; `folder` is for this alone. At checkpoints the installer waits for a prober's word."""
    folder.mkdir(parents=True, exist_ok=True)
    with Access(Store(site.cache, Silence()), Terms(), progress=Silence(), now=datetime.now(UTC)) as access:
        return _Maker(access, media, folder).make(checkpoints=checkpoints)


class _Maker:
    def __init__(self, access: Access, media: NetbootMedia, folder: Path) -> None:
        self.access, self.media, self.folder = access, media, folder
        self.archive = access.suite(media.suite)
        self.tree = folder / "tree"
        self.base = folder / "base"
        self.standing: dict[str, Standing] = {}
        self.status: list[str] = []

    def make(self, *, checkpoints: bool) -> Supplement:
        self._unpack_base()
        plan = preflight(self.access, self.media)
        missing = {udeb.package.name for udeb in plan.missing}
        self.stanzas = dict(_stanzas(self.archive))
        for udeb in plan.plan.all:
            name = udeb.package.name
            self.standing[name] = self._stand_in(name) if name in missing else self._own(udeb.package)
        if checkpoints:
            self._checkpoints()
        self._modules()
        self._merge_usr()
        return Supplement(self._pack(), self.standing, self.merged)

    def _checkpoints(self) -> None:
        info = self.tree / "var/lib/dpkg/info"
        for name, (stanza, postinst, templates) in checkpoint_udebs().items():
            self.status.append(stanza)
            (info / f"{name}.templates").write_text(templates)
            (info / f"{name}.postinst").write_text(postinst)
            (info / f"{name}.postinst").chmod(0o755)

    def _unpack_base(self) -> None:
        self.base.mkdir()
        with self.media.initrd.path.open("rb") as stream:
            gzip = subprocess.Popen(["gzip", "-dc"], stdin=stream, stdout=subprocess.PIPE)
            subprocess.run(["cpio", "-idm", "--quiet"], stdin=gzip.stdout, cwd=self.base, check=True)
            assert gzip.stdout
            gzip.stdout.close()
            gzip.wait()
        self.merged = (self.base / "lib").is_symlink()
        self.status.append((self.base / "var/lib/dpkg/status").read_text())

    def _own(self, package: Package) -> Standing:
        self._unpack(self._fetch(self.archive, package), package.name, self.stanzas[package.name])
        return Standing.OWN

    def _stand_in(self, name: str) -> Standing:
        stanza = self.stanzas[name]
        if name in TWINS and (deb := self._deb(TWINS[name])):
            self._twin(deb, name, stanza)
            return Standing.TWIN
        if name in PROGRAMS:
            found = [blob for blob in map(self._deb, PROGRAMS[name]) if blob]
            if found:
                for blob in found:
                    self._programs(blob)
                self._mark(stanza, "installed")
                return Standing.PROGRAM
        if "modules" not in name and (other := self._from_other_suite(name)):
            self._unpack(other, name, stanza)
            return Standing.OTHER
        self._mark(stanza, "installed")
        return Standing.NONE

    def _from_other_suite(self, name: str) -> Blob | None:
        other = self.access.suite(OTHER[self.media.suite])
        stanza = dict(_stanzas(other)).get(name)
        # A program of another suite may ask for symbols that this one's libraries lack; scripts ask for none.
        if stanza is None:
            return None
        try:
            return self._fetch(other, parse_package(stanza))
        except NotFoundError:
            return None

    def _deb(self, name: str) -> Blob | None:
        path = index_path(self.archive.release, packages_path(ARCH))
        with self.archive.listed(path, by_hash=True).path.open("rb") as packed, unpack_index(packed, path) as index:
            package = find_package(index, name)
        if package is None:
            return None
        try:
            return self._fetch(self.archive, package)
        except NotFoundError:
            return None

    @staticmethod
    def _fetch(archive: SuiteAccess, package: Package) -> Blob:
        url = archive.mirror.file(package.filename)
        return archive.fetcher.download(url, digest=package.digest, store=archive.store, what=package.name)

    def _mark(self, stanza: Deb822, state: str) -> None:
        unwanted = {"Filename", "Size", "MD5sum", "SHA256", "Description-md5", "Status"}
        lines = [f"{key}: {value}" for key, value in stanza.items() if key not in unwanted]
        self.status.append("\n".join([*lines, f"Status: install ok {state}"]))

    def _unpack(self, blob: Blob, name: str, stanza: Deb822) -> None:
        """As udpkg --unpack does: main-menu configures it when its turn comes."""
        _dpkg_deb("-x", blob, self.tree)
        control = self.folder / "control" / name
        _dpkg_deb("-e", blob, control)
        info = self.tree / "var/lib/dpkg/info"
        info.mkdir(parents=True, exist_ok=True)
        for file in control.iterdir():
            if file.name == "templates":
                (info / f"{name}.templates").write_bytes(_english(file.read_bytes()))
            elif file.name != "control":
                shutil.copy(file, info / f"{name}.{file.name}")
        self._mark(stanza, "unpacked")

    def _twin(self, deb: Blob, name: str, stanza: Deb822) -> None:
        """user-setup's files, where the udeb of the other suite has them."""
        pattern = self._from_other_suite(name)
        assert pattern, f"no udeb of the name {name} can be had to see where it keeps its files"
        self._unpack(pattern, name, stanza)
        own, control = self.folder / "twin", self.folder / "twin-control"
        _dpkg_deb("-x", deb, own)
        _dpkg_deb("-e", deb, control)
        templates = self.tree / f"var/lib/dpkg/info/{name}.templates"
        templates.write_bytes(_english((control / "templates").read_bytes()))
        for file in (own / "usr/lib/user-setup").iterdir():
            for place in (self.tree / "usr/bin", self.tree / "usr/lib/user-setup"):
                if (place / file.name).exists():
                    shutil.copy(file, place / file.name)

    def _programs(self, blob: Blob) -> None:
        own = self.folder / "programs" / blob.sha256
        _dpkg_deb("-x", blob, own)
        for folder in _FOLDERS:
            for file in sorted((own / folder).rglob("*")) if (own / folder).is_dir() else []:
                inside = file.relative_to(own)
                if file.is_dir() or "python" in file.name or "systemd" in str(inside):
                    continue
                target = self.tree / inside
                if not os.path.lexists(self.base / inside) and not os.path.lexists(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, target, follow_symlinks=False)

    def _modules(self) -> None:
        """Modules from the kernel's own package where their udebs are missing, and lists of all that are there."""
        abi = self.media.kernel_abi
        lib = self.folder / "union/lib/modules" / abi
        lib.mkdir(parents=True)
        ours = self.tree / ("usr/lib/modules" if self.merged else "lib/modules") / abi
        for there in (self.base / "lib/modules" / abi, self.tree / "lib/modules" / abi):
            if there.is_dir():
                shutil.copytree(there, lib, dirs_exist_ok=True)
        if any("modules" in name and its is Standing.NONE for name, its in self.standing.items()):
            self._kernel_modules(abi, lib, ours)
        subprocess.run(["depmod", "-b", self.folder / "union", abi], check=True, stderr=subprocess.DEVNULL)
        ours.mkdir(parents=True, exist_ok=True)
        for file in lib.glob("modules.*"):
            shutil.copy(file, ours / file.name)

    def _kernel_modules(self, abi: str, lib: Path, ours: Path) -> None:
        blob = self._deb(f"linux-image-{abi}")
        assert blob, f"neither module udebs nor linux-image-{abi} can be had"
        kernel = self.folder / "kernel"
        _dpkg_deb("-x", blob, kernel)
        root = next(path.parents[2] for path in kernel.rglob(abi) if path.parent.name == "modules")
        source = root / "lib/modules" / abi
        subprocess.run(["depmod", "-b", root, abi], check=True, stderr=subprocess.DEVNULL)
        for module in MODULES:
            asked: list[str | Path] = ["modprobe", "-d", root, "-S", abi, "--show-depends", module]
            shown = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
            for path in re.findall(r"^insmod (\S+)", shown, re.MULTILINE):
                inside = path.partition(f"modules/{abi}/")[2]
                for place in (lib, ours):
                    if not (lib / inside).exists() or place is ours:
                        (place / inside).parent.mkdir(parents=True, exist_ok=True)
                        shutil.copy(source / inside, place / inside)

    def _merge_usr(self) -> None:
        """What udebs ship in /bin, /lib and /sbin, where the initrd has these as links."""
        for name in ("bin", "lib", "lib64", "sbin"):
            place = self.tree / name
            if place.is_dir() and (self.base / name).is_symlink():
                shutil.copytree(place, self.tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
                shutil.rmtree(place)

    def _pack(self) -> Path:
        status = self.tree / "var/lib/dpkg/status"
        status.write_text("\n\n".join(text.strip("\n") for text in self.status) + "\n")
        names = sorted(str(path.relative_to(self.tree)) for path in self.tree.rglob("*"))
        output = self.folder / "supplement.cpio"
        with output.open("wb") as stream:
            subprocess.run(
                ["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"],
                input="\n".join(names).encode(),
                stdout=stream,
                cwd=self.tree,
                check=True,
            )
        return output


def _stanzas(archive: SuiteAccess) -> Iterator[tuple[str, Deb822]]:
    path = index_path(archive.release, udebs_path(ARCH))
    with archive.listed(path, by_hash=True).path.open("rb") as packed, unpack_index(packed, path) as index:
        found: Iterable[Deb822] = read_stanzas(index.read())
        yield from ((stanza["Package"], stanza) for stanza in found)


def _dpkg_deb(option: str, blob: Blob, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", option, blob.path, folder], check=True)


def _english(templates: bytes) -> bytes:
    """Without translations: debconf reads them all when the installer starts, which takes minutes under emulation."""
    return re.sub(rb"^[A-Za-z]+-[A-Za-z_@]+\.UTF-8:.*\n(?:[ \t].*\n)*", b"", templates, flags=re.MULTILINE)
