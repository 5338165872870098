"""The boot matrix: which ways there are to start an installed guest, and which of them can work with its kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from builder.profile.model import Arch, GuestType
from builder.xen.boot_facts import BootFacts, Need
from builder.xen.kernel import Compression, Kernel

Method = Literal["pvgrub", "pygrub", "pvhgrub", "direct", "firmware"]
Outcome = Literal["works", "caveat", "cannot"]
# grub-core/loader/i386/xen_file.c of GRUB 2.06 and 2.12, with the filters that Debian's images have.
PVGRUB_READS: frozenset[Compression] = frozenset({"none", "gzip", "xz", "lzo"})
# What the guest's own kernel hook (preseeds/pv-kernel.j2) turns into something that this GRUB reads.
HOOK_READS: frozenset[Compression] = frozenset({"zstd"})


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot method and the lines of the run config that choose it; `reason` is written beside them."""

    method: Method
    reason: str
    kernel: str = ""
    bootloader: str = ""


METHODS: Mapping[str, Boot] = {
    boot.method: boot
    for boot in (
        Boot(
            "pvgrub",
            "GRUB for PV guests, from grub-xen-host, shows the guest's own menu",
            kernel="/usr/lib/grub-xen/grub-x86_64-xen.bin",
        ),
        Boot("pygrub", "dom0 takes the kernel from the guest's disk, as its GRUB menu says", bootloader="pygrub"),
        Boot(
            "pvhgrub",
            "GRUB for PVH guests, from grub-xen-host, shows the guest's own menu",
            kernel="/usr/lib/grub-xen/grub-i386-xen_pvh.bin",
        ),
        Boot("firmware", "the BIOS starts what the installer put on the disk"),
        Boot("direct", "kernel and initrd are files of dom0; keep them as new as the guest's own"),
    )
}
# What a method needs of dom0: in words, and what brings it.
NEEDS: Mapping[Need, tuple[str, str]] = {
    "pvgrub": ("GRUB for PV guests (/usr/lib/grub-xen/grub-x86_64-xen.bin)", "in dom0: apt-get install grub-xen-host"),
    "pvhgrub": (
        "GRUB for PVH guests (/usr/lib/grub-xen/grub-i386-xen_pvh.bin)",
        "in dom0: apt-get install grub-xen-host",
    ),
    "pygrub": ("pygrub", "in dom0: apt-get install xen-utils-common"),
    "qemu": ("QEMU, which plays the PC", "in dom0: apt-get install qemu-system-xen"),
    "hvm": (
        "hardware virtualisation (hvm in virt_caps of xl info)",
        "turn on VT-x or AMD-V in the firmware, or write type: pv",
    ),
}
Unpacker = Literal["pvgrub", "libxenguest", "itself"]


@dataclass(frozen=True, slots=True)
class Way:
    """One row: how guests of a type start by a method, who unpacks their kernel, and what that takes.

    `source`: where it is known from, beside the boots in the lab (docs/boot-matrix.md).
    """

    kind: GuestType
    method: Method
    unpacker: Unpacker
    dom0: tuple[Need, ...]
    guest: tuple[str, ...]
    why: str
    source: str
    caveat: str = ""


