"""The table of checks: each row is what is compared, and its documentation, which docs/verify.md repeats."""

from __future__ import annotations

from builder.findings import Finding, Findings
from builder.plan.verify import of_machine
from builder.plan.verify.check import Check, Runs, Wish, examine

CHECKS: tuple[Check, ...] = (
    Check(
        "W105",
        "identity",
        "guest",
        "`/sys/hypervisor/uuid`",
        "the UUID of the guest's domain: what answers at its address is this guest",
        "See who else has its address.",
        of_machine.compare_identity,
    ),
    Check(
        "W120",
        "Debian",
        "guest",
        "`/etc/os-release`, `dpkg --print-architecture`",
        "`suite` and `arch`",
        "Rebuild, or mend the profile.",
        of_machine.compare_debian,
    ),
    Check(
        "W121",
        "virtualisation mode",
        "guest",
        "`/sys/hypervisor/type`, `guest_type`",
        "Xen, and PV, PVH or HVM as `type` says",
        "Start it with its own config, or mend the profile.",
        of_machine.compare_mode,
    ),
    Check(
        "W122",
        "drivers",
        "guest",
        "`/sys/class/net/*/device/driver`, `/sys/block/*/device/driver`",
        "Xen's drivers for every disk, and for as many NICs as the profile has",
        "Look at dmesg in the guest.",
        of_machine.compare_drivers,
    ),
    Check(
        "W123",
        "memory in the guest",
        "guest",
        "`MemTotal` of `/proc/meminfo`",
        "`memory`, less what the kernel keeps account of it with",
        "`xl mem-set`, or start it with its own config.",
        of_machine.compare_memory,
    ),
    Check(
        "W124",
        "virtual CPUs in the guest",
        "guest",
        "`/sys/devices/system/cpu/online`",
        "`vcpus`",
        "`xl vcpu-set`, or mend the profile.",
        of_machine.compare_vcpus,
    ),
    Check(
        "W125",
        "kernel arguments",
        "guest",
        "`/proc/cmdline`",
        "the guest's console, and every word of `kernel_args`",
        "`/etc/default/grub` in the guest, `update-grub`, reboot.",
        of_machine.compare_arguments,
    ),
    Check(
        "W126",
        "running kernel",
        "guest",
        "`uname -r`, `/boot/vmlinuz-*`",
        "the newest kernel that is installed (a note otherwise)",
        "Reboot the guest.",
        of_machine.compare_kernel,
    ),
)


def compare(wish: Wish, runs: Runs) -> tuple[Finding, ...]:
    """Every finding, sorted."""
    findings = Findings()
    findings.extend(examine(wish, runs, CHECKS))
    return tuple(findings)
