"""A site with all three kinds of network on one dom0, its guests as namespaces, and `domu` run in dom0's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builder.cli import app
from builder.host.site import Site
from builder.profile.nics import Static4, Static6
from builder.workflows.network import plan as make_plan
from builder.xen.network.vif import Vif, xl_words
from tests.netns import Namespace, World

SITE = "suite: trixie\nmemory: 1G\nvolume_group: vg0\ndns: [192.0.2.1]\nssh_keys: [ssh-ed25519 {key}]\n".format(
    key="AAAAC3NzaC1lZDI1NTE5AAAAIEfW8EuEKb2VCqmubrN/ACJB7LqwB5FhML94uNY4n39i"
)
DOM0 = """\
outer: eth0
addresses: [192.0.2.2/24, "2001:db8:0:2::2/64"]
gateway: 192.0.2.1
gateway6: "2001:db8:0:2::1"
networks:
  - {name: xenbr0, ports: [eth0]}
  - {name: natbr0, mode: nat, addresses: [10.0.0.1/24, "fd00::1/64"], public: [192.0.2.20, 192.0.2.21]}
  - {name: routed, mode: routed, subnets: [203.0.113.0/28, "2001:db8:0:71::/64", 192.0.2.128/28]}
"""
BRIDGED = "ipv4: {address: 192.0.2.%d/24, gateway: 192.0.2.1}, ipv6: {address: '2001:db8:0:2::%d/64', gateway: '2001:db8:0:2::1'}"
ROUTED = "ipv4: {address: %s/32, gateway: 192.0.2.2}, ipv6: {address: '2001:db8:0:71::%d/128', gateway: 'fe80::1'}"
PRIVATE = "ipv4: {address: 10.0.0.%d/24, gateway: 10.0.0.1}, ipv6: {address: 'fd00::%d/64', gateway: 'fd00::1'}"
FORWARDS = """\
    forward:
      - {address: 192.0.2.20, ports: [8080], to: 80}
      - {address: 192.0.2.20, ports: [25, 1000-1002]}
"""
GUESTS = {
    "b1": f"nics: [{{mode: bridge, bridge: xenbr0, {BRIDGED % (10, 10)}}}]\n",
    "b2": f"nics: [{{mode: bridge, bridge: xenbr0, {BRIDGED % (11, 11)}}}]\n",
    "alone": f"nics: [{{mode: bridge, bridge: xenbr0, isolated: true, {BRIDGED % (12, 12)}}}]\n",
    "r1": f"nics: [{{mode: routed, {ROUTED % ('203.0.113.7', 7)}}}]\n",
    # an address of the provider's own segment: only dom0's answers make it reachable there
    "r2": f"nics: [{{mode: routed, {ROUTED % ('192.0.2.130', 8)}}}]\n",
    "n1": "nics:\n  - mode: nat\n    bridge: natbr0\n"
    "    ipv4: {address: 10.0.0.11/24, gateway: 10.0.0.1}\n    ipv6: none\n" + FORWARDS,
    "n2": f"nics: [{{mode: nat, bridge: natbr0, {PRIVATE % (12, 12)}}}]\n",
    "n3": f"nics: [{{mode: nat, bridge: natbr0, {PRIVATE % (13, 13)}, forward: [{{address: 192.0.2.21, protocol: all}}]}}]\n",
}


@dataclass
class Machine:
    """A dom0 with a site and a file system of its own."""

    world: World
    site: Path
    root: Path
    capsys: pytest.CaptureFixture[str] | None = None

    @property
    def dom0(self) -> Namespace:
        return self.world["dom0"]

    def domu(self, *words: str, status: int = app.FINE) -> str:
        """`domu network ...` in dom0, in this process; what it printed, on both streams."""
        assert self.capsys
        self.capsys.readouterr()
        app.load_commands()
        argv = ["--site", str(self.site), "network", *words, "--root", str(self.root)]
        with self.dom0.inside():
            ended = app.call(argv)
        shown = self.capsys.readouterr()
        assert ended == status, shown.out + shown.err
        return shown.out + shown.err

    def apply(self, *words: str) -> dict[str, Any]:
        """Apply at once and for good."""
        done: dict[str, Any] = json.loads(self.domu("apply", "--yes", "--json", *words))
        return done

    def vifs(self) -> dict[str, Vif]:
        """Those of the plan, by guest."""
        return {vif.guest: vif for vif in make_plan(Site(self.site)).plan.vifs}

    def start(self, *guests: str) -> None:
        """Start these guests: their vifs, Xen's scripts for these as the xl config says, and their own addresses."""
        for name in guests:
            vif = self.vifs()[name]
            words = dict(word.split("=", 1) for word in xl_words(vif))
            backend = f"vif{len(self.world.hosts)}.0"
            guest = self.world.guest(name, backend, vif.mac)
            script = words.pop("script", "vif-bridge")
            self.world.vif_script(script, backend, **words)
            for setting in (vif.nic.ipv4, vif.nic.ipv6):
                if isinstance(setting, Static4 | Static6):
                    _configure(guest, setting)


def _configure(guest: Namespace, setting: Static4 | Static6) -> None:
    """As the installer does: a gateway outside of the guest's network is reached on the link."""
    guest.ip(f"address add {setting.address} dev eth0")
    if setting.gateway:
        if setting.gateway.version == 4 and setting.gateway not in setting.address.network:
            guest.ip(f"route add {setting.gateway} dev eth0")
        guest.ip(f"-{setting.gateway.version} route add default via {setting.gateway} dev eth0")


def lay_site(folder: Path, dom0: str = DOM0, guests: Mapping[str, str] = GUESTS) -> Path:
    """The profiles, written."""
    profiles = folder / "profiles"
    profiles.mkdir(parents=True, exist_ok=True)
    for name, text in {"site": SITE, "dom0": dom0, **guests}.items():
        (profiles / f"{name}.yaml").write_text(text)
    return folder
