"""The kernel hook of PV guests and its menu, run as the installed guest runs them, on kernels that are nothing but Xen notes."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import struct
import subprocess
from pathlib import Path

import pytest

from tests.guests import ROOT, guest, rendered
from tests.installer import Installer, installer
from tests.kernels import MAGICS, bzimage, xen_elf

NEW, OLD = "6.12.107+deb13-amd64", "6.12.90+deb13-amd64"
STOCK = ROOT / "tests" / "data" / "grub-10-linux.txt"  # by GRUB 2.12 of trixie, for these two kernels
ELF = xen_elf()


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [name for name in programs if not shutil.which(name)]
    return pytest.mark.skipif(
        bool(missing), reason=f"not installed: {', '.join(missing)} (zstd, grub-common, shellcheck)"
    )


pytestmark = needs("grub-file", "zstd")


def zstd_kernel(elf: bytes = ELF, promised: int | None = None) -> bytes:
    """As Linux has it: the payload, and behind it its size when unpacked."""
    done = subprocess.run(["zstd", "-q", "-c"], input=elf, capture_output=True, check=True)
    return bzimage(done.stdout + struct.pack("<I", len(elf) if promised is None else promised))


class Target:
    """An installed guest after its late steps."""

    def __init__(self, root: Installer) -> None:
        self.root, self.boot = root, root.target / "boot"
        self.hook = root.target / "etc/kernel/postinst.d/domu-pv-kernel"
        self.gone = root.target / "etc/kernel/postrm.d/domu-pv-kernel"
        self.menu = root.target / "etc/grub.d/09_domu_pv"

    def ready(self, version: str) -> Path:
        return self.boot / "xen" / f"vmlinuz-{version}"

    def all_ready(self) -> list[str]:
        """And what else lies there but GRUB's own."""
        return sorted(path.name for path in (self.boot / "xen").iterdir() if path.suffix != ".elf")

    def kernel(self, version: str, image: bytes) -> Path:
        path = self.boot / f"vmlinuz-{version}"
        path.write_bytes(image)
        return path

    def run(self, program: Path, version: str, *, blocks: int | None = None) -> subprocess.CompletedProcess[str]:
        """As run-parts calls a hook; with `blocks`, no file may become longer than so many times 512 bytes."""
        limit = f"ulimit -f {blocks};" if blocks is not None else ""
        line = f'{limit} exec "$@"'
        argv = ["/bin/sh", "-c", line, "sh", str(program), version, str(self.boot / f"vmlinuz-{version}")]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    def entries(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(self.menu)], capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def target(tmp_path: Path) -> Target:
    one = guest()
    root = installer(tmp_path, rendered(one).files, one)
    (root.target / "boot" / f"vmlinuz-{OLD}").write_bytes(zstd_kernel())
    stock = root.target / "etc/grub.d/10_linux"
    stock.parent.mkdir(parents=True)
    stock.write_text(f"#!/bin/sh\ncat {STOCK}\n")
    stock.chmod(0o755)
    done = root.run("/domu/late.sh")
    assert (done.returncode, done.stderr) == (0, ""), root.read("target/var/log/domu-late.log")
    return Target(root)


def test_the_late_steps_lay_the_hook_and_make_the_kernel_ready(target: Target) -> None:
    assert stat.S_IMODE(target.hook.stat().st_mode) == stat.S_IMODE(target.menu.stat().st_mode) == 0o755
    assert str(target.gone.readlink()) == "../postinst.d/domu-pv-kernel"
    assert gzip.decompress(target.ready(OLD).read_bytes()) == ELF
    called = [call[0] for call in target.root.calls]
    assert called.count("update-grub") == 1
    assert "apt-install" not in called


def test_a_new_kernel_is_made_ready_and_goes_with_its_package(target: Target) -> None:
    image = target.kernel(NEW, zstd_kernel())
    for _again in range(2):
        done = target.run(target.hook, NEW)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert gzip.decompress(target.ready(NEW).read_bytes()) == ELF
    assert target.all_ready() == [f"vmlinuz-{NEW}", f"vmlinuz-{OLD}"]
    assert target.run(target.gone, NEW).returncode == 0  # the postrm of an upgrade: the new image is there already
    assert target.ready(NEW).exists()
    image.unlink()
    assert target.run(target.gone, NEW).returncode == 0
    assert not target.ready(NEW).exists()
    assert target.run(target.gone, NEW).returncode == 0  # purged


def test_an_upgrade_of_one_version_takes_the_new_file(target: Target) -> None:
    other = ELF + b"more"
    target.kernel(OLD, zstd_kernel(other))
    assert target.run(target.hook, OLD).returncode == 0
    assert gzip.decompress(target.ready(OLD).read_bytes()) == other


