"""The volumes a guest needs in dom0's volume group: how large, in extents, and what partman will make of the disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from builder.errors import BuilderError
from builder.findings import Finding, Findings, Severity
from builder.preseed.layout import PHYSICAL_EXTENT, Layout, least_disk, predict
from builder.preseed.partitions import DEFAULT_STOCK, machine_of, recipe_of
from builder.preseed.partman import UNLIMITED, Machine
from builder.preseed.recipe import Recipe, render_recipe
from builder.preseed.recipe_lint import lint_recipe
from builder.preseed.stock import fallback_name
from builder.profile.fields import Percent
from builder.profile.model import Guest
from builder.storage.table import align
from builder.units import Size

# vgcreate's own default; a volume group may have another.
DEFAULT_EXTENT = Size.parse("4M")
# msdos counts sectors of 512 bytes in 32 bits.
MSDOS_LIMIT = Size.parse("2T")


@dataclass(frozen=True, slots=True)
class PlannedVolume:
    """One logical volume of dom0. `keep`: survives a rebuild. `device`: what the guest calls it.

    `pool`: the thin pool that it belongs in; empty for a thick one.
    """

    name: str
    role: Literal["disk", "data"]
    size: Size
    extents: int
    keep: bool
    device: str
    filesystem: str = ""
    mount: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True)
class VolumePlan:
    """The guest's volumes, the disk first; `least` is the disk's least size, `headroom` what it has beyond."""

    guest: str
    volume_group: str
    extent: Size
    volumes: tuple[PlannedVolume, ...]
    recipe: Recipe
    machine: Machine
    layout: Layout
    least: Size
    headroom: Size


def plan_volumes(guest: Guest, extent: Size = DEFAULT_EXTENT) -> tuple[VolumePlan | None, Findings]:
    """Size every volume in whole extents of dom0's volume group; None when findings refuse."""
    findings = Findings()
    machine = machine_of(guest)
    try:
        recipe = recipe_of(guest)
    except BuilderError as error:
        findings.add(Finding("R301", error.message, error.hint, guest=guest.name))
        return None, findings
    findings.extend(lint_recipe(recipe, machine.suite).for_guest(guest.name))
    least = least_disk(recipe, machine)
    if least is None:
        findings.add(_never(guest, predict(recipe, machine, MSDOS_LIMIT)))
        return None, findings
    size = _disk_size(guest, least, extent)
    layout = predict(recipe, machine, size)
    findings.extend(_disk_findings(guest, machine, layout, size, least))
    if findings.errors:
        return None, findings
    disk = PlannedVolume(
        guest.disk_volume,
        "disk",
        size,
        size.extents(extent),
        keep=False,
        device=guest.disk_device,
        pool=guest.pool_of(guest.disk),
    )
    volumes = (disk, *_data_volumes(guest, extent))
    headroom = Size(size.bytes - least.bytes)
    plan = VolumePlan(guest.name, guest.volume_group, extent, volumes, recipe, machine, layout, least, headroom)
    return plan, findings


def _whole(size: Size, extent: Size) -> Size:
    return Size(size.extents(extent) * extent.bytes)


