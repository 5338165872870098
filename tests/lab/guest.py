"""Guests of the lab that need no installation: a Debian disk made by mmdebstrap, copied into a volume of dom0.

What is on the disk is what the installer leaves of a guest, as far as booting goes: a partition table, one ext4 with
/boot in it, Debian's kernel, grub-xen, a getty on hvc0. GRUB's own files are made in the guest at its first boot,
by direct kernel: grub-probe asks the disk that / is on.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from builder.media.mirror import Mirror
from tests.lab.debian import System, take, unpacked, write_disk
from tests.lab.dom0 import VOLUME_GROUP, Lab
from tests.lab.image import CACHER, GATEWAY, make_key

DISK = 2048  # MiB
ADDRESS = "10.0.2.50"
_PACKAGES = (
    *("linux-image-amd64", "initramfs-tools", "systemd-sysv", "dbus", "udev", "kmod", "openssh-server", "procps"),
    *("grub-xen", "grub-pc-bin", "zstd", "ifupdown", "iproute2", "netbase", "apt", "e2fsprogs"),
)
# Named by no MAC and no driver: netfront's is eth0 with these kernel arguments.
_INTERFACES = f"""\
auto lo
iface lo inet loopback
auto eth0
iface eth0 inet static
    address {ADDRESS}/24
    gateway {GATEWAY}
"""
_MAGICS = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\0": "xz", b"\x1f\x8b": "gzip", b"\x89LZO": "lzo", b"\x7fELF": "none"}
ARGUMENTS = "console=hvc0 net.ifnames=0 mitigations=off"


@dataclass(frozen=True, slots=True)
class GuestDisk:
    """A bootable disk in a file of this machine, its kernel and initrd beside it."""

    suite: str
    folder: Path
    kernel_name: str  # vmlinuz-VERSION
    uuid: str  # of its root

    @property
    def disk(self) -> Path:
        return self.folder / "guest.img"

    @property
    def volume(self) -> str:
        """Its volume in dom0."""
        return f"{self.suite}-disk"

    @property
    def compression(self) -> str:
        """How the kernel's payload is compressed (Documentation/arch/x86/boot.rst, payload_offset)."""
        image = (self.folder / "vmlinuz").read_bytes()
        start = (image[0x1F1] + 1) * 512 + int.from_bytes(image[0x248:0x24C], "little")
        return next(name for magic, name in _MAGICS.items() if image[start:].startswith(magic))

    @property
    def kernel_version(self) -> str:
        return self.kernel_name.removeprefix("vmlinuz-")


def guest_system(suite: str, key: Path, archive: Mirror) -> System:
    """What is in the guest; its root's UUID depends on suite and name alone."""
    bare = System(suite, "guest", ())
    grub = f'GRUB_DEFAULT=0\nGRUB_TIMEOUT=2\nGRUB_CMDLINE_LINUX="{ARGUMENTS}"\nGRUB_TERMINAL=console\n'
    return System(
        suite,
        "guest",
        _PACKAGES,
        files={
            "etc/fstab": (f"UUID={bare.uuid} / ext4 errors=remount-ro 0 1\n", 0o644),
            "etc/network/interfaces": (_INTERFACES, 0o644),
            "etc/default/grub": (grub, 0o644),
            "etc/apt/sources.list": (f"deb {archive.url} {suite} main\n", 0o644),
            "etc/apt/apt.conf.d/lab": (f'Acquire::http::Proxy "http://{CACHER}";\n', 0o644),
            "root/.ssh/authorized_keys": (key.with_suffix(".pub").read_text(), 0o600),
        },
    )


def make_guest(suite: str, folder: Path, *, archive: Mirror, cacher: str) -> GuestDisk:
    """The disk of this suite, made anew when what is to be in it has changed (about two minutes)."""
    place = folder / f"guest-{suite}"
    place.mkdir(exist_ok=True)
    system = guest_system(suite, make_key(folder), archive)
    recipe, wanted = place / "recipe.json", asdict(system) | {"disk": DISK}
    made = json.loads(recipe.read_text()) if recipe.exists() else {"kernel": ""}
    name = made.pop("kernel")
    if made != json.loads(json.dumps(wanted)):
        recipe.unlink(missing_ok=True)
        with unpacked(system, place, archive=archive, cacher=cacher) as tree:
            name = take(tree, "boot/vmlinuz-*", place / "vmlinuz")
            take(tree, "boot/initrd.img-*", place / "initrd.img")
            write_disk(tree, place / "guest.img", DISK, system.uuid, partitioned=True)
        recipe.write_text(json.dumps(wanted | {"kernel": name}, indent=1))
    return GuestDisk(suite, place, name, system.uuid)


def lay_guest(lab: Lab, guest: GuestDisk, device: str) -> None:
    """A volume with the guest's disk, which dom0 has as `device`; what was in the volume is overwritten."""
    volume = f"/dev/{VOLUME_GROUP}/{guest.volume}"
    lab.run(f"lvs {volume} >/dev/null 2>&1 || lvcreate -q -y -W n -L {DISK}M -n {guest.volume} {VOLUME_GROUP}")
    # What was discarded reads as zeros (the disk is a sparse file), so that zeros need not be written.
    lab.run(f"blkdiscard {volume} && dd if=/dev/{device} of={volume} bs=1M conv=sparse,fsync status=none", limit=900)
