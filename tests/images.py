"""Installer images made on the spot as Debian makes them, small, the same every time (but for the GUIDs of `mini`).

`netinst` follows debian-cd (tools/boot/bookworm/boot-x86), `mini` debian-installer (build/config/x86.cfg with
util/geniso_hybrid_plus_firmware_partition), `arm64` an EFI-only image whose EFI partition follows the volume.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from builder.host.run import run
from builder.image import cpio
from tests.archive import noise

EPOCH = 1_700_000_000
SECTOR = 2048
ISOLINUX = Path("/usr/lib/ISOLINUX")
MODULES = Path("/usr/lib/syslinux/modules/bios")
CYLINDER = 64 * 32 * 512  # isohybrid -h 64 -s 32
NEEDED = (ISOLINUX / "isolinux.bin", ISOLINUX / "isohdpfx.bin", Path("/usr/bin/xorriso"), Path("/usr/bin/isohybrid"))

ISOLINUX_CFG = """\
# D-I config version 2.0
# search path for the c32 support libraries (libcom32, libutil etc.)
path 
include menu.cfg
default vesamenu.c32
prompt 0
timeout 0
"""  # noqa: W291  # debian-cd's has the blank
MENU_CFG = "menu title Debian GNU/Linux installer menu (BIOS mode)\ninclude txt.cfg\n"
TXT_CFG = """\
label install
	menu label ^Install
	kernel {kernel}
	append vga=788 initrd={initrd} --- quiet
"""
GRUB_CFG = """\
if loadfont $prefix/font.pf2 ; then
  set gfxmode=800x600
fi
menuentry --hotkey=i 'Install' {{
    set background_color=black
    linux    {kernel} vga=788 --- quiet
    initrd   {initrd}
}}
"""


@dataclass
class Tree:
    """What goes into an image: content by path, hard links (link to target) and symbolic ones, folders."""

    files: dict[str, bytes]
    same: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def lay(self, folder: Path) -> None:
        """Write it below `folder`, every time stamp the same."""
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        for name, target in self.same.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).hardlink_to(folder / target)
        for name, text in self.links.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(text)
        for path in (*folder.rglob("*"), folder):
            os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)

    def sums(self) -> bytes:
        """md5sum.txt as debian-cd writes it: every other file, hard links too, sorted by name."""
        contents = self.files | {name: self.files[target] for name, target in self.same.items()}
        lines = [
            f"{hashlib.md5(data).hexdigest()}  ./{name}\n"  # noqa: S324
            for name, data in sorted(contents.items())
            if name != "md5sum.txt"
        ]
        return "".join(lines).encode()


def toy_initrd(name: str, size: int = 300_000, extra: Mapping[str, bytes] | None = None) -> bytes:
    """An initrd.gz of about `size` bytes in which nothing is in a preseed's way."""
    contents = {
        "lib/modules/6.1.0-test-amd64/modules.dep": b"",
        "var/lib/dpkg/status": b"Package: main-menu\nStatus: install ok installed\nVersion: 1.0\n",
        "noise": noise(f"initrd {name}", size),
        **(extra or {}),
    }
    entries = [cpio.Entry(path, data, cpio.FILE | 0o644) for path, data in contents.items()]
    return gzip.compress(cpio.write_newc(cpio.with_parents(entries)), mtime=0)