def _disk_size(guest: Guest, least: Size, extent: Size) -> Size:
    """As the profile says, or the least with headroom; in whole extents, rounded up as lvcreate does."""
    if guest.disk.size != "auto":
        return _whole(guest.disk.size, extent)
    headroom = guest.disk.headroom
    more = Size(-(-least.bytes * headroom.percent // 100)) if isinstance(headroom, Percent) else headroom
    return _whole(least + more, extent)


def _data_volumes(guest: Guest, extent: Size) -> tuple[PlannedVolume, ...]:
    return tuple(
        PlannedVolume(
            guest.volume_name(volume),
            "data",
            _whole(volume.size, extent),
            volume.size.extents(extent),
            keep=volume.keep,
            device=guest.volume_device(volume),
            filesystem=volume.filesystem,
            mount=volume.mount or "",
            pool=guest.pool_of(volume),
        )
        for volume in guest.volumes
    )


def _never(guest: Guest, layout: Layout) -> Finding:
    reason = layout.problem or f"it needs {layout.min_size_mb} MB"
    return Finding("R302", f"the recipe fits on no disk: {reason}", "change the partitions", guest=guest.name)


def _disk_findings(guest: Guest, machine: Machine, layout: Layout, size: Size, least: Size) -> Findings:
    findings = Findings()
    if not layout.is_sound:
        findings.add(_too_small(guest, machine, layout, size, least))
    if machine.label == "msdos" and size > MSDOS_LIMIT:
        findings.add(
            Finding(
                "R307", f"a msdos label reaches no further than {MSDOS_LIMIT}", "write label: gpt", guest=guest.name
            )
        )
    findings.extend(_last_maximum(guest, layout))
    if machine.method == "lvm" and all(partition.mount not in {"/boot", "/"} for partition in layout.partitions):
        findings.add(
            Finding(
                "R306",
                "with method lvm there is no /boot outside LVM: the installer asks partman-auto-lvm/no_boot",
                "add a partition with mount: /boot, or answer partman-auto-lvm/no_boot with true under debconf:",
                severity=Severity.WARNING,
                guest=guest.name,
            )
        )
    return findings


def _too_small(guest: Guest, machine: Machine, layout: Layout, size: Size, least: Size) -> Finding:
    wanted = "" if guest.disk.partitions else guest.disk.recipe or DEFAULT_STOCK
    if layout.fits:
        then = layout.problem or "an LVM volume would get less than its minimum"
    elif name := fallback_name(machine, size, wanted):
        then = f"the installer would silently take the stock recipe {name!r} instead"
    else:
        then = "the installer would stop at the error partman-auto/no_recipe"
    message = f"the recipe does not work out on the disk of {size.human} ({size.bytes} bytes): {then}"
    hint = f"write disk.size: {-(-least.bytes // 1_000_000)}MB or more, or auto"
    return Finding("R304" if layout.fits else "R303", message, hint, guest=guest.name)


def _last_maximum(guest: Guest, layout: Layout) -> Findings:
    """What is laid out last, partition or LVM volume, gets all that is left, whatever its maximum."""
    findings = Findings()
    lasts = []
    if layout.partitions and layout.expanded_mb:
        last = layout.partitions[-1]
        lasts.append((last.mount or last.method, last.size, last.maximum_mb))
    if layout.lvs:
        volume = layout.lvs[-1]
        lasts.append((volume.name, volume.extents * PHYSICAL_EXTENT, volume.maximum_mb))
    for name, size, maximum in lasts:
        if maximum != UNLIMITED and size > (maximum + 5) * 1_000_000:
            message = (
                f"{name!r} is laid out last, so it gets {size // 1_000_000} MB although its maximum is {maximum} MB"
            )
            hint = "let one partition be unlimited, or make the disk smaller"
            findings.add(Finding("R305", message, hint, severity=Severity.NOTE, guest=guest.name))
    return findings


def render_volumes_json(plan: VolumePlan) -> str:
    """volumes.json: what is to be made in dom0, and the disk's partitions; the same plan gives the same bytes."""
    data: dict[str, Any] = {
        "guest": plan.guest,
        "volume_group": plan.volume_group,
        "extent_bytes": plan.extent.bytes,
        "volumes": [
            {
                "name": volume.name,
                "role": volume.role,
                "size_bytes": volume.size.bytes,
                "extents": volume.extents,
                "keep": volume.keep,
                "device": volume.device,
                "filesystem": volume.filesystem,
                "mount": volume.mount,
                "thin_pool": volume.pool,
            }
            for volume in plan.volumes
        ],
        "disk": {
            "label": plan.machine.label,
            "method": plan.machine.method,
            "recipe": render_recipe(plan.recipe, one_line=True),
            "least_bytes": plan.least.bytes,
            "headroom_bytes": plan.headroom.bytes,
            "partitions": [
                {
                    "number": partition.num,
                    "start": partition.start,
                    "size_bytes": partition.size,
                    "method": partition.method,
                    "filesystem": partition.fs,
                    "mount": partition.mount,
                }
                for partition in plan.layout.partitions
            ],
            "lvm_volumes": [
                {
                    "name": volume.name,
                    "size_bytes": volume.extents * PHYSICAL_EXTENT,
                    "filesystem": volume.fs,
                    "mount": volume.mount,
                }
                for volume in plan.layout.lvs
            ],
        },
    }
    return json.dumps(data, indent=2, sort_keys=True) + "\n"


def render_volumes_table(plan: VolumePlan) -> str:
    """The plan for people: the volumes in dom0, then what the disk will hold."""
    rows = [("volume", "size", "extents", "kind", "keep", "device", "holds")]
    for volume in plan.volumes:
        holds = f"{volume.filesystem} {volume.mount}".strip() if volume.role == "data" else "the system"
        keep = "yes" if volume.keep else "no"
        path = f"{plan.volume_group}/{volume.name}"
        kind = f"thin ({volume.pool})" if volume.pool else "thick"
        rows.append((path, volume.size.human, str(volume.extents), kind, keep, volume.device, holds))
    disk = plan.volumes[0].device
    inside = [("partition", "size", "filesystem", "mount")]
    for partition in plan.layout.partitions:
        inside.append((f"{disk}{partition.num}", Size(partition.size).human, partition.use, partition.mount))
    for lv in plan.layout.lvs:
        inside.append((f"LVM {lv.name}", Size(lv.extents * PHYSICAL_EXTENT).human, lv.use, lv.mount))
    least = f"The disk needs {plan.least.human}, and has {plan.headroom.human} beyond that."
    return "\n".join([*align(rows), "", *align(inside), "", least]) + "\n"