@pytest.mark.parametrize("image", [bzimage(gzip.compress(ELF)), ELF], ids=["gzip", "not compressed"])
def test_a_kernel_that_grub_can_read_is_a_link(target: Target, image: bytes) -> None:
    target.kernel(NEW, image)
    assert target.run(target.hook, NEW).returncode == 0
    assert str(target.ready(NEW).readlink()) == f"../vmlinuz-{NEW}"
    target.kernel(NEW, zstd_kernel())
    assert target.run(target.hook, NEW).returncode == 0
    assert not target.ready(NEW).is_symlink()
    assert target.boot.joinpath(f"vmlinuz-{NEW}").read_bytes() == zstd_kernel()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        pytest.param(b"junk", "is no bzImage", id="junk"),
        pytest.param(b"", "is no bzImage", id="empty"),
        pytest.param(zstd_kernel()[:-30] if shutil.which("zstd") else b"", "ends too early", id="cut"),
        pytest.param(bzimage(MAGICS["zstd"], protocol=0x207), "of before Linux 2.6.26", id="old"),
        pytest.param(
            bzimage(MAGICS["lz4"] + bytes(90)), "is compressed in a way that is not known here (02214c18)", id="lz4"
        ),
        pytest.param(
            zstd_kernel(promised=5) if shutil.which("zstd") else b"", "where its header promises 5", id="size"
        ),
        pytest.param(bzimage(MAGICS["zstd"] + b"\xff" * 90), "where its header promises 4294967295", id="damaged"),
    ],
)
def test_what_cannot_be_made_ready_is_an_error_and_nothing_changes(target: Target, image: bytes, message: str) -> None:
    before = target.ready(OLD).read_bytes()
    for version in (NEW, OLD):
        target.kernel(version, image)
        done = target.run(target.hook, version)
        assert done.returncode == 1
        assert message in done.stderr
        assert "dpkg --configure --pending" in done.stderr
    assert target.all_ready() == [f"vmlinuz-{OLD}"]
    assert target.ready(OLD).read_bytes() == before


def test_a_full_boot_is_an_error_and_the_old_kernel_stays(target: Target) -> None:
    big = ELF + os.urandom(1 << 20)
    before = target.ready(OLD).read_bytes()
    for version in (NEW, OLD):
        target.kernel(version, zstd_kernel(big))
        done = target.run(target.hook, version, blocks=64)
        assert done.returncode == 1
        assert "cannot write" in done.stderr
        assert "free on" in done.stderr
    assert target.all_ready() == [f"vmlinuz-{OLD}"]
    assert target.ready(OLD).read_bytes() == before


def test_a_kernel_without_xen_is_left_out_and_said_so(target: Target) -> None:
    target.kernel(NEW, zstd_kernel(ELF.replace(b"Xen\0", b"Non\0")))
    done = target.run(target.hook, NEW)
    assert done.returncode == 0
    assert "is no kernel for Xen PV guests" in done.stderr
    assert not target.ready(NEW).exists()


def kernels_of(menu: str) -> list[str]:
    return [line.split()[1] for line in menu.splitlines() if line.split()[:1] == ["linux"]]


def test_the_menu_has_ready_kernels_newest_first_and_the_stock_entries_else(target: Target) -> None:
    target.kernel(NEW, zstd_kernel())
    assert target.run(target.hook, NEW).returncode == 0
    done = target.entries()
    assert (done.returncode, done.stderr) == (0, "")
    assert kernels_of(done.stdout) == [f"/boot/xen/vmlinuz-{NEW}"] * 3 + [f"/boot/xen/vmlinuz-{OLD}"] * 2
    assert done.stdout.splitlines()[0] == 'if [ "${grub_platform}" = xen ]; then'
    assert done.stdout.splitlines()[-1] == "fi"
    assert f"initrd\t/boot/initrd.img-{NEW}\n" in done.stdout
    stock = {line.strip() for line in STOCK.read_text().splitlines()}
    changed = [line for line in done.stdout.splitlines()[1:-1] if line.strip() not in stock]
    assert {line.split()[0] for line in changed} == {"linux"}
    assert all(line.strip().replace("/boot/xen/", "/boot/", 1) in stock for line in changed)


def test_a_kernel_that_is_not_ready_has_no_entry(target: Target) -> None:
    target.kernel(NEW, zstd_kernel())
    assert kernels_of(target.entries().stdout) == [f"/boot/xen/vmlinuz-{OLD}"] * 2
    target.ready(OLD).unlink()
    target.ready(OLD).symlink_to(f"../vmlinuz-{OLD}.gone")
    done = target.entries()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_boot_partition_of_its_own_has_other_paths(target: Target) -> None:
    stock = target.root.target / "etc/grub.d/10_linux"
    stock.write_text(f"#!/bin/sh\nsed s,/boot/,/, {STOCK}\n")
    assert kernels_of(target.entries().stdout) == [f"/xen/vmlinuz-{OLD}"] * 2


def test_a_stock_menu_that_is_off_or_odd_is_told(target: Target) -> None:
    stock = target.root.target / "etc/grub.d/10_linux"
    stock.write_text("#!/bin/sh\necho blscfg\n")
    done = target.entries()
    assert (done.returncode, done.stdout) == (1, "")
    assert "could not be read; the menu is left as it was" in done.stderr
    stock.chmod(0o644)
    done = target.entries()
    assert (done.returncode, done.stdout) == (0, "")
    assert "is switched off" in done.stderr


@needs("grub-script-check")
def test_grub_understands_the_menu(target: Target, tmp_path: Path) -> None:
    menu = tmp_path / "grub.cfg"
    menu.write_text(target.entries().stdout + STOCK.read_text())
    done = subprocess.run(["grub-script-check", str(menu)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs("shellcheck")
@pytest.mark.parametrize("name", ["hook", "menu"])
def test_shellcheck_finds_nothing(name: str) -> None:
    script = rendered(guest()).files[f"/domu/pv-kernel/{name}"]
    assert script.startswith("#!/bin/sh\n")
    done = subprocess.run(["shellcheck", "-"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_grub_xen_is_installed_where_the_installer_took_another(tmp_path: Path) -> None:
    one = guest()
    root = installer(tmp_path, rendered(one).files, one)
    (root.target / "boot/xen/pvboot-x86_64.elf").unlink()
    root.run("/domu/late.sh")
    assert ["apt-install", "grub-xen"] in root.calls


def test_other_guests_have_no_hook() -> None:
    for other in ({"type": "pvh"}, {"type": "hvm"}, {"bootloader": "pygrub", "dom0_reads_disk": True}):
        assert not [path for path in rendered(guest(other)).files if path.startswith("/domu/pv-kernel")]
