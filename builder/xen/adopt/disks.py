"""What the xl config, LVM and volumes.json of an earlier build say of a guest's disks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from builder.findings import Finding, Severity
from builder.storage.facts import LogicalVolume
from builder.storage.labels import KEEP, Label
from builder.units import Size
from builder.xen.adopt.evidence import Ledger, fits, require
from builder.xen.adopt.layout import layout_of
from builder.xen.xlcfg import Setting
from builder.xen.xldevices import DiskSpec, parse_disk, volume_of

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_WHOLE = re.compile(r"(?:xvd|hd|sd)([a-z])")
_SYSTEM = re.compile(r"(?:xvd|hd|sd)a[0-9]*")


def adopt_disks(ledger: Ledger) -> None:
    """Rows of volume_group, thin_pool, disk and volumes. BuilderError where there is no system disk on LVM."""
    setting = ledger.setting("disk")
    specs = _specs(ledger, setting) if setting else []
    drives = [spec for spec in specs if not spec.cdrom]
    system = _system_disk(ledger, drives)
    found = volume_of(system.target)
    if setting is None or found is None:
        require("", f"the system disk {system.target!a} is no LVM volume", "domu keeps guests on LVM: copy it onto one")
        return
    group, name = found
    for part in (group, name):
        require("x" * fits(_NAME, part, 100), f"{part!a} is a name that no profile can have", "rename it: lvrename")
    ledger.know("volume_group", group, "disk of the xl config")
    for spec in specs:
        if spec.cdrom:
            ledger.lose(setting, f"the CD drive {spec.vdev} is not kept", "the installed guest needs none", code="A103")
        if spec.more:
            ledger.lose(setting, f"{', '.join(spec.more)} of disk {spec.vdev} has no field", code="A103")
    volume = _lv(ledger, group, name)
    _thin_pool(ledger, setting, drives)
    _disk(ledger, group, name, volume)
    if not _WHOLE.fullmatch(system.vdev):
        message = (
            f"{system.vdev} is a partition without a disk; a guest of domu's has a disk, partitioned by the installer"
        )
        ledger.lose(setting, message, f"a rebuild makes {group}/{name} that disk", code="A103")
    data = [_volume(ledger, setting, spec, group) for spec in drives if spec is not system]
    ledger.know("volumes", [one for one in data if one], "disk of the xl config", gaps=_volume_gaps(ledger, bool(data)))


def _specs(ledger: Ledger, setting: Setting) -> list[DiskSpec]:
    specs = []
    for text in setting.texts:
        try:
            specs.append(parse_disk(text))
        except ValueError as error:
            where = f"line {setting.line} of {ledger.evidence.config.file}"
            require("", f"disk {text!a} is not understood: {error}", where)
    return specs


def _system_disk(ledger: Ledger, drives: list[DiskSpec]) -> DiskSpec:
    """The whole disk a; of a guest whose volumes are partitions, the one named like the guest, or the largest."""
    first = [spec for spec in drives if _SYSTEM.fullmatch(spec.vdev)]
    require("x" * len(first), "the config has no disk xvda, hda or sda", "name the system disk so")
    whole = [spec for spec in first if _WHOLE.fullmatch(spec.vdev)]
    if whole:
        return whole[0]
    sizes = {spec.vdev: _size_of(ledger, spec) for spec in first}
    return max(first, key=lambda spec: (sizes[spec.vdev], "swap" not in spec.target, spec.vdev))


def _size_of(ledger: Ledger, spec: DiskSpec) -> int:
    found = volume_of(spec.target)
    volume = _lv(ledger, *found) if found else None
    return volume.size.bytes if volume else 0


def _thin_pool(ledger: Ledger, setting: Setting, drives: list[DiskSpec]) -> None:
    """The pool of those that are thin; a profile has one pool."""
    storage = ledger.evidence.storage
    places = [place for place in map(volume_of, (spec.target for spec in drives)) if place]
    volumes = [volume for place in places if storage and (volume := storage.find(*place))]
    pools = sorted({volume.pool for volume in volumes if volume.is_thin})
    if volumes:
        ledger.know("thin_pool", pools[0] if pools else None, "LVM")
    for pool in pools[1:]:
        ledger.lose(setting, f"{pool} is a second thin pool, and a profile has one", "move its volumes", code="A103")


def _disk(ledger: Ledger, group: str, name: str, volume: LogicalVolume | None) -> None:
    gaps: list[str] = []
    disk: dict[str, Any] = {}
    if name != f"{ledger.evidence.name}-disk":
        disk["volume"] = name
    planned = _planned(ledger, name)
    if volume:
        disk["size"] = str(volume.size)
    elif planned:
        disk["size"] = str(_planned_size(planned))
    else:
        gaps.append(f"size: {group}/{name} was not looked at, so it is the least that its partitions need")
    disk |= layout_of(ledger, gaps)
    if volume and ledger.value("thin_pool") and not volume.is_thin:
        disk["thin"] = False
    source = "disk of the xl config, and LVM" if volume else "disk of the xl config"
    ledger.know("disk", disk, source, gaps=tuple(gaps))


def _volume(ledger: Ledger, setting: Setting, spec: DiskSpec, group: str) -> dict[str, Any] | None:
    found = volume_of(spec.target)
    letter = _WHOLE.fullmatch(spec.vdev)
    if found is None or letter is None or found[0] != group:
        hint = "it is left alone, and the guest will run without it"
        reason = "is no whole disk" if not letter else f"lies on {spec.target}, which is no volume of {group}"
        ledger.lose(setting, f"{spec.vdev} {reason}", hint, code="A103")
        return None
    if not spec.writable:
        ledger.lose(setting, f"{spec.vdev} is read-only, which has no field", "it will be writable", code="A103")
    name, guest = found[1], ledger.evidence.name
    require("x" * fits(_NAME, name, 100), f"{name!a} is a name that no profile can have", "rename it: lvrename")
    volume, planned = _lv(ledger, group, name), _planned(ledger, name)
    label = _label(volume)
    own = label.volume if label and label.guest == guest else ""
    short = own or name.removeprefix(f"{guest}-")
    entry: dict[str, Any] = {"name": short if fits(_NAME, short, 100) else name}
    if f"{guest}-{entry['name']}" != name:
        entry["volume"] = name
    if volume is None and planned is None:
        message = f"how large {group}/{name} is, is not known"
        require("", message, "run this as root on the dom0 that has it, or give its volumes.json with --volumes")
    entry["size"] = str(volume.size if volume else _planned_size(planned))
    ours_to_make_anew = volume is not None and label is not None and KEEP not in volume.tags
    if volume and ledger.value("thin_pool") and not volume.is_thin:
        entry["thin"] = False
    entry["keep"] = planned.get("keep") is not False if planned else not ours_to_make_anew
    entry |= {key: planned[key] for key in ("filesystem", "mount") if planned and planned.get(key)}
    return entry


def _volume_gaps(ledger: Ledger, some: bool) -> tuple[str, ...]:
    if not some or ledger.evidence.planned:
        return ()
    return ("where the guest mounts them, and what is on them, is not looked at; give mount: and filesystem:",)


def _label(volume: LogicalVolume | None) -> Label | None:
    try:
        return Label.read(volume.tags) if volume else None
    except ValueError:
        return None


def _lv(ledger: Ledger, group: str, name: str) -> LogicalVolume | None:
    if ledger.evidence.storage is None:
        return None
    volume, guest = ledger.evidence.storage.find(group, name), ledger.evidence.name
    if volume is None:
        message, hint = f"LVM has no {group}/{name} here", "run this on the dom0 that has the guest's volumes"
        ledger.findings.add(Finding("A105", message, hint, severity=Severity.WARNING, guest=guest))
    return volume


def _planned_size(planned: Mapping[str, Any] | None) -> Size:
    size = (planned or {}).get("size_bytes")
    if type(size) is not int or size <= 0:
        require("", "volumes.json has a volume without size_bytes", "give volumes.json of an earlier domu build")
        return Size(0)
    return Size(size)


def _planned(ledger: Ledger, name: str) -> Mapping[str, Any] | None:
    volumes = (ledger.evidence.planned or {}).get("volumes", [])
    return next((one for one in volumes if isinstance(one, dict) and one.get("name") == name), None)
