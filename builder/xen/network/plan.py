"""The network plan of a dom0: files for every boot, rules, and commands that bring the same about at once.

Deterministic: the same dom0.yaml and guests give the same bytes. Nothing here touches a machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from builder.profile.dom0 import Dom0
from builder.profile.model import Guest
from builder.xen.network.commands import Command, live_commands
from builder.xen.network.devices import owned_interfaces
from builder.xen.network.files import PlannedFile, planned_files
from builder.xen.network.nft import render_nft
from builder.xen.network.packages import packages_of
from builder.xen.network.sysctls import Sysctl, sysctls_of
from builder.xen.network.vif import Vif, all_vifs


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """What a dom0 needs for the networks of dom0.yaml and its guests' vifs.

    `files`: to be written, among them the ruleset, the sysctls and the hook of the vif scripts.
    `ruleset`: for `nft --file`; it replaces the tables `inet domu` and `bridge domu` in one transaction, no other.
    `commands`: in order; they bring live what the files say of interfaces, sysctls and rules.
    `owned`: interfaces that these files configure, so that no other file may.
    `packages`: Debian packages without which none of this works.
    """

    dom0: Dom0
    vifs: tuple[Vif, ...]
    files: tuple[PlannedFile, ...]
    sysctls: tuple[Sysctl, ...]
    ruleset: str
    commands: tuple[Command, ...]
    owned: tuple[str, ...]
    packages: tuple[str, ...]


def plan_network(dom0: Dom0, guests: Iterable[Guest]) -> NetworkPlan:
    """The plan for guests that check_network finds no error against."""
    vifs = all_vifs(guests, dom0)
    sysctls = sysctls_of(dom0, vifs)
    ruleset = render_nft(dom0, vifs)
    return NetworkPlan(
        dom0,
        vifs,
        planned_files(dom0, vifs, sysctls, ruleset),
        sysctls,
        ruleset,
        live_commands(dom0, vifs),
        owned_interfaces(dom0),
        packages_of(dom0),
    )
