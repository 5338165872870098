"""Dom0s and their guests for tests of the network: a mixed site, one that sets every field, and made-up ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from builder.profile.load import LoadedSite, load_site
from builder.xen.network.check import check_network
from builder.xen.network.plan import NetworkPlan, plan_network
from tests.profiles import SITE, as_yaml, source

# Every field of every model of dom0.yaml, each with a sound value.
FULL_DOM0: dict[str, Any] = {
    "xen": "4.17",
    "suite": "bookworm",
    "memory": "2G",
    "network_manager": "networkd",
    "outer": "eth0",
    "addresses": ["192.0.2.2/24", "2001:db8::2/64"],
    "gateway": "192.0.2.1",
    "gateway6": "fe80::1",
    "dns": ["192.0.2.53"],
    "ssh_ports": [22, 2222],
    "installs_at_once": 2,
    "drill": {
        "subnet": "10.254.7.0/24",
        "proxy": "http://10.254.7.1:3142",
        "mirror": "http://mirror.example.org/debian",
        "after": True,
    },
    "networks": [
        {
            "name": "xenbr0",
            "mode": "bridge",
            "kind": "linux",
            "existing": False,
            "ports": ["eth0"],
            "vlan_aware": False,
            "mtu": 1500,
            "addresses": ["198.51.100.2/24"],
            "subnets": ["192.0.2.0/24"],
        },
        {"name": "lan100", "ports": ["eth1"], "vlan": 100},
        {"name": "routed", "mode": "routed", "outer": "eth0", "subnets": ["203.0.113.0/29"]},
        {"name": "natbr0", "mode": "nat", "addresses": ["10.0.0.1/24"], "public": ["203.0.113.10"], "dhcp": True},
    ],
}
# All three kinds of network at once, and a fourth whose bridge keeps VLANs apart.
DOM0: dict[str, Any] = {
    "outer": "eth0",
    "addresses": ["192.0.2.2/24", "2001:db8::2/64"],
    "gateway": "192.0.2.1",
    "gateway6": "fe80::1",
    "networks": [
        {"name": "xenbr0", "ports": ["eth0"], "subnets": ["192.0.2.0/24", "2001:db8::/64"]},
        {"name": "routed", "mode": "routed", "subnets": ["203.0.113.0/29", "192.0.2.128/28", "2001:db8:7::/64"]},
        {
            "name": "natbr0",
            "mode": "nat",
            "addresses": ["10.0.0.1/24", "fd00::1/64"],
            "public": ["203.0.113.10", "203.0.113.11", "2001:db8:51::5"],
        },
        {"name": "trunk", "ports": ["eth1"], "vlan_aware": True},
    ],
}
NICS: dict[str, list[dict[str, Any]]] = {
    "lan1": [{"bridge": "xenbr0", "ipv4": {"address": "192.0.2.10/24", "gateway": "192.0.2.1"}, "isolated": True}],
    "lan2": [{"bridge": "xenbr0"}],
    "edge1": [
        {
            "mode": "routed",
            "ipv4": {"address": "203.0.113.1/32"},
            "ipv6": {"address": "2001:db8:7::1/128"},
            "isolated": True,
        }
    ],
    "edge2": [{"mode": "routed", "ipv4": {"address": "192.0.2.130/32"}, "ipv6": "none", "antispoof": False}],
    "web1": [
        {
            "mode": "nat",
            "bridge": "natbr0",
            "ipv4": {"address": "10.0.0.5/24"},
            "ipv6": {"address": "fd00::5/64"},
            "forward": [
                {"address": "203.0.113.10", "ports": [80, 443, "8000-8010"]},
                {"address": "2001:db8:51::5", "protocol": "udp", "ports": [53], "to": 5353},
            ],
        }
    ],
    "web2": [
        {
            "mode": "nat",
            "bridge": "natbr0",
            "ipv4": {"address": "10.0.0.6/24"},
            "ipv6": "none",
            "isolated": True,
            "forward": [{"address": "203.0.113.11", "protocol": "all"}],
        }
    ],
    "tagged1": [{"bridge": "trunk", "vlan": 7}, {"bridge": "trunk", "vlan": 8, "ipv4": "none", "ipv6": "none"}],
}


def site(dom0: Mapping[str, Any] = DOM0, nics: Mapping[str, list[dict[str, Any]]] = NICS) -> LoadedSite:
    """A loaded site with this dom0.yaml and a guest for each entry of `nics`, judged as `domu check` does."""
    guests = {name: {**SITE, "nics": own, "dns": ["192.0.2.53"]} for name, own in nics.items()}
    loaded = load_site([source(stem, as_yaml(one)) for stem, one in {"dom0": dom0, **guests}.items()])
    return loaded.with_findings(check_network(loaded))


def plan(dom0: Mapping[str, Any] = DOM0, nics: Mapping[str, list[dict[str, Any]]] = NICS) -> NetworkPlan:
    """The plan of such a site; AssertionError when it has an error."""
    loaded = site(dom0, nics)
    assert [str(finding) for finding in loaded.findings if finding.severity.word == "error"] == []
    return plan_network(loaded.dom0, loaded.guests)


def found(loaded: LoadedSite) -> list[tuple[str, str]]:
    """Guest (or empty) and code of each finding about networks."""
    return [(finding.guest, finding.code) for finding in loaded.findings if finding.code.startswith("N")]


def _nic(mode: str, number: int, flags: tuple[bool, bool, bool], ports: list[int]) -> dict[str, Any]:
    """NIC `number` of all, of a mode; flags: IPv6, isolated, antispoof."""
    fixed6, isolated, antispoof = flags
    kept: dict[str, Any] = {"isolated": isolated, "antispoof": antispoof}
    if mode == "bridge":
        address = {"address": f"192.0.2.{16 + number}/24", "gateway": "192.0.2.1"}
        own6: Any = {"address": f"2001:db8::{16 + number:x}/64"} if fixed6 else "auto"
        return {"bridge": "xenbr0", "ipv4": address, "ipv6": own6, **kept}
    if mode == "dhcp":
        return {"bridge": "xenbr0", "ipv6": "none" if fixed6 else "auto", **kept}
    if mode == "routed":
        own6 = {"address": f"2001:db8:7::{number:x}/128"} if fixed6 else "none"
        return {"mode": "routed", "ipv4": {"address": f"192.0.2.{128 + number % 16}/32"}, "ipv6": own6, **kept}
    if mode == "tagged":
        return {"bridge": "trunk", "vlan": 2 + number, **kept}
    own6 = {"address": f"fd00::{16 + number:x}/64"} if fixed6 else "auto"
    # Ten ports to each guest, so that no two forward one.
    forward = [{"address": "203.0.113.10", "ports": [100 + 10 * number + port]} for port in ports]
    address = {"address": f"10.0.0.{16 + number}/24"}
    return {"mode": "nat", "bridge": "natbr0", "ipv4": address, "ipv6": own6, "forward": forward, **kept}


_KINDS = st.lists(
    st.tuples(
        st.sampled_from(["bridge", "dhcp", "routed", "tagged", "nat"]),
        st.tuples(st.booleans(), st.booleans(), st.booleans()),
        st.lists(st.integers(0, 9), max_size=3, unique=True),
    ),
    max_size=12,
)
# Guests with one NIC each, no two of them in conflict.
FLEETS: st.SearchStrategy[dict[str, list[dict[str, Any]]]] = _KINDS.map(
    lambda kinds: {
        f"g{number}": [_nic(mode, number, flags, ports)] for number, (mode, flags, ports) in enumerate(kinds)
    }
)
