"""Repacked and mastered images start real installers in QEMU, in every way in which a machine starts from a medium.

`make boot-test`; docs/iso-boot-test.md has a run's output.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from builder.host.known_initrds import KnownInitrds
from builder.host.site import Site
from builder.host.store import Store
from builder.image.fat import write_fat
from builder.image.initrd import InitrdPayload
from builder.image.master import Loaders
from builder.progress import Silence
from builder.workflows.access import Access, Terms
from builder.workflows.iso import Wish, repack
from builder.workflows.iso_master import MasterOrder, master
from builder.workflows.loaders import find_loaders
from builder.workflows.media import NetbootMedia
from tests import images
from tests.media import ROOT, netboot_media
from tests.profiles import KEY

OVMF = Path("/usr/share/OVMF")
pytestmark = [
    pytest.mark.boot,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="qemu-system-x86_64 is not installed"),
    pytest.mark.skipif(not (OVMF / "OVMF_VARS_4M.ms.fd").exists(), reason="ovmf is not installed"),
]
LIMIT = 600.0  # seconds; a boot took 25 to 60 s on two busy cores
USB = ["-device", "qemu-xhci", "-device", "usb-storage,drive=stick,bootindex=0"]
# /dev/console is where the kernel writes, so that the lines are seen whatever the installer shows by then.
REPORT = """#!/bin/sh
exec >/dev/console
echo "DOMU-BOOT kernel $(uname -r)"
if [ -d /sys/firmware/efi ]; then echo "DOMU-BOOT firmware UEFI"; else echo "DOMU-BOOT firmware BIOS"; fi
if dmesg | grep -q "Secure boot enabled"; then echo "DOMU-BOOT secure yes"; else echo "DOMU-BOOT secure no"; fi
echo "DOMU-BOOT preseed $(sha256sum </preseed.cfg | cut -c1-16)"
poweroff -f
"""


@dataclass(frozen=True)
class Way:
    """How the machine starts: its firmware, and what the image is to it."""

    firmware: str
    medium: str
    screen: bool = True  # without, SeaBIOS shows the menus' text on the serial line, and takes keys from there

    def argv(self, image: Path, folder: Path) -> list[str]:
        """QEMU's arguments; `folder` gets the firmware's variables."""
        argv = ["-machine", "q35,smm=on" if self.firmware == "UEFI, Secure Boot" else "q35"]
        argv += [] if self.screen else ["-vga", "none", "-machine", "graphics=off"]
        if self.firmware != "BIOS":
            secure = self.firmware != "UEFI"
            code, variables = ("secboot.fd", "ms.fd") if secure else ("fd", "fd")
            shutil.copyfile(OVMF / f"OVMF_VARS_4M.{variables}", folder / "variables")
            argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.{code}"]
            argv += ["-drive", f"if=pflash,format=raw,file={folder}/variables"]
            argv += ["-global", "driver=cfi.pflash01,property=secure,value=on"] if secure else []
        if self.medium == "CD":
            return [*argv, "-cdrom", str(image)]
        return [*argv, "-drive", f"if=none,id=stick,format=raw,readonly=on,file={image}", *USB]

    def __str__(self) -> str:
        return f"{self.firmware}, {self.medium}"


WAYS = [Way(firmware, medium) for firmware in ("BIOS", "UEFI", "UEFI, Secure Boot") for medium in ("CD", "USB")]


@dataclass(frozen=True)
class Media:
    """What images are made of, verified: netboot media by suite, and boot loaders."""

    netboot: Mapping[str, NetbootMedia]
    loaders: Loaders


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    folder = tmp_path_factory.mktemp("media")
    found = {suite: netboot_media(suite, folder) for suite in ("bookworm", "trixie")}
    store = Store(Site(ROOT).cache)
    with Access(store, Terms(), progress=Silence(), now=datetime.now(UTC)) as access:
        return Media(found, find_loaders(access, "trixie").loaders)


STAGE = b"search --file --set=root /.disk/info\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"


def efi_files(loaders: Loaders) -> dict[str, bytes]:
    """Debian's, in the places where firmware, shim and GRUB look: in the FAT of a stick, and on a CD."""
    files = {"BOOT/BOOTX64.EFI": loaders.shim, "BOOT/GRUBX64.EFI": loaders.grub, "DEBIAN/GRUB.CFG": STAGE}
    image = write_fat({f"EFI/{path}": data for path, data in files.items()}, serial=0xDEB00001)
    return {"boot/grub/efi.img": image, "EFI/debian/grub.cfg": STAGE, ".disk/info": b"Debian, for a test\n"}


def netinst(media: Media, folder: Path, *, delay: int = 1) -> Path:
    """A netinst of bookworm as debian-cd lays it out, with a real kernel and initrd, repacked."""
    linux, initrd = (
        blob.path.read_bytes() for blob in (media.netboot["bookworm"].kernel, media.netboot["bookworm"].initrd)
    )
    tree = images.netinst_tree(text=initrd, gtk=initrd)
    tree.files |= {"install.amd/vmlinuz": linux, **efi_files(media.loaders)}
    tree.files["md5sum.txt"] = tree.sums()
    return repacked(images.netinst(folder, tree), folder, delay)


def mini(media: Media, folder: Path, *, delay: int = 1) -> Path:
    """trixie's mini.iso as debian-installer lays it out, repacked."""
    linux, initrd = (
        blob.path.read_bytes() for blob in (media.netboot["trixie"].kernel, media.netboot["trixie"].initrd)
    )
    tree = images.mini_tree(initrd=initrd)
    tree.files |= {"linux": linux, **efi_files(media.loaders)}
    return repacked(images.mini(folder, tree), folder, delay)


