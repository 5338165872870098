"""dom0's side: the guest's domain as `xl list` tells it, compared with its run config."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from builder.plan.verify.check import Difference, Runs, Wish, some, warn
from builder.profile.model import Guest
from builder.units import Size
from builder.xen.boot import boot_of
from builder.xen.config import folder_of, run_config_path
from builder.xen.doctor.fact import UnclearError
from builder.xen.domain_config import DomainConfig, DomainNic
from builder.xen.network.vif import Vif, vifs_of, xl_words
from builder.xen.readings import Domain

# libxl gives an HVM guest's video memory out of its own; no other wish is rounded by more than a MiB.
_SLACK = Size(16 << 20)


def domain_of(runs: Runs) -> Domain:
    """The domain; examine asks for dom0's checks only where there is one."""
    if runs.domain is None:
        raise AssertionError("a check of dom0's side ran without a domain")
    return runs.domain


def _config(runs: Runs) -> DomainConfig:
    domain = domain_of(runs)
    if domain.config is None:
        raise UnclearError(f"xl tells no config of domain {domain.domid}")
    return domain.config


def compare_domain(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Name, UUID, kind of guest."""
    guest, domain = wish.guest, domain_of(runs)
    if (domain.name, domain.uuid) != (guest.name, guest.domain_uuid):
        message = f"its domain is {domain.name} {domain.uuid}, not {guest.name} {guest.domain_uuid}"
        yield Difference(message, _restart(guest))
    kind = _config(runs).kind
    if kind != guest.type:
        yield Difference(f"runs as {kind or 'a kind that xl does not tell'}, not {guest.type}", _restart(guest))


def compare_memory(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """What Xen has given it."""
    guest, given = wish.guest, domain_of(runs).memory
    if abs(given.bytes - guest.memory.bytes) > _SLACK.bytes:
        hint = f"xl mem-set {guest.name} {guest.memory.mebibytes()}; or mend the profile"
        yield Difference(f"Xen gives it {given.human} of memory, and the profile {guest.memory.human}", hint)


def compare_vcpus(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """What it may have at most; those online are compared in the guest."""
    guest, most = wish.guest, _config(runs).vcpus
    wanted = guest.max_vcpus or guest.vcpus
    if most != wanted:
        message = f"may have {most} virtual CPUs at most, and the profile says {wanted}"
        yield Difference(message, _restart(guest))


def compare_disks(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """The volumes behind its disks, and that it may write."""
    guest = wish.guest
    first = "hda" if guest.type == "hvm" else "xvda"
    wanted = {first: f"/dev/{guest.volume_group}/{guest.disk_volume}"}
    wanted |= {
        guest.volume_device(volume).removeprefix("/dev/"): f"/dev/{guest.volume_group}/{guest.volume_name(volume)}"
        for volume in guest.volumes
    }
    seen = {disk.vdev: disk for disk in _config(runs).disks}
    for vdev, target in wanted.items():
        if vdev not in seen:
            yield Difference(f"has no disk {vdev}, which is {target}", _restart(guest))
        elif seen[vdev].target != target:
            yield Difference(f"its disk {vdev} is {seen[vdev].target}, not {target}", _restart(guest))
        elif not seen[vdev].writable:
            yield Difference(f"may not write to its disk {vdev}", _restart(guest))
    if more := seen.keys() - wanted.keys():
        yield Difference(f"has disks that are not in the profile: {some(more)}", "xl block-detach, or mend the profile")


def compare_nics(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Its vifs by MAC: bridge or script, and the vif's name where xl tells it."""
    guest = wish.guest
    seen = {nic.mac: nic for nic in _config(runs).nics}
    wanted = {vif.mac: vif for vif in vifs_of(guest, wish.dom0)}
    for mac, vif in wanted.items():
        if mac not in seen:
            yield Difference(f"has no NIC with the MAC {mac}", _restart(guest))
        else:
            yield from _vif(guest, vif, seen[mac])
    if more := seen.keys() - wanted.keys():
        yield Difference(
            f"has NICs that are not in the profile: {some(more)}", "xl network-detach, or mend the profile"
        )


def _vif(guest: Guest, vif: Vif, seen: DomainNic) -> Iterator[Difference]:
    words = dict(word.split("=", 1) for word in xl_words(vif))
    bridge, script = words.get("bridge", ""), words.get("script", "")
    if seen.bridge != bridge:
        message = f"its NIC {vif.mac} is on {seen.bridge or 'no bridge'}, not on {bridge or 'none: it is routed'}"
        yield Difference(message, _restart(guest))
    if script and PurePosixPath(seen.script).name != script:
        message = f"its NIC {vif.mac} is attached by {seen.script or 'the usual script'}, not by {script}"
        yield Difference(message, _restart(guest))
    if seen.vif and seen.vif != vif.name:
        hint = f"filters of domu's go by the name; {_restart(guest)}"
        yield warn(f"its NIC {vif.mac} is called {seen.vif} in dom0, not {vif.name}", hint)


def compare_start(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """What started it: never the installer, and the boot method of its run config."""
    guest, config = wish.guest, _config(runs)
    boot, _why = boot_of(guest)
    folder = folder_of(guest)
    if config.ramdisk == f"{folder}/initrd.gz":
        yield Difference("was started with its install config: this is the installer", _restart(guest))
        return
    kernel = f"{folder}/installed/vmlinuz" if boot.method == "direct" else boot.kernel
    loader = PurePosixPath(config.bootloader).name
    if loader != boot.bootloader or (not loader and config.kernel != kernel):
        by = config.bootloader or config.kernel or "its firmware"
        message = f"was started by {by}, not by {boot.bootloader or kernel or 'its firmware'} ({boot.method})"
        yield Difference(message, _restart(guest))


def compare_events(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """What becomes of it when it powers off, reboots or crashes."""
    guest, config = wish.guest, _config(runs)
    for event in ("on_poweroff", "on_reboot", "on_crash"):
        seen, wanted = getattr(config, event), getattr(guest, event)
        if seen != wanted:
            yield Difference(f"has {event} {seen}, and the profile says {wanted}", _restart(guest))


def _restart(guest: Guest) -> str:
    return f"xl shutdown -w {guest.name} && xl create {run_config_path(guest)}"
