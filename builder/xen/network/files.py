"""The files of a plan: what is there on the next boot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from builder.profile.dom0 import Dom0
from builder.xen.network.hook import render_hook
from builder.xen.network.ifupdown import render_interfaces
from builder.xen.network.networkd import link_files, networkd_files
from builder.xen.network.places import HOOK, INTERFACES, NETWORKD, RULES, SYSCTLS, UDEV_RULES, UNIT, UNITS
from builder.xen.network.sysctls import Sysctl, render_sysctls
from builder.xen.network.vif import Vif

HEADING = (
    "# Made by `domu network plan` from profiles/dom0.yaml and the guests' profiles: change those, not this file.\n"
)
_UNIT = f"""\
{HEADING}
[Unit]
Description=Rules of the guests' networks
# nftables.service empties the ruleset whenever it starts, stops or reloads: what is domu's comes after it, again.
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
DefaultDependencies=no
Conflicts=shutdown.target
Before=network-pre.target shutdown.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {RULES}
ExecReload=/usr/sbin/nft --file {RULES}
ExecStop=-/usr/sbin/nft delete table inet domu
ExecStop=-/usr/sbin/nft delete table bridge domu

[Install]
WantedBy=sysinit.target
"""
_UDEV = f"""\
{HEADING}
# The module brings its own settings, which {SYSCTLS} takes back.
ACTION=="add", SUBSYSTEM=="module", KERNEL=="br_netfilter", RUN+="/lib/systemd/systemd-sysctl --prefix=/net/bridge"
"""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A text file of dom0's, root's, by its absolute path."""

    path: str
    text: str
    mode: int = 0o644


def planned_files(dom0: Dom0, vifs: Sequence[Vif], sysctls: Sequence[Sysctl], ruleset: str) -> tuple[PlannedFile, ...]:
    """By path; a file without content is none."""
    files = [
        PlannedFile(RULES, ruleset),
        PlannedFile(f"{UNITS}/{UNIT}", _UNIT),
        PlannedFile(HOOK, render_hook(vifs), 0o755),
        *([PlannedFile(SYSCTLS, f"{HEADING}\n{render_sysctls(sysctls)}")] if sysctls else []),
        *([PlannedFile(UDEV_RULES, _UDEV)] if any(one.optional for one in sysctls) else []),
        *(PlannedFile(f"{NETWORKD}/{name}", f"{HEADING}\n{text}") for name, text in link_files(dom0).items()),
    ]
    if dom0.network_manager == "networkd":
        files += [
            PlannedFile(f"{NETWORKD}/{name}", f"{HEADING}\n{text}") for name, text in networkd_files(dom0, vifs).items()
        ]
    elif text := render_interfaces(dom0, vifs):
        files.append(PlannedFile(INTERFACES, f"{HEADING}\n{text}"))
    return tuple(sorted(files, key=lambda one: one.path))