def repacked(iso: Path, folder: Path, delay: int) -> Path:
    """By the library, as `domu iso repack` does, and once more over itself."""
    preseed = InitrdPayload(b"d-i preseed/early_command string /domu/report\n", 0o600)
    payloads = {"/preseed.cfg": preseed, "/domu/report": InitrdPayload(REPORT.encode(), 0o755)}
    known = KnownInitrds(folder / "known")
    earlier = Wish({"/preseed.cfg": InitrdPayload(b"# an earlier one, which must be gone\n")}, delay=9)
    repack(iso, earlier, folder / "once.iso", known=known, progress=Silence())
    wish = Wish(payloads, delay=delay, shared=("console=ttyS0",))
    repack(folder / "once.iso", wish, folder / "repacked.iso", known=known, progress=Silence())
    return folder / "repacked.iso"


def mastered(suite: str, *, delay: int = 1) -> Callable[[Media, Path], Path]:
    """`domu iso master`, of a guest whose early command reports."""

    def make(_media: Media, folder: Path) -> Path:
        site = Site(folder / "site")
        (site.root / "files").mkdir(parents=True)
        site.profiles.mkdir()
        (site.root / "files/report").write_text(REPORT)
        (site.root / "cache").symlink_to(ROOT / "cache")
        (site.profiles / "web1.yaml").write_text(
            f"suite: {suite}\nmemory: 1G\nvolume_group: vg0\nnics: [{{bridge: xenbr0}}]\nssh_keys: ['{KEY}']\n"
            "early_commands: [/files/report]\n"
            "initrd_files: [{source: files/report, path: /files/report, executable: true}]\n"
        )
        order = MasterOrder("web1", folder / "mastered.iso", delay, ("console=ttyS0",))
        return master(site, order, progress=Silence(), now=datetime.now(UTC), environment={}).path

    return make


MAKERS: Mapping[str, tuple[str, Callable[[Media, Path], Path]]] = {
    "netinst of bookworm, repacked": ("6.1.", netinst),
    "mini.iso of trixie, repacked": ("6.12.", mini),
    "bookworm, mastered": ("6.1.", mastered("bookworm")),
    "trixie, mastered": ("6.12.", mastered("trixie")),
}


@pytest.fixture(scope="module")
def made(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Each image, made when it is first wanted."""
    known: dict[str, Path] = {}

    def image(name: str) -> Path:
        if name not in known:
            known[name] = MAKERS[name][1](media, tmp_path_factory.mktemp("iso"))
        return known[name]

    return image


@dataclass(frozen=True)
class Booted:
    """What was reported, and the whole of the console."""

    found: dict[str, str]
    console: str
    seconds: float


def boot(image: Path, way: Way, folder: Path, *, keys: Mapping[str, bytes] | None = None, until: str = "") -> Booted:
    """Boot until the machine powers itself off, or its console shows `until`; `keys` are typed where a text is seen."""
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-m", "1024", "-nic", "none", "-display", "none", "-no-reboot"]
    argv += [*way.argv(image, folder), "-monitor", "none", "-serial", "stdio"]
    log, waiting, begin = folder / "console", dict(keys or {}), time.monotonic()
    with log.open("wb") as console:
        qemu = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=console, stderr=subprocess.STDOUT)
        assert qemu.stdin
        try:
            while qemu.poll() is None and time.monotonic() - begin < LIMIT:
                seen = plain(log)
                for text in [text for text in waiting if text in seen]:
                    qemu.stdin.write(waiting.pop(text))
                    qemu.stdin.flush()
                if until and until in seen:
                    break
                time.sleep(0.5)
        finally:
            qemu.kill()
            qemu.wait()
            qemu.stdin.close()
    lines = re.findall(r"DOMU-BOOT (\w+) (.+)", plain(log))
    return Booted(dict(lines), plain(log), time.monotonic() - begin)


def plain(log: Path) -> str:
    """The console without what moves its cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", log.read_text(errors="replace"))


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("name", MAKERS)
def test_the_image_starts_by_itself(made: Callable[[str], Path], tmp_path: Path, name: str, way: Way) -> None:
    done = boot(made(name), way, tmp_path)
    print(f"\n| {name} | {way} | {done.seconds:.0f} s | {done.found} |")
    assert done.found, f"nothing was reported; the console's end:\n{done.console[-2000:]}"
    assert done.found["kernel"].startswith(MAKERS[name][0])
    assert done.found["firmware"] == way.firmware.split(",")[0]
    assert done.found["secure"] == ("yes" if "Secure" in way.firmware else "no")


# With time to choose.
WAITING: Mapping[str, Callable[[Media, Path], Path]] = {
    "netinst of bookworm, repacked": partial(netinst, delay=120),
    "mini.iso of trixie, repacked": partial(mini, delay=120),
    "trixie, mastered": mastered("trixie", delay=120),
}


@pytest.mark.parametrize("way", [Way("BIOS", "CD"), Way("UEFI", "CD")], ids=str)
@pytest.mark.parametrize("name", WAITING)
def test_the_installer_as_it_was_can_be_chosen(media: Media, tmp_path: Path, name: str, way: Way) -> None:
    image = WAITING[name](media, tmp_path)
    # Below the entry that starts by itself: one down, and Enter. Debian's installer then asks its first question.
    # Ctrl-N, which both menus know: of an arrow's three bytes a slow machine took the first for the key Escape.
    keys = {"Installation by hand": b"\x0e\r"}
    # A mastered image's menu reads the serial line itself, and SeaBIOS beside it would take keys away.
    done = boot(image, replace(way, screen="mastered" in name), tmp_path, keys=keys, until="language")
    print(f"\n| {name} | by hand | {way} | {done.seconds:.0f} s |")
    assert "language" in done.console, done.console[-2000:]
    assert not done.found