_MENU = "a menu, /boot/grub/grub.cfg"
_FORGED = "dom0 reads the guest's file systems, which the guest's root can forge (XSA-443): needs dom0_reads_disk: true"
_COPIES = "kernel and initrd are copies in dom0, to be made again after each upgrade of the guest's kernel"
_UNREAD = "the guest's disk stays unread by dom0"
_XL = "xl.cfg(5)"
_TAKEN = "dom0 takes the kernel from the guest's menu"
_BINARY = "the image's own menu, in grub-xen-host 2.06"
WAYS: Mapping[tuple[GuestType, Method], Way] = {
    (way.kind, way.method): way
    for way in (
        Way("pv", "pvgrub", "pvgrub", ("pvgrub",), (_MENU, "grub-xen, which dom0's hands over to"), _UNREAD, _BINARY),
        Way("pv", "pygrub", "libxenguest", ("pygrub",), (_MENU,), _TAKEN, _XL, _FORGED),
        Way("pv", "direct", "libxenguest", (), (), "the installer starts so, too", _XL, _COPIES),
        Way("pvh", "pvhgrub", "itself", ("hvm", "pvhgrub"), (_MENU,), _UNREAD, _BINARY),
        Way(
            "pvh", "pygrub", "libxenguest", ("hvm", "pygrub"), (_MENU,), _TAKEN, _XL, _FORGED,
        ),
        Way("pvh", "direct", "libxenguest", ("hvm",), (), "the installer starts so, too", _XL, _COPIES),
        Way(
            "hvm", "firmware", "itself", ("hvm", "qemu"), ("grub-pc, in the disk's boot record",),
            "the guest boots as a machine does", _XL,
        ),
        Way("hvm", "direct", "itself", ("hvm", "qemu"), (), "the installer starts so, too", _XL, _COPIES),
    )
}  # fmt: skip
# What `bootloader: auto` takes. Never pygrub, which makes dom0 read what guests wrote, nor direct, which goes stale.
AUTO: Mapping[tuple[Arch, GuestType], Method] = {
    ("amd64", "pv"): "pvgrub",
    ("amd64", "pvh"): "pvhgrub",
    ("amd64", "hvm"): "firmware",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a way works, in words. `hint`: what to do where it cannot. `assumed`: what nobody looked at for it."""

    way: Way
    outcome: Outcome
    why: str
    hint: str = ""
    hook: bool = False
    assumed: tuple[str, ...] = field(default=())

    @property
    def method(self) -> Method:
        """The way's."""
        return self.way.method


def boot_matrix(kind: GuestType, arch: Arch, kernel: Kernel, facts: BootFacts) -> tuple[Verdict, ...]:
    """A verdict on each way to start a guest of this type with this kernel below this dom0, as WAYS orders them."""
    return tuple(judge(way, arch, kernel, facts) for way in WAYS.values() if way.kind == kind)


def judge(way: Way, arch: Arch, kernel: Kernel, facts: BootFacts) -> Verdict:
    """Whether this way works. Never raises; what is not known to work cannot."""
    if arch == "arm64" and (way.kind != "pvh" or way.method == "pvhgrub"):
        return Verdict(way, "cannot", f"there is no {_NAMES[way.method]} on arm64", "write bootloader: direct")
    assumed = [f"{NEEDS[need][0]} ({facts.has[need].origin})" for need in way.dom0 if facts.has[need].is_assumed]
    for need in way.dom0:
        if not facts.has[need].value:
            what, hint = NEEDS[need]
            return Verdict(way, "cannot", f"dom0 has no {what}", hint)
    if way.unpacker != "itself" and kernel.origin.startswith("assumed"):
        assumed.append(f"{kernel.described} ({kernel.origin})")
    can, why, hint = _unpacks(way.unpacker, kernel, facts)
    if way.unpacker == "libxenguest" and facts.unpacks.is_assumed:
        assumed.append(f"what libxenguest can unpack ({facts.unpacks.origin})")
    if not can:
        return Verdict(way, "cannot", why, hint, assumed=tuple(assumed))
    hook = way.unpacker == "pvgrub" and kernel.compression in HOOK_READS
    outcome: Outcome = "caveat" if way.caveat else "works"
    words = "; ".join(word for word in (way.why, why, way.caveat) if word)
    return Verdict(way, outcome, words, hook=hook, assumed=tuple(assumed))


_NAMES: Mapping[Method, str] = {
    "pvgrub": "GRUB for Xen guests",
    "pvhgrub": "GRUB for Xen guests",
    "pygrub": "pygrub",
    "direct": "such guest",
    "firmware": "BIOS",
}


def _unpacks(unpacker: Unpacker, kernel: Kernel, facts: BootFacts) -> tuple[bool, str, str]:
    """Whether it reads the kernel, why, and what to do if not."""
    how = kernel.compression
    match unpacker:
        case "itself":
            return True, "the kernel unpacks itself", ""
        case "libxenguest":
            if how in facts.unpacks.value:
                return True, "", ""
            major, minor = facts.xen.value
            why = f"libxenguest of this Xen {major}.{minor} cannot unpack {kernel.described}"
            return False, why, "upgrade dom0's Xen, or write type: pvh with bootloader: auto"
        case "pvgrub":
            if how in PVGRUB_READS:
                return True, f"its GRUB reads {kernel.described}", ""
            if how in HOOK_READS:
                return True, f"a hook in the guest keeps a copy that its GRUB reads of {kernel.described}", ""
            why = f"GRUB for PV guests cannot read {kernel.described}, nor can the guest's hook unpack it"
            return False, why, "write type: pvh, whose GRUB lets the kernel unpack itself"
