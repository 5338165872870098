"""How dom0 starts an installed guest: the table of boot methods, and what their command lines have room for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from builder.findings import Finding
from builder.profile.model import Arch, Guest, GuestType, Suite

# Xen's MAX_GUEST_CMDLINE is 1024 (xen/include/public/xen.h); libxenguest cuts a longer line without a word. Elsewhere
# the kernel's own COMMAND_LINE_SIZE, 2048, holds. Both count the NUL at the end.
LONGEST_LINE = {"pv": 1023, "pvh": 2047, "hvm": 2047}


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot method and the lines of the run config that choose it; `reason` is written beside them."""

    method: str
    reason: str
    kernel: str = ""
    bootloader: str = ""


METHODS = {
    boot.method: boot
    for boot in (
        Boot(
            "pvgrub",
            "GRUB for PV guests, from grub-xen-host; it reads kernels compressed by gzip, xz and lzo",
            kernel="/usr/lib/grub-xen/grub-x86_64-xen.bin",
        ),
        Boot("pygrub", "dom0 takes the kernel from the guest's disk, as its GRUB menu says", bootloader="pygrub"),
        Boot(
            "pvhgrub",
            "GRUB for PVH guests, from grub-xen-host; the kernel unpacks itself",
            kernel="/usr/lib/grub-xen/grub-i386-xen_pvh.bin",
        ),
        Boot("firmware", "the BIOS starts what the installer put on the disk"),
        Boot("direct", "kernel and initrd are files of dom0; keep them as new as the guest's own"),
    )
}
# What `bootloader: auto` means, and why. Measured under Xen 4.17 with the kernels of both suites.
_ZSTD = "trixie's kernel is compressed by zstd, which GRUB for PV guests cannot read"
AUTO: dict[tuple[Arch, GuestType, Suite], tuple[str, str]] = {
    ("amd64", "pv", "bookworm"): ("pvgrub", "bookworm's kernel is compressed by xz, and the guest's disk stays unread"),
    ("amd64", "pv", "trixie"): ("pygrub", _ZSTD),
    ("amd64", "pvh", "bookworm"): ("pvhgrub", "the guest's disk stays unread by dom0"),
    ("amd64", "pvh", "trixie"): ("pvhgrub", "the guest's disk stays unread by dom0"),
    ("amd64", "hvm", "bookworm"): ("firmware", "the guest boots as a machine does"),
    ("amd64", "hvm", "trixie"): ("firmware", "the guest boots as a machine does"),
    ("arm64", "pvh", "bookworm"): ("pygrub", "grub-xen-host has no GRUB for arm64 guests"),
    ("arm64", "pvh", "trixie"): ("pygrub", "grub-xen-host has no GRUB for arm64 guests"),
}


def boot_of(guest: Guest) -> tuple[Boot, str]:
    """The boot method and why it was chosen; KeyError for a guest that check_boot refuses."""
    if guest.bootloader != "auto":
        return METHODS[guest.bootloader], "as the profile says"
    method, why = AUTO[guest.arch, guest.type, guest.suite]
    return METHODS[method], why


def check_boot(guest: Guest) -> Iterator[Finding]:
    """What cannot start, or would start otherwise than the profile says."""
    if guest.bootloader == "auto" and (guest.arch, guest.type, guest.suite) not in AUTO:
        message = f"no boot method is known for {guest.type} guests with {guest.suite} on {guest.arch}"
        yield Finding("X101", message, "write another type:, or a bootloader:", guest=guest.name)
    if guest.bootloader == "pvgrub" and guest.suite == "trixie":
        yield Finding("X102", f"pvgrub cannot start this guest: {_ZSTD}", "write bootloader: auto", guest=guest.name)
    if guest.bootloader == "direct" and not any(word.startswith("root=") for word in guest.kernel_args):
        hint = "add root=/dev/xvda1, or what it is, to kernel_args"
        yield Finding("X103", "bootloader direct, and nothing says where the root is", hint, guest=guest.name)
    length, longest = len(installed_line(guest)), LONGEST_LINE[guest.type]
    if length > longest:
        message = f"the kernel command line has {length} bytes; Xen cuts that of a {guest.type} guest after {longest}"
        yield Finding("X104", message, "shorten kernel_args", guest=guest.name)


def installed_line(guest: Guest) -> str:
    """The longest command line that the guest's GRUB makes of its kernel arguments."""
    root = "root=UUID=01234567-89ab-cdef-0123-456789abcdef ro"
    return " ".join([root, f"console={console_of(guest)}", *guest.kernel_args, "quiet"])


def console_of(guest: Guest) -> str:
    """The guest's console as its kernel names it: Xen's own; `xl console` of an HVM guest has its serial port."""
    return "ttyS0" if guest.type == "hvm" else "hvc0"
