"""The JSON in which libxl tells a domain's config: what `xl list --long` prints, and `xl -N create -n` of a file.

libxl leaves out what has its default. Keys of no use here are passed by; a kind or an action that is not known is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from builder.errors import BuilderError
from builder.profile.model import GuestType
from builder.units import Size

# libxl_types.idl, action_on_shutdown; destroy is number 1 and still left out, as the value without a word.
ACTIONS = ("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart", "soft-reset")
_AGAIN = "run xl list --long again; if it stays so, please report it with its output"


@dataclass(frozen=True, slots=True)
class DomainDisk:
    """A disk as its guest names it (`vdev`), and the file or volume of dom0 behind it; an empty CD drive has none."""

    vdev: str
    target: str
    writable: bool
    cdrom: bool = False
    format: str = ""


@dataclass(frozen=True, slots=True)
class DomainNic:
    """A vif; what xl was not told is empty."""

    mac: str
    bridge: str = ""
    script: str = ""
    ip: str = ""
    vif: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class DomainConfig:
    """A domain's config. `kind` is None where libxl tells none, as of domains that xl has not started."""

    name: str
    uuid: str
    kind: GuestType | None
    memory: Size
    max_memory: Size
    vcpus: int
    kernel: str
    ramdisk: str
    command_line: str
    bootloader: str
    disks: tuple[DomainDisk, ...]
    nics: tuple[DomainNic, ...]
    on_poweroff: str
    on_reboot: str
    on_crash: str


def read_domain_configs(text: str) -> dict[int, DomainConfig]:
    """`xl list --long`: domid -> config. BuilderError for text that is cut short or of another shape."""
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise BuilderError(f"xl list --long prints no JSON: {error}", _AGAIN) from error
    if isinstance(entries, dict):
        entries = [entries]  # asked for one domain, some versions print it without a list around it
    found: dict[int, DomainConfig] = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        domid, config = (entry.get("domid"), entry.get("config")) if isinstance(entry, dict) else (None, None)
        if type(domid) is not int or not isinstance(config, dict) or domid in found:
            raise BuilderError("xl list --long prints an entry without domid and config", _AGAIN)
        found[domid] = read_domain_config(config)
    return found


def read_domain_config(config: Mapping[str, Any]) -> DomainConfig:
    """One domain's config. BuilderError when it is of another shape."""
    try:
        return _read(config["c_info"], config["b_info"], config)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BuilderError(f"a domain's config in JSON is of a shape that is not known: {error!r}", _AGAIN) from error


def _read(create: Mapping[str, Any], build: Mapping[str, Any], config: Mapping[str, Any]) -> DomainConfig:
    kind = create.get("type")
    if kind is not None and kind not in get_args(GuestType):
        raise BuilderError(f"a domain is of a type that is not known: {kind!a}", _AGAIN)
    return DomainConfig(
        name=create.get("name", ""),
        uuid=create.get("uuid", ""),
        kind=cast("GuestType | None", kind),
        memory=_kib(build, "target_memkb"),
        max_memory=_kib(build, "max_memkb"),
        vcpus=int(build.get("max_vcpus", 0)),
        kernel=build.get("kernel", ""),
        ramdisk=build.get("ramdisk", ""),
        command_line=build.get("cmdline", ""),
        bootloader=build.get("bootloader", ""),
        disks=tuple(_disk(disk) for disk in config.get("disks", [])),
        nics=tuple(_nic(nic) for nic in config.get("nics", [])),
        on_poweroff=_action(config, "on_poweroff"),
        on_reboot=_action(config, "on_reboot"),
        on_crash=_action(config, "on_crash"),
    )


def _kib(build: Mapping[str, Any], name: str) -> Size:
    return Size(int(build.get(name, 0)) << 10)


def _action(config: Mapping[str, Any], event: str) -> str:
    action = str(config.get(event, "destroy")).replace("_", "-")  # as xl.cfg(5) writes them
    if action not in ACTIONS:
        raise BuilderError(f"{event} of a domain is an action that is not known: {action!a}", _AGAIN)
    return action


def _disk(disk: Mapping[str, Any]) -> DomainDisk:
    return DomainDisk(
        vdev=disk["vdev"],
        target=disk.get("pdev_path") or "",
        writable=bool(disk.get("readwrite", 0)),
        cdrom=bool(disk.get("is_cdrom", 0)),
        format=disk.get("format", ""),
    )


def _nic(nic: Mapping[str, Any]) -> DomainNic:
    return DomainNic(
        mac=nic["mac"],
        bridge=nic.get("bridge", ""),
        script=nic.get("script", ""),
        ip=nic.get("ip", ""),
        vif=nic.get("ifname", ""),
        model=nic.get("model", ""),
    )