def netinst_tree(*, packages: int = 12, text: bytes | None = None, gtk: bytes | None = None) -> Tree:
    """The CD1 of a netinst: install.amd with text, GTK and Xen, a small pool, symbolic links, long names."""
    text = toy_initrd("text") if text is None else text
    menu = {"kernel": "/install.amd/vmlinuz", "initrd": "/install.amd/initrd.gz"}
    files = {
        ".disk/info": b'Debian GNU/Linux 12 "Bookworm" - test amd64 NETINST\n',
        ".disk/base_components": b"main\n",
        "boot/grub/grub.cfg": GRUB_CFG.format(**menu).encode(),
        "boot/grub/x86_64-efi/grub.cfg": b"source /boot/grub/grub.cfg\n",
        "boot/grub/efi.img": efi_image(),
        "dists/bookworm/Release": b"Origin: Debian\nSuite: oldstable\nCodename: bookworm\n",
        "doc/a/b/c/d/e/f/g/h/i/j/deep.txt": b"deep\n",
        "doc/empty-file": b"",
        "install.amd/vmlinuz": noise("linux", 90_000),
        "install.amd/initrd.gz": text,
        "install.amd/gtk/initrd.gz": toy_initrd("gtk", 400_000) if gtk is None else gtk,
        "install.amd/xen/debian.cfg": b"ramdisk = '/install.amd/xen/initrd.gz'\n",
    }
    for number in range(packages):
        name = f"package-with-a-rather-long-name-number-{number}"
        files[f"pool/main/p/{name}/{name}_1.0-{number}_amd64.deb"] = noise(name, 700 + 3000 * number)
    for number in range(12):
        page = f"doc/FAQ/html/a-rather-long-file-name-for-the-debian-faq-chapter-number-{number}.en.html"
        files[page] = f"<html>{number}</html>\n".encode()
    tree = Tree(files, links={"debian": ".", "dists/stable": "bookworm"})
    tree.same = {
        "install.amd/gtk/vmlinuz": "install.amd/vmlinuz",
        "install.amd/xen/vmlinuz": "install.amd/vmlinuz",
        "install.amd/xen/initrd.gz": "install.amd/initrd.gz",
    }
    tree.files["md5sum.txt"] = tree.sums()
    return tree


def small_tree() -> Tree:
    """A netinst of hardly more than 100 KB, with a name so long that its Rock Ridge fields go on elsewhere."""
    tree = netinst_tree(packages=1, text=toy_initrd("text", 6000), gtk=toy_initrd("gtk", 5000))
    pages = [name for name in tree.files if name.startswith("doc/FAQ/") or name == "md5sum.txt"]
    for name in pages:
        del tree.files[name]
    tree.files |= {"install.amd/vmlinuz": noise("linux", 5000), f"doc/{'long-name-' * 20}.txt": b"long\n"}
    tree.files["boot/grub/efi.img"] = efi_image(64)
    tree.files["md5sum.txt"] = tree.sums()
    return tree


def isolinux_tree(menu: Mapping[str, str]) -> dict[str, bytes]:
    """isolinux with its modules and menus."""
    found = {
        name: (MODULES / name).read_bytes() for name in ("ldlinux.c32", "libcom32.c32", "libutil.c32", "vesamenu.c32")
    }
    return found | {
        "isolinux.bin": (ISOLINUX / "isolinux.bin").read_bytes(),
        "isolinux.cfg": ISOLINUX_CFG.encode(),
        "menu.cfg": MENU_CFG.encode(),
        "txt.cfg": TXT_CFG.format(**menu).encode(),
    }


def efi_image(size: int = 720) -> bytes:
    """An empty FAT file system of `size` KiB; nothing here looks for a boot loader in it."""
    sector = struct.pack(
        "<3s8sHBHBHHBHHHLL", b"\xeb\x3c\x90", b"mkfs.fat", 512, 2, 1, 2, 112, size * 2, 0xF8, 3, 9, 2, 0, 0
    )
    return sector.ljust(510, b"\0") + b"\x55\xaa" + bytes(size * 1024 - 512)


def netinst(folder: Path, tree: Tree | None = None, *, options: tuple[str, ...] = ()) -> Path:
    """Build an amd64 netinst in the empty `folder`; APM, GPT of 208 entries at LBA 12, backup GPT within the volume."""
    (tree or netinst_tree()).lay(folder / "CD1")
    menu = {"kernel": "/install.amd/vmlinuz", "initrd": "/install.amd/initrd.gz"}
    boot = {f"isolinux/{name}": data for name, data in isolinux_tree(menu).items()}
    Tree(boot).lay(folder / "boot1")
    argv = ["xorriso", "-as", "mkisofs", "-r", "-checksum_algorithm_iso", "sha256,sha512", "-V", "Debian 12 amd64 n"]
    argv += ["-o", str(folder / "netinst.iso"), "-J", "-joliet-long", "-cache-inodes"]
    argv += ["-isohybrid-mbr", str(ISOLINUX / "isohdpfx.bin"), "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat"]
    argv += ["-boot-load-size", "4", "-boot-info-table", "-no-emul-boot"]
    argv += ["-eltorito-alt-boot", "-e", "boot/grub/efi.img", "-no-emul-boot"]
    argv += ["-isohybrid-gpt-basdat", "-isohybrid-apm-hfsplus", *options, str(folder / "boot1"), str(folder / "CD1")]
    xorriso(argv)
    return folder / "netinst.iso"


