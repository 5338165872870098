"""libvirt's own reading of xl configs (`virsh domxml-from-native xen-xl`), on a machine without libvirtd and Xen."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

SOURCE = Path(__file__).parent / "data" / "libvirt-xl.c"
# It is fetched and unpacked, not installed: its packages bring a service. DOMU_LIBVIRT names a tree that has it.
PACKAGE = "libvirt-daemon-driver-xen"
DRIVER = "usr/lib/*/libvirt/connection-driver/libvirt_driver_libxl.so"
WRITTEN_FOR = "libvirt.so.0.9000.0"  # bookworm's; the functions are private and change


@dataclass(frozen=True)
class Libvirt:
    """The converter; `folder` is for the configs."""

    program: Path
    driver: Path
    libraries: Path
    folder: Path

    def convert(self, config: str) -> ET.Element:
        """The domain that libvirt makes of the config. AssertionError when it refuses it or has anything to say."""
        file = self.folder / "domain.cfg"
        file.write_text(config)
        done = subprocess.run(
            [str(self.program), str(self.driver), str(file)],
            env={"LD_LIBRARY_PATH": str(self.libraries), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{done.stderr}\n{config}"
        return ET.fromstring(done.stdout)  # noqa: S314 (libvirt wrote it, of a config of ours)


def find_libvirt(folder: Path) -> Libvirt:
    """libvirt's driver for Xen as Debian has it; skips the test, and says so, on a system that it was not written for."""
    if not shutil.which("apt-get"):
        pytest.skip("this is no Debian system, and libvirt's driver for Xen comes from there")
    if not (compiler := shutil.which("cc")):
        pytest.skip("no C compiler is installed: apt-get install gcc libc6-dev")
    drivers = sorted(_tree(folder / "tree").glob(DRIVER))
    assert drivers, f"{PACKAGE} has no driver where it is looked for"
    libraries = drivers[0].parent.parent.parent
    if not (libraries / WRITTEN_FOR).exists():
        pytest.skip(f"tests/data/libvirt-xl.c is written for {WRITTEN_FOR}, Debian 12's")
    program = folder / "libvirt-xl"
    subprocess.run([compiler, "-w", "-o", str(program), str(SOURCE), "-ldl"], check=True, timeout=60)
    return Libvirt(program, drivers[0], libraries, folder)


def _tree(folder: Path) -> Path:
    """Where the driver is, with every library of it that this machine lacks."""
    for tree in (Path(os.environ.get("DOMU_LIBVIRT", "/")), folder):
        if any(tree.glob(DRIVER)):
            return tree
    folder.mkdir()
    planned = ["apt-get", "--simulate", "--no-install-recommends", "install", PACKAGE]
    said = subprocess.run(planned, capture_output=True, text=True, check=True, timeout=120).stdout
    names = [line.split()[1] for line in said.splitlines() if line.startswith("Inst ")]
    subprocess.run(["apt-get", "--quiet", "download", *names], cwd=folder, check=True, timeout=300)
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True, timeout=60)
    return folder
