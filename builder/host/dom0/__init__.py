"""Reads a dom0: every fact through a Runner and below a root folder, so that a made-up one is read the same way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from builder.host.boot import read_boot_facts
from builder.host.dom0 import archive, network, storage, xen
from builder.host.dom0.reading import is_there, learnt, names_in, text_or_none
from builder.host.lvm import read_storage
from builder.host.run import Runner, run
from builder.host.xl import list_domains, xen_info
from builder.xen.autostart import plan_autostart
from builder.xen.boot_facts import assumed_facts
from builder.xen.consoles import CONSOLES
from builder.xen.doctor.fact import Fact, Known, Unknown
from builder.xen.doctor.facts import Dom0Facts, Role, Space
from builder.xen.doctor.needs import Needs
from builder.xen.doctor.of_archive import DOM0_PROGRAMS, PROGRAMS, ROUTED_PROGRAMS, SWITCH_PROGRAMS
from builder.xen.doctor.of_network import BRIDGE_CALLS, FORWARD4, FORWARD6
from builder.xen.doctor.of_storage import ROTATION
from builder.xen.doctor.of_xen import OS_RELEASE, XEN_CFG, XEN_DEFAULTS, XL_CONF

ROOT = Path("/")
_SCRIPTS = ("/etc/xen/scripts/vif-bridge", "/etc/xen/scripts/vif-route", "/etc/xen/scripts/vif-openvswitch")
_SYSCTLS = (FORWARD4, FORWARD6, BRIDGE_CALLS)
_XENDOMAINS = "/etc/default/xendomains"


def read_dom0(needs: Needs, *, now: datetime, runner: Runner = run, root: Path = ROOT) -> Dom0Facts:
    """Everything that can be read without the network. Nothing is changed, and nothing raises for what is missing."""
    role = xen.role(root)
    below_xen = isinstance(role, Known) and role.value.xen
    no_xen = Unknown("no Xen runs here")
    defaults = xen.settings(root, _XENDOMAINS)
    return Dom0Facts(
        now=now,
        is_root=os.geteuid() == 0,
        role=role,
        hypervisor=learnt(lambda: xen_info(runner)) if below_xen else no_xen,
        domains=learnt(lambda: list_domains(runner)) if below_xen else no_xen,
        utils=xen.utils(root),
        images=xen.images(root),
        grub=xen.grub(root),
        grub_settings=xen.grub_settings(root),
        xen_settings=xen.settings(root, XEN_DEFAULTS),
        texts={path: text_or_none(root, path) for path in (XEN_DEFAULTS, XEN_CFG, ROTATION, *needs.network_files)},
        release=xen.settings(root, OS_RELEASE),
        init_reads=xen.init_reads(root),
        xl_settings=xen.settings(root, XL_CONF).then(lambda found: found or {}),
        daemons=xen.daemons(root),
        boot=Known(read_boot_facts(runner, assumed_facts(needs.dom0.xen, needs.dom0.suite), root))
        if _is_dom0(role)
        else no_xen,
        auto=xen.auto(root),
        xendomains=xen.unit(runner, "xendomains.service"),
        xendomains_settings=defaults,
        saved=_saved(root, defaults),
        storage=learnt(lambda: read_storage(runner, root)),
        links=network.links(root),
        sysctls={name: network.sysctl(root, name) for name in {*_SYSCTLS, *(one.name for one in needs.sysctls)}},
        trial=network.trial(root),
        tables=network.tables(runner),
        files=_files(root, needs),
        packages=archive.packages(runner, ["debian-archive-keyring", "apt-cacher-ng"]),
        keyrings={path: archive.keyring(root, path) for path in needs.keyrings},
        clock=archive.clock(runner),
        spaces=_spaces(runner, root, needs, defaults),
        console_hoard=storage.hoard(root, CONSOLES),
        dumps=storage.hoard(root, "/var/lib/xen/dump"),
        rotated=storage.rotated(root, CONSOLES),
    )


def _is_dom0(role: Fact[Role]) -> bool:
    return isinstance(role, Known) and role.value.dom0


def _saved(root: Path, defaults: Fact[Mapping[str, str] | None]) -> Fact[tuple[str, ...]]:
    folder = (defaults.value or {}).get("XENDOMAINS_SAVE", "") if isinstance(defaults, Known) else ""
    return names_in(root, folder).then(lambda names: names or ()) if folder else Known(())


def _files(root: Path, needs: Needs) -> Mapping[str, Fact[bool]]:
    found = {
        path: is_there(root, path) for path in (*_SCRIPTS, *(link.target for link in plan_autostart(needs.guests)))
    }
    programs = ("logrotate", *PROGRAMS, *DOM0_PROGRAMS, *ROUTED_PROGRAMS, *SWITCH_PROGRAMS)
    return found | {name: archive.program(root, name) for name in programs}


def _spaces(
    runner: Runner, root: Path, needs: Needs, defaults: Fact[Mapping[str, str] | None]
) -> Mapping[str, Fact[Space]]:
    folders = {"consoles": CONSOLES, **needs.folders}
    saves = (defaults.value or {}).get("XENDOMAINS_SAVE", "") if isinstance(defaults, Known) else ""
    folders |= {"save": saves} if saves else {}
    return {purpose: storage.space(runner, root, folder) for purpose, folder in folders.items()}
