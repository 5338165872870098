"""What a plan holds where no program here can read it: Open vSwitch, VLANs, and the order of commands."""

from __future__ import annotations

from typing import Any

import pytest

from builder.profile.dom0 import Dom0
from builder.xen.network.places import INTERFACES, NETWORKD
from builder.xen.network.plan import NetworkPlan
from tests.networks import DOM0, plan

WAN: dict[str, Any] = {"addresses": ["192.0.2.2/24"], "gateway": "192.0.2.1"}
SWITCH: dict[str, Any] = {**WAN, "networks": [{"name": "ovs0", "kind": "openvswitch", "ports": ["eth0"]}]}


def texts(made: NetworkPlan) -> dict[str, str]:
    return {one.path: one.text for one in made.files}


def argvs(made: NetworkPlan, program: str) -> list[str]:
    return [" ".join(one.argv) for one in made.commands if one.argv[0] == program]


def test_open_vswitch_is_asked_for_its_bridges() -> None:
    made = plan(SWITCH, {})
    asked = [f"ovs-vsctl --timeout=15 -- --may-exist {words}" for words in ("add-br ovs0", "add-port ovs0 eth0")]
    assert argvs(made, "ovs-vsctl") == asked
    assert not [line for line in argvs(made, "ip") if "type bridge" in line or "master" in line]
    for line in asked:
        assert f"    pre-up {line}\n" in texts(made)[INTERFACES]
    assert "ip address replace 192.0.2.2/24 dev ovs0" in argvs(made, "ip")


def test_open_vswitch_keeps_its_bridges_itself_under_networkd() -> None:
    files = texts(plan({**SWITCH, "network_manager": "networkd"}, {}))
    assert sorted(path for path in files if path.startswith(NETWORKD)) == [
        f"{NETWORKD}/50-domu-eth0.network",
        f"{NETWORKD}/50-domu-ovs0.network",
    ]
    assert "Bridge=" not in files[f"{NETWORKD}/50-domu-eth0.network"]


def test_guests_on_open_vswitch_have_no_rules_that_would_see_nothing() -> None:
    made = plan(SWITCH, {"a": [{"bridge": "ovs0", "antispoof": False}]})
    assert "chain" not in made.ruleset
    assert [one.name for one in made.sysctls] == []


def test_a_vlan_is_made_and_plugged_in() -> None:
    made = plan({"networks": [{"name": "lan", "ports": ["eth1"], "vlan": 100, "mtu": 9000}]}, {})
    lines = argvs(made, "ip")
    assert lines.index("ip link set dev eth1 mtu 9000 up") < lines.index(
        "ip link add link eth1 name eth1.100 type vlan id 100"
    )
    assert "ip link set dev eth1.100 master lan" in lines
    assert made.owned == ("lan", "eth1.100")


@pytest.mark.parametrize("manager", ["ifupdown", "networkd"])
def test_trunks_carry_the_vlans_that_guests_are_in(manager: str) -> None:
    dom0 = {"network_manager": manager, "networks": [{"name": "trunk", "ports": ["eth1"], "vlan_aware": True}]}
    nics = {
        "a": [{"bridge": "trunk", "vlan": 7}, {"bridge": "trunk", "vlan": 9}],
        "b": [{"bridge": "trunk", "vlan": 7}],
    }
    made = plan(dom0, nics)
    assert argvs(made, "bridge") == ["bridge vlan add dev eth1 vid 7", "bridge vlan add dev eth1 vid 9"]
    files = texts(made)
    if manager == "networkd":
        assert files[f"{NETWORKD}/50-domu-eth1.network"].endswith("[BridgeVLAN]\nVLAN=7\n\n[BridgeVLAN]\nVLAN=9\n")
        assert "VLANFiltering=yes\n" in files[f"{NETWORKD}/50-domu-trunk.netdev"]
    else:
        assert files[INTERFACES].count("bridge vlan add dev eth1") == 2
        assert "vlan_filtering 1\n" in files[INTERFACES]


def test_a_bridge_that_is_there_already_is_left_alone() -> None:
    dom0 = {**WAN, "networks": [{"name": "br0", "ports": ["eth0"], "existing": True}]}
    made = plan(dom0, {"a": [{"bridge": "br0", "isolated": True}]})
    assert made.owned == ()
    assert argvs(made, "ip") == []
    assert INTERFACES not in texts(made)
    assert 'iifname "a.0" oifname != "eth0" drop' in made.ruleset


def test_public_addresses_are_on_the_bridge_that_outer_is_a_port_of() -> None:
    private = {"name": "natbr0", "mode": "nat", "addresses": ["10.0.0.1/24"], "public": ["203.0.113.1", "192.0.2.2"]}
    for networks, device in (
        ([private], "eth0"),
        ([private, {"name": "br0", "ports": ["eth0"]}], "br0"),
        ([private, {"name": "br0", "ports": ["eth0"], "existing": True}], "br0"),
        ([private, {"name": "br0", "ports": ["eth0"], "vlan": 7}], "eth0"),
    ):
        made = plan({**WAN, "networks": networks}, {})
        held = [line for line in argvs(made, "ip") if "203.0.113.1/32" in line]
        assert held == [f"ip address replace 203.0.113.1/32 dev {device}"]
        assert f'oifname "{device}" masquerade' in made.ruleset
        assert not [line for line in argvs(made, "ip") if "192.0.2.2/32" in line]


def test_rules_come_before_forwarding_and_router_advertisements_before_both() -> None:
    dom0 = {key: value for key, value in DOM0.items() if key != "gateway6"}
    made = plan(dom0)
    order = [" ".join(one.argv) for one in made.commands]
    places = [
        next(number for number, line in enumerate(order) if part in line)
        for part in ("nft --file", "xenbr0/accept_ra=2", "ipv6/conf/all/forwarding=1", "sh /etc/xen")
    ]
    assert places == sorted(places)
    assert not [one for one in plan().sysctls if "accept_ra" in one.name]


def test_what_is_undone_leaves_dom0_as_it_was() -> None:
    """Undone in reverse, the port leaves the bridge, has its address again, then the default route, and then it goes."""
    made = plan({**WAN, "networks": [{"name": "br0", "ports": ["eth0"]}]}, {})
    undone = [" ".join(one.undo) for one in reversed(made.commands) if one.undo]
    assert undone == [
        "ip address replace 192.0.2.2/24 dev eth0",
        "ip link set dev eth0 nomaster",
        "ip -4 route replace default via 192.0.2.1 dev eth0 onlink",
        "ip link delete dev br0",
    ]


def test_devices_of_dom0() -> None:
    dom0 = Dom0.model_validate(SWITCH)
    assert dom0.device_of("eth0") == "ovs0"
    assert dom0.device_of("eth1") == "eth1"


def test_packages_are_those_that_the_plan_calls() -> None:
    assert plan().packages == ("ifupdown", "iproute2", "net-tools", "nftables")
    assert plan({**SWITCH, "network_manager": "networkd"}, {}).packages == (
        "iproute2",
        "nftables",
        "openvswitch-switch",
    )
