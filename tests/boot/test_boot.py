"""Real installers boot with our initrds, in QEMU without KVM: `make boot-test`; docs/boot-test.md has a run's output."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from builder.host.site import Site
from builder.image.cpio import Entry, folder, write_newc
from builder.image.initrd import InitrdPayload
from builder.workflows.initrd import repack
from tests.media import netboot_media

pytestmark = [
    pytest.mark.boot,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="qemu-system-x86_64 is not installed"),
]
ROOT = Path(__file__).parents[2]
LIMIT = 600.0  # seconds; a boot took 14 to 21 s on two cores
MEMORY = "1024"
APPEND = "console=ttyS0 auto=true priority=critical DEBIAN_FRONTEND=text"
# /dev/console is where the kernel writes, so that the line is seen whatever the installer shows by then.
REPORT = """#!/bin/sh
exec >/dev/console
echo "DOMU-BOOT kernel $(uname -r)"
echo "DOMU-BOOT lib $(cd /lib && pwd -P)"
echo "DOMU-BOOT note $(sha256sum </domu/etc/note | cut -c1-64)"
echo "DOMU-BOOT stranger $(cat /stranger/note)"
poweroff -f
"""


NOTE = b"a note of some length\n" * 5000  # spans blocks of the segment


def preseed(command: str) -> InitrdPayload:
    return InitrdPayload(f"d-i preseed/early_command string {command}\n".encode(), 0o600)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site of its own, with the repository's profiles and its cache of verified media."""
    root = tmp_path_factory.mktemp("site")
    for name in ("profiles", "preseeds"):
        shutil.copytree(ROOT / name, root / name)
    (root / "cache").symlink_to(ROOT / "cache")
    return Site(root)


def netboot(site: Site, suite: str) -> tuple[Path, Path]:
    """Kernel and initrd of the suite's netboot installer, from any mirror, verified."""
    media = netboot_media(suite, site.profiles)
    return media.kernel.path, media.initrd.path


def boot(kernel: Path, initrd: Path, append: str, log: Path) -> list[str]:
    """Boot until the guest powers itself off; what it reported on lines with DOMU-BOOT."""
    argv = [
        "qemu-system-x86_64",
        *("-accel", "tcg"),
        *("-m", MEMORY),
        *("-nic", "none"),
        "-nographic",
        "-no-reboot",
        *("-kernel", str(kernel)),
        *("-initrd", str(initrd)),
        *("-append", append),
    ]
    print("\n$", shlex.join(argv).replace(str(kernel), "linux").replace(str(initrd), "initrd.gz"))
    begin = time.monotonic()
    with log.open("wb") as console:
        qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        try:
            qemu.wait(LIMIT)
        except subprocess.TimeoutExpired:
            pytest.fail(f"no end within {LIMIT:.0f} s; the console's last lines:\n{tail(log)}")
        finally:
            qemu.kill()
            qemu.wait()
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    found = [line.partition("DOMU-BOOT ")[2] for line in lines if line.startswith("DOMU-BOOT ")]
    assert found, f"nothing was reported; the console's last lines:\n{tail(log)}"
    print("\n".join(found))
    print(f"({time.monotonic() - begin:.0f} s)")
    return found


def tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-25:])


@pytest.mark.parametrize(("suite", "abi", "libraries"), [("trixie", "6.12.", "/usr/lib"), ("bookworm", "6.1.", "/lib")])
def test_the_installer_runs_what_is_in_front(site: Site, tmp_path: Path, suite: str, abi: str, libraries: str) -> None:
    kernel, plain = netboot(site, suite)
    # Between our segment and the installer's initrd: an archive of somebody else's, as early microcode is.
    stranger = write_newc([folder("stranger"), Entry("stranger/note", b"kept")])
    base = tmp_path / "base"
    base.write_bytes(stranger + bytes(-len(stranger) % 512) + plain.read_bytes())

    first: Mapping[str, InitrdPayload] = {
        "/preseed.cfg": preseed("echo DOMU-BOOT the earlier preseed is still there >/dev/console; poweroff -f"),
        "/domu/etc/note": InitrdPayload(b"the earlier note"),
    }
    second: Mapping[str, InitrdPayload] = {
        "/preseed.cfg": preseed("/domu/report"),
        "/domu/report": InitrdPayload(REPORT.encode(), 0o755),
        "/domu/etc/note": InitrdPayload(NOTE),
        "/usr/lib/domu-test": InitrdPayload(b"in a folder that the installer has, too"),
    }
    repack(base, first, tmp_path / "once.gz")
    repack(tmp_path / "once.gz", second, tmp_path / "initrd.gz")

    found = boot(kernel, tmp_path / "initrd.gz", APPEND, tmp_path / "console.log")
    assert found[0].startswith(f"kernel {abi}")
    assert found[1:] == [f"lib {libraries}", f"note {sha256(NOTE).hexdigest()}", "stranger kept"]


def test_a_built_guest_is_known_to_its_installer(site: Site, tmp_path: Path) -> None:
    subprocess.run([Path(sys.executable).with_name("domu"), "--site", site.root, "build", "web1"], check=True)
    built = site.build / "web1"
    # What is on the command line comes after the preseed in the initrd, and so can ask what that said.
    ask = "echo DOMU-BOOT host $(debconf-get netcfg/get_hostname) >/dev/console; poweroff -f"
    append = f'{APPEND} preseed/early_command="{ask}"'
    found = boot(built / "vmlinuz", built / "initrd.gz", append, tmp_path / "console.log")
    assert found == ["host web1"]
