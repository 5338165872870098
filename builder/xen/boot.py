"""How dom0 starts an installed guest: the method that is chosen, why, and what speaks against it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from builder.errors import BuilderError
from builder.findings import Finding, Severity
from builder.profile.model import Guest
from builder.xen.boot_facts import BootFacts, assumed_facts
from builder.xen.boot_matrix import AUTO, METHODS, WAYS, Boot, Verdict, boot_matrix, judge
from builder.xen.kernel import USUAL, Kernel

# Xen's MAX_GUEST_CMDLINE is 1024 (xen/include/public/xen.h); libxenguest cuts a longer line without a word. Elsewhere
# the kernel's own COMMAND_LINE_SIZE, 2048, holds. Both count the NUL at the end.
LONGEST_LINE = {"pv": 1023, "pvh": 2047, "hvm": 2047}
# What the stock templates carry into the installer for the kernel hook (preseeds/pv-kernel.j2).
HOOK_FILES = ("/domu/pv-kernel/hook", "/domu/pv-kernel/menu")


@dataclass(frozen=True, slots=True)
class Choice:
    """The way a guest is started, or None where `auto` knows none, and every verdict of its type's."""

    chosen: Verdict | None
    why: str
    verdicts: tuple[Verdict, ...]
    kernel: Kernel
    facts: BootFacts


def choose(guest: Guest, facts: BootFacts | None = None, kernel: Kernel | None = None) -> Choice:
    """The method of the profile, or the one that `auto` takes, beside all others.

    Without facts a Debian dom0 is assumed that has all it needs; without a kernel, one as the suite's usually are.
    """
    facts, kernel = facts or assumed_facts(), kernel or USUAL[guest.suite]
    verdicts = boot_matrix(guest.type, guest.arch, kernel, facts)
    method = method_of(guest)
    chosen = next((verdict for verdict in verdicts if verdict.method == method), None)
    if guest.bootloader != "auto":
        why = "the profile says so"
    else:
        why = chosen.why if chosen else f"auto knows no way for {guest.type} guests on {guest.arch}"
    return Choice(chosen, why, verdicts, kernel, facts)


def method_of(guest: Guest) -> str:
    """The method of the run config; empty where `auto` knows none."""
    return AUTO.get((guest.arch, guest.type), "") if guest.bootloader == "auto" else guest.bootloader


def boot_of(guest: Guest) -> tuple[Boot, str]:
    """The boot method and why it was chosen. BuilderError where `auto` knows none, which check_boot finds, too."""
    choice = choose(guest)
    if choice.chosen is None:
        raise BuilderError(f"{guest.name}: {choice.why}", "write another type:, or a bootloader:")
    return METHODS[choice.chosen.method], choice.why


def needs_hook(guest: Guest) -> bool:
    """Whether the installed guest gets the kernel hook.

    Every PV guest that GRUB starts does, whatever its kernel: bookworm's needs none, and becomes trixie's some day.
    """
    return guest.type == "pv" and guest.arch == "amd64" and method_of(guest) == "pvgrub"


def advise(guest: Guest, choice: Choice) -> str:
    """What would suit the guest better, or nothing: PVH, which Xen's hardware virtualisation makes the simpler kind."""
    if guest.type != "pv" or guest.arch != "amd64":
        return ""
    verdict = judge(WAYS["pvh", "pvhgrub"], guest.arch, choice.kernel, choice.facts)
    if verdict.outcome != "works":
        return ""
    return (
        "type: pvh would work here, too, with any kernel and no hook, and is the kind to choose for a new guest; "
        "an installed PV guest starts as PVH unchanged"
    )


def check_boot(guest: Guest, facts: BootFacts | None = None, kernel: Kernel | None = None) -> Iterator[Finding]:
    """What cannot start, or would start otherwise than the profile says."""
    choice = choose(guest, facts, kernel)
    if choice.chosen is None:
        working = [verdict.method for verdict in choice.verdicts if verdict.outcome != "cannot"]
        hint = f"write bootloader: {' or '.join(working)}" if working else "write another type:"
        yield Finding("X101", choice.why, hint, guest=guest.name)
    elif choice.chosen.outcome == "cannot":
        because = f" ({'; '.join(choice.chosen.assumed)})" if choice.chosen.assumed else ""
        message = f"{choice.chosen.method} cannot start this guest: {choice.chosen.why}{because}"
        yield Finding("X102", message, choice.chosen.hint, guest=guest.name)
    if method_of(guest) == "pygrub" and not guest.dom0_reads_disk:
        message = "pygrub makes dom0 read the guest's file systems, which the guest's root can forge (XSA-443)"
        hint = "write bootloader: auto; or dom0_reads_disk: true, if you trust the guest's root as you trust dom0's"
        yield Finding("X105", message, hint, guest=guest.name)
    if guest.bootloader == "direct" and not any(word.startswith("root=") for word in guest.kernel_args):
        hint = "add root=/dev/xvda1, or what it is, to kernel_args"
        yield Finding("X103", "bootloader direct, and nothing says where the root is", hint, guest=guest.name)
    length, longest = len(installed_line(guest)), LONGEST_LINE[guest.type]
    if length > longest:
        message = f"the kernel command line has {length} bytes; Xen cuts that of a {guest.type} guest after {longest}"
        yield Finding("X104", message, "shorten kernel_args", guest=guest.name)


def check_hook(guest: Guest, carried: Collection[str]) -> Iterator[Finding]:
    """Whether the initrd's files (`carried`, by path) have what the installed guest needs to start by its method.

    A warning where its first kernel needs no hook, and only an upgrade to the next Debian would.
    """
    chosen = choose(guest).chosen
    if chosen and needs_hook(guest) and not set(HOOK_FILES) <= set(carried):
        message = "the templates lay no kernel hook, without which GRUB for PV guests cannot read Debian 13's kernels"
        hint = 'write {% include "pv-kernel.j2" %} into the template of your own, or write type: pvh'
        severity = Severity.ERROR if chosen.hook else Severity.WARNING
        yield Finding("X106", message, hint, severity=severity, guest=guest.name)


def installed_line(guest: Guest) -> str:
    """The longest command line that the guest's GRUB makes of its kernel arguments."""
    root = "root=UUID=01234567-89ab-cdef-0123-456789abcdef ro"
    return " ".join([root, f"console={console_of(guest)}", *guest.kernel_args, "quiet"])


def console_of(guest: Guest) -> str:
    """The guest's console as its kernel names it: Xen's own; `xl console` of an HVM guest has its serial port."""
    return "ttyS0" if guest.type == "hvm" else "hvc0"
