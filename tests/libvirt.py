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
# An unpacked tree of the packages (dpkg-deb -x) will do as well as installed ones: libvirt0, libvirt-daemon-driver-xen
# and what they depend on. They are no part of `make test`'s own packages, for they bring a service.
TREE = Path(os.environ.get("DOMU_LIBVIRT", "/"))
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
    """Skips the test, and says so, where libvirt's driver for Xen or a C compiler is not installed."""
    drivers = sorted(TREE.glob("usr/lib/*/libvirt/connection-driver/libvirt_driver_libxl.so"))
    if not drivers:
        pytest.skip("libvirt's driver for Xen is not installed: libvirt-daemon-driver-xen, or DOMU_LIBVIRT=TREE")
    libraries = drivers[0].parent.parent.parent
    if not (libraries / WRITTEN_FOR).exists():
        pytest.skip(f"tests/data/libvirt-xl.c is written for {WRITTEN_FOR}, Debian 12's")
    if not (compiler := shutil.which("cc")):
        pytest.skip("no C compiler is installed: apt-get install gcc libc6-dev")
    program = folder / "libvirt-xl"
    subprocess.run([compiler, "-w", "-o", str(program), str(SOURCE), "-ldl"], check=True, timeout=60)
    return Libvirt(program, drivers[0], libraries, folder)
