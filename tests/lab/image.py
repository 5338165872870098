"""The lab's dom0 as a disk image: Debian with Xen, LVM, a bridge, ssh, and what domu needs; no domu."""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from builder.media.mirror import Mirror
from tests.lab.debian import System, take, unpacked, write_disk

DISK = 6144  # MiB
ADDRESS, GATEWAY, CACHER = "10.0.2.15", "10.0.2.2", "10.0.2.100:3142"  # of QEMU's user network
_PACKAGES = (
    *("xen-system-amd64", "grub-xen-host", "linux-image-amd64", "initramfs-tools", "systemd-sysv", "dbus", "udev"),
    *("lvm2", "thin-provisioning-tools", "ifupdown", "bridge-utils", "iproute2", "nftables", "iputils-ping"),
    *("openssh-server", "openssh-client", "procps", "kmod", "python3", "python3-venv", "curl", "gpgv", "netbase"),
    *("debian-archive-keyring", "fdisk", "e2fsprogs", "xz-utils", "zstd", "qemu-system-xen", "seabios", "ipxe-qemu"),
)
_INTERFACES = f"""\
auto lo
iface lo inet loopback
iface eth0 inet manual
auto xenbr0
iface xenbr0 inet static
    address {ADDRESS}/24
    gateway {GATEWAY}
    bridge_ports eth0
    bridge_stp off
    bridge_fd 0
"""
# What guests write on their consoles is kept: /var/log/xen/console/guest-NAME.log
_XENCONSOLED = 'XENCONSOLED_ARGS="--log=guest --log-dir=/var/log/xen/console --timestamp=none"\n'


@dataclass(frozen=True, slots=True)
class Dom0Image:
    """What QEMU boots: Xen by multiboot, the dom0's kernel and initrd as its modules, and the root disk."""

    suite: str
    folder: Path
    key: Path  # the private ssh key that gets in

    @property
    def disk(self) -> Path:
        return self.folder / "dom0.img"

    @property
    def xen(self) -> Path:
        return self.folder / "xen"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd.img"


def make_key(folder: Path) -> Path:
    """The lab's ssh key; without a passphrase, it opens nothing else."""
    key = folder / "id"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", key], check=True)
    return key


def dom0_system(suite: str, key: Path) -> System:
    """What is in the dom0."""
    wants = "etc/systemd/system/getty.target.wants"
    return System(
        suite,
        "dom0",
        _PACKAGES,
        files={
            "etc/fstab": ("/dev/vda / ext4 noatime,errors=remount-ro 0 0\n", 0o644),
            "etc/network/interfaces": (_INTERFACES, 0o644),
            "etc/default/xen": (_XENCONSOLED, 0o644),
            "var/log/xen/console/.keep": ("", 0o644),
            "root/.ssh/authorized_keys": (key.with_suffix(".pub").read_text(), 0o600),
            "root/.ssh/id_ed25519": (key.read_text(), 0o600),  # for its guests, which let the same key in
            "root/.ssh/config": ("StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n", 0o600),
            "etc/apt/apt.conf.d/lab": (f'Acquire::http::Proxy "http://{CACHER}";\n', 0o644),
        },
        links={f"{wants}/serial-getty@hvc0.service": "/lib/systemd/system/serial-getty@.service"},
    )


def make_dom0(suite: str, folder: Path, *, archive: Mirror, cacher: str) -> Dom0Image:
    """The image of this suite, made anew when what is to be in it has changed (two to four minutes)."""
    image = Dom0Image(suite, folder / suite, make_key(folder))
    image.folder.mkdir(exist_ok=True)
    system = dom0_system(suite, image.key)
    recipe, wanted = image.folder / "recipe.json", json.dumps(asdict(system) | {"disk": DISK}, indent=1)
    if recipe.exists() and recipe.read_text() == wanted:
        return image
    recipe.unlink(missing_ok=True)
    with unpacked(system, image.folder, archive=archive, cacher=cacher) as tree:
        take(tree, "boot/vmlinuz-*", image.kernel)
        take(tree, "boot/initrd.img-*", image.initrd)
        take(tree, "boot/xen-*-amd64.gz", image.folder / "xen.gz")
        image.xen.write_bytes(gzip.decompress((image.folder / "xen.gz").read_bytes()))
        write_disk(tree, image.disk, DISK, system.uuid, partitioned=False)
    recipe.write_text(wanted)
    return image
