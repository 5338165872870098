"""Rules on a guest's volumes in dom0: names that LVM takes, and thin volumes that have a pool."""

from __future__ import annotations

from collections.abc import Iterator

from builder.findings import Finding
from builder.profile.model import Guest
from builder.storage.names import name_problem


def names(guest: Guest) -> Iterator[tuple[str, Finding]]:
    """What LVM or the device mapper would refuse."""
    named = [("disk.volume", guest.disk_volume)]
    named += [(f"volumes[{number}].name", guest.volume_name(one)) for number, one in enumerate(guest.volumes)]
    for path, name in named:
        if problem := name_problem(guest.volume_group, name):
            yield path, Finding("P112", *problem)
    taken = {name for _, name in named}
    if guest.thin_pool in taken:
        message = f"{guest.thin_pool} is the thin pool and one of the guest's volumes"
        yield "thin_pool", Finding("P112", message, "give one of them another name")


def pools(guest: Guest) -> Iterator[tuple[str, Finding]]:
    """thin: true where there is no pool."""
    if guest.thin_pool:
        return
    wanted = [("disk.thin", guest.disk.thin)]
    wanted += [(f"volumes[{number}].thin", one.thin) for number, one in enumerate(guest.volumes)]
    for path, thin in wanted:
        if thin:
            yield path, Finding("P120", "thin: true, and there is no thin_pool", "write thin_pool: NAME, or remove it")
