"""What the guest says of its machine: Debian, virtualisation mode and drivers, memory, virtual CPUs, kernel."""

from __future__ import annotations

from collections.abc import Iterator

from builder.plan.verify.check import Difference, Runs, Wish, note
from builder.plan.verify.facts import GuestFacts
from builder.profile.model import Guest
from builder.units import Size
from builder.xen.boot import console_of

# drivers/xen of Linux: what a Xen device's driver is called in sysfs; without an emulated twin all types have these.
_NET, _BLOCK = "vif", "vbd"


def facts_of(runs: Runs) -> GuestFacts:
    """The guest's; examine asks for guest checks only where there are any."""
    if runs.facts is None:
        raise AssertionError("a check of the guest ran without its facts")
    return runs.facts


def compare_identity(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Whether what answers is this guest at all."""
    seen = facts_of(runs).hypervisor.get()
    if seen.uuid and seen.uuid != wish.guest.domain_uuid:
        yield Difference(
            f"what answers is the domain {seen.uuid}, and {wish.guest.name} is {wish.guest.domain_uuid}",
            "two machines have its address, or the address is another guest's",
        )


def compare_debian(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Suite and architecture."""
    seen, guest = facts_of(runs).system.get(), wish.guest
    if seen.suite != guest.suite:
        yield Difference(f"runs Debian {seen.suite}, and the profile says {guest.suite}", _either(guest))
    if seen.arch != guest.arch:
        yield Difference(f"is of architecture {seen.arch}, and the profile says {guest.arch}", _either(guest))


def compare_mode(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """PV, PVH or HVM, as the guest's own kernel has it."""
    seen, wanted = facts_of(runs).hypervisor.get(), wish.guest.type.upper()
    if seen.kind != "xen":
        kind = f"below {seen.kind}" if seen.kind else "below no hypervisor that it knows"
        yield Difference(f"runs {kind}, not below Xen", "is the address another machine's?")
    elif not seen.mode:
        yield Difference("its kernel does not tell its virtualisation mode", "look at /sys/hypervisor/guest_type")
    elif seen.mode != wanted:
        hint = f"stop it, and start it with its own config; or write type: {seen.mode.lower()}"
        yield Difference(f"runs as {seen.mode}, and the profile says {wanted}", hint)


def compare_drivers(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Xen's own drivers carry disks and NICs."""
    drivers = facts_of(runs).drivers.get()
    disks = {name: driver for name, driver in drivers.items() if name.startswith(("xvd", "sd", "hd"))}
    wrong = [f"{name} ({driver})" for name, driver in sorted(disks.items()) if driver != _BLOCK]
    if wrong:
        yield Difference(f"disks do not go by Xen's driver: {', '.join(wrong)}", "look at dmesg in the guest")
    count = sum(driver == _NET for driver in drivers.values())
    if count < len(wish.guest.nics):
        message = f"has {count} NICs by Xen's driver, and the profile {len(wish.guest.nics)}"
        yield Difference(message, "look at: xl network-list; dmesg in the guest")


def compare_memory(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """MemTotal: what is given, without what the kernel needs to keep account of it."""
    seen, guest = facts_of(runs).memory.get(), wish.guest
    if seen > guest.memory:
        yield Difference(f"has {seen.human} of memory, and the profile says {guest.memory.human}", _restart(guest))
    elif seen < _least(guest):
        message = f"has {seen.human} of memory, too little for the profile's {guest.memory.human}"
        yield Difference(message, f"xl mem-set {guest.name} {guest.memory.mebibytes()}")


def _least(guest: Guest) -> Size:
    """Beside the kernel itself, struct page takes 64 of every 4096 bytes, up to the most that may be given."""
    most = max(guest.memory, guest.max_memory or guest.memory)
    return Size(max(0, guest.memory.bytes - (96 << 20) - most.bytes // 25))


def compare_vcpus(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """CPUs online."""
    seen, guest = facts_of(runs).vcpus.get(), wish.guest
    if seen != guest.vcpus:
        hint = f"xl vcpu-set {guest.name} {guest.vcpus}; or write vcpus: {seen}"
        yield Difference(f"runs on {seen} virtual CPUs, and the profile says {guest.vcpus}", hint)


def compare_arguments(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """The running kernel's command line holds the profile's arguments."""
    seen = facts_of(runs).arguments.get()
    missing = [word for word in (f"console={console_of(wish.guest)}", *wish.guest.kernel_args) if word not in seen]
    if missing:
        hint = "GRUB_CMDLINE_LINUX in /etc/default/grub of the guest, then update-grub and a reboot"
        yield Difference(f"its kernel was started without {' '.join(missing)}", hint)


def compare_kernel(_wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Whether what runs is what is installed."""
    facts = facts_of(runs)
    running, installed = facts.kernel.get(), facts.boot.get().kernels
    if running not in installed:
        hint = "a newer one may have taken its place: reboot the guest; with bootloader: direct, copy its kernel anew"
        yield note(f"runs Linux {running}, which is not in its /boot any more", hint)
    elif newer := [one for one in installed if _version(one) > _version(running)]:
        yield note(f"runs Linux {running}, and {max(newer, key=_version)} is installed", "reboot the guest")


def _version(release: str) -> tuple[int, ...]:
    """The leading numbers: enough to tell which of Debian's kernels of one suite is newer."""
    numbers = []
    for word in release.replace("+deb", ".").replace("-", ".").split("."):
        if not word.isascii() or not word.isdecimal():
            break
        numbers.append(int(word[:9]))
    return tuple(numbers)


def _either(guest: Guest) -> str:
    return f"domu rebuild {guest.name}, or mend the profile"


def _restart(guest: Guest) -> str:
    return f"stop it, and start it with its own config; or xl mem-set {guest.name} {guest.memory.mebibytes()}"