def mini_tree(*, initrd: bytes | None = None) -> Tree:
    """Everything in the top folder, as on mini.iso."""
    menu = {"kernel": "linux", "initrd": "initrd.gz"}
    return Tree(
        {
            **isolinux_tree(menu),
            "linux": noise("linux", 90_000),
            "initrd.gz": toy_initrd("mini") if initrd is None else initrd,
            "boot/grub/grub.cfg": GRUB_CFG.format(kernel="/linux", initrd="/initrd.gz").encode(),
            "boot/grub/efi.img": efi_image(),
            **{f"f{number}.txt": f"help page {number}\n".encode() for number in range(1, 11)},
        }
    )


def mini(folder: Path, tree: Tree | None = None, *, firmware: int = 6 << 20) -> Path:
    """Build a mini.iso in the empty `folder`: no APM, backup GPT and a FAT partition (MBR slot 3) behind the volume."""
    (tree or mini_tree()).lay(folder / "cd")
    iso = folder / "mini.iso"
    argv = ["xorriso", "-as", "mkisofs", "-r", "-J", "-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot"]
    argv += ["-boot-load-size", "4", "-boot-info-table", "-eltorito-alt-boot", "--efi-boot", "boot/grub/efi.img"]
    argv += ["-no-emul-boot", "-o", str(iso), str(folder / "cd")]
    xorriso(argv)
    done = run(["isohybrid", "-h", "64", "-s", "32", "-u", "-i", "0x64656231", str(iso)])
    assert done.status == 0, done.complaint
    append_firmware_partition(iso, firmware)
    return iso


def append_firmware_partition(iso: Path, size: int) -> None:
    """Add an empty FAT file system behind the image and name it in slot 3 of the MBR."""
    with iso.open("r+b") as image:
        start = image.seek(0, os.SEEK_END)
        assert start % CYLINDER == 0
        image.write(efi_image(min(720, size >> 10)).ljust(size, b"\0"))
        first, last = start // CYLINDER, max((start + size) // CYLINDER - 1, start // CYLINDER)
        image.seek(446 + 2 * 16)
        image.write(struct.pack("<BBBBBBBBLL", 0, 0, 1, first, 0x0C, 63, 32, last, start // 512, size // 512))


def arm64(folder: Path) -> Path:
    """Build an arm64 image: no BIOS; the EFI image is also partition 2 of the MBR, appended behind the volume."""
    tree = Tree(
        {
            ".disk/info": b'Debian GNU/Linux 12 "Bookworm" - test arm64 NETINST\n',
            "install.a64/vmlinuz": noise("linux arm64", 90_000),
            "install.a64/initrd.gz": toy_initrd("arm64"),
            "install.a64/gtk/initrd.gz": toy_initrd("arm64 gtk"),
            "boot/grub/grub.cfg": GRUB_CFG.format(
                kernel="/install.a64/vmlinuz", initrd="/install.a64/initrd.gz"
            ).encode(),
            "boot/grub/efi.img": efi_image(),
        }
    )
    tree.files["md5sum.txt"] = tree.sums()
    tree.lay(folder / "CD1")
    argv = ["xorriso", "-as", "mkisofs", "-r", "-V", "Debian 12 arm64 n", "-o", str(folder / "arm64.iso"), "-J"]
    argv += ["-joliet-long", "-cache-inodes", "-e", "boot/grub/efi.img", "-no-emul-boot"]
    argv += ["-append_partition", "2", "0xef", str(folder / "CD1/boot/grub/efi.img"), "-partition_cyl_align", "all"]
    xorriso([*argv, str(folder / "CD1")])
    return folder / "arm64.iso"


def xorriso(argv: list[str]) -> None:
    """Run it at a fixed time: with that, volume dates and GUIDs are the same every time."""
    done = run(argv, env={"SOURCE_DATE_EPOCH": str(EPOCH), "TZ": "UTC"})
    assert done.status == 0, done.stderr.decode(errors="replace")
