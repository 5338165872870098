"""What the guest says of its disks: sizes, partition table, mounts and swap of the recipe, data volumes with data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from builder.plan.verify.check import Difference, Runs, Wish, note, warn
from builder.plan.verify.facts import Mount
from builder.plan.verify.of_machine import facts_of
from builder.preseed.partitions import machine_of, recipe_of
from builder.preseed.partman import Entry, decode
from builder.profile.model import Guest
from builder.storage.plan import plan_volumes
from builder.units import Size
from builder.xen.doctor.fact import UnclearError

# Volumes are made in whole extents, which LVM lets be larger than its usual 4 MiB.
_ROUNDED = Size(128 << 20)
_LABELS = {"msdos": "dos", "gpt": "gpt"}  # as blkid calls them


def compare_sizes(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Every volume of the profile is a disk, and no smaller than it says."""
    guest, disks = wish.guest, facts_of(runs).disks.get()
    for device, wanted in _sizes(guest).items():
        name = device.removeprefix("/dev/")
        if name not in disks:
            yield Difference(f"has no disk {device}", f"xl block-list {guest.name}; look at dmesg in the guest")
        elif disks[name].size < wanted:
            hint = f"domu volumes plan {guest.name}; a guest sees a grown volume after a restart at the latest"
            yield Difference(f"{device} has {disks[name].size.human}, and the profile says {wanted.human}", hint)
        elif disks[name].size > wanted + _ROUNDED:
            hint = "write its size into the profile; nothing is made smaller"
            yield note(f"{device} has {disks[name].size.human}, more than the profile's {wanted.human}", hint)


def _sizes(guest: Guest) -> Mapping[str, Size]:
    plan, findings = plan_volumes(guest)
    if plan is None:
        raise UnclearError(f"the profile's disk cannot be sized: {findings.errors[0].message}")
    return {volume.device: volume.size for volume in plan.volumes if volume.device}


def compare_table(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """The system disk's partition table."""
    guest, disks = wish.guest, facts_of(runs).disks.get()
    disk = disks.get(guest.disk_device.removeprefix("/dev/"))
    if disk and disk.table != _LABELS[guest.label]:
        message = f"{guest.disk_device} has {disk.table or 'no'} partition table, not {guest.label}"
        yield Difference(message, f"domu rebuild {guest.name}, or mend disk.label")


def compare_mounts(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """What the recipe makes is mounted where it says, from the system disk, and can be written to."""
    guest, mounts = wish.guest, facts_of(runs).mounts.get()
    data = {guest.volume_device(volume) for volume in guest.volumes}
    for entry in _entries(guest):
        point = entry.value("mountpoint")
        if not point:
            continue
        yield from _mounted(mounts, point, entry.value("filesystem") or entry.filesystem)
        if point in mounts and mounts[point].source in data:
            yield Difference(f"{point} is on {mounts[point].source}, a data volume", "look at /etc/fstab in the guest")


def _mounted(mounts: Mapping[str, Mount], point: str, filesystem: str) -> Iterator[Difference]:
    hint = "look at /etc/fstab, dmesg and findmnt in the guest"
    if point not in mounts:
        yield Difference(f"nothing is mounted on {point}", hint)
        return
    seen = mounts[point]
    if seen.filesystem != filesystem:
        yield Difference(f"{point} is {seen.filesystem} ({seen.source}), and the profile says {filesystem}", hint)
    if not seen.writable:
        yield Difference(f"{point} is mounted read-only", hint)


def compare_swap(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Swap, if the recipe has any."""
    wanted = sum(entry.value("method") == "swap" for entry in _entries(wish.guest))
    seen = facts_of(runs).swaps.get()
    if wanted > len(seen):
        message = f"uses {len(seen)} swap areas, and the profile has {wanted}"
        yield Difference(message, "look at /etc/fstab and swapon --show in the guest")


def _entries(guest: Guest) -> tuple[Entry, ...]:
    return decode(recipe_of(guest), machine_of(guest))


def compare_volumes(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Data volumes are mounted from their own devices."""
    guest, mounts = wish.guest, facts_of(runs).mounts.get()
    for volume in guest.volumes:
        if not volume.mount:
            continue
        device = guest.volume_device(volume)
        yield from _mounted(mounts, volume.mount, volume.filesystem)
        seen = mounts.get(volume.mount)
        if seen and seen.source != device:
            message = f"{volume.mount} is mounted from {seen.source}, not from {device}: what is written goes elsewhere"
            yield Difference(message, "look at /etc/fstab in the guest")


def compare_data(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Whether a data volume holds anything: an empty one is new, or its data is somewhere else."""
    guest, facts = wish.guest, facts_of(runs)
    mounts, entries = facts.mounts.get(), facts.entries.get()
    for volume in guest.volumes:
        point = volume.mount
        if not point or point not in mounts or mounts[point].source != guest.volume_device(volume):
            continue  # said by the check of volumes
        if point not in entries:
            yield warn(f"what is on {point} cannot be known", "look into it; is the file system well?")
        elif not entries[point]:
            hint = "new volumes are; else restore it from the backup"
            yield note(f"{point} is empty", hint)
