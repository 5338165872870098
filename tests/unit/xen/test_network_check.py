"""Conflicts in the network: each code, at the line that set the value, and no finding for what is sound."""

from __future__ import annotations

from typing import Any

import pytest

from tests.networks import DOM0, FULL_DOM0, NICS, found, site
from tests.profiles import changed, load

NAT: dict[str, Any] = {"mode": "nat", "bridge": "natbr0", "ipv4": {"address": "10.0.0.5/24"}, "ipv6": "none"}
OVS: dict[str, Any] = {"networks": [{"name": "ovs0", "kind": "openvswitch"}]}
WAN: dict[str, Any] = {"addresses": ["192.0.2.2/24"], "gateway": "192.0.2.1"}
PRIVATE: dict[str, Any] = {"name": "n0", "mode": "nat", "addresses": ["10.0.0.1/24"]}


def of_dom0(changes: dict[str, Any]) -> list[str]:
    return [code for guest, code in found(site({**changes}, {})) if not guest]


def test_the_mixed_site_is_sound() -> None:
    assert found(site()) == []
    assert found(site(FULL_DOM0, {})) == []


def test_without_networks_in_dom0_yaml_nics_are_taken_as_they_are() -> None:
    assert found(site({}, NICS)) == []
    assert found(load()) == []


@pytest.mark.parametrize(
    ("dom0", "codes"),
    [
        pytest.param({"networks": [{"name": "a"}, {"name": "a"}]}, ["N101"], id="two networks of one name"),
        pytest.param({"networks": [{"name": "eth0"}]}, ["N101"], id="a bridge of outer's name"),
        pytest.param({"networks": [{"name": "all"}, {"name": "lo"}]}, ["N101", "N101"], id="the kernel's names"),
        pytest.param({"networks": [{"name": "br.7"}]}, ["N101"], id="a bridge with a dot"),
        pytest.param({"networks": [{"name": "br.7", "existing": True}]}, [], id="a bridge with a dot, there already"),
        pytest.param(
            {"networks": [{"name": "a", "ports": ["eth1"]}, {"name": "b", "ports": ["eth1"]}]},
            ["N101"],
            id="a port twice",
        ),
        pytest.param(
            {"networks": [{"name": "a", "ports": ["e1"], "vlan": 1}, {"name": "b", "ports": ["e1"], "vlan": 2}]},
            [],
            id="a port's two VLANs",
        ),
        pytest.param(
            {"networks": [{"name": "a", "ports": ["e1"], "vlan": 1}, {"name": "b", "ports": ["e1"], "vlan": 1}]},
            ["N101"],
            id="a port's VLAN twice",
        ),
        pytest.param(
            {"networks": [{"name": "a"}, {"name": "b", "ports": ["a"]}]}, ["N101"], id="a bridge as another's port"
        ),
        pytest.param({"networks": [{**PRIVATE, "outer": "n0"}]}, ["N101"], id="its own way out"),
        pytest.param(
            {"networks": [{"name": "a", "ports": ["enp129s0f0np0"], "vlan": 100}]}, ["N102"], id="a VLAN's long name"
        ),
        pytest.param({"networks": [{"name": "a", "ports": ["eth0"]}]}, ["N103"], id="outer bridged, addresses unknown"),
        pytest.param(
            {"networks": [{"name": "a", "ports": ["eth0"], "existing": True}]}, [], id="outer bridged long since"
        ),
        pytest.param({"networks": [{"name": "a", "ports": ["eth0"], "vlan": 9}]}, [], id="a VLAN of outer"),
        pytest.param(
            {"network_manager": "networkd", "networks": [{**PRIVATE, "public": ["203.0.113.1"]}]},
            ["N103"],
            id="networkd, and outer's file is unknown",
        ),
        pytest.param({"networks": [{**PRIVATE, "public": ["203.0.113.1"]}]}, [], id="ifupdown adds to what is there"),
        pytest.param(
            {**WAN, "network_manager": "networkd", "networks": [{**PRIVATE, "outer": "e1", "public": ["203.0.113.1"]}]},
            ["N103"],
            id="networkd, and another interface's file is unknown",
        ),
        pytest.param({"gateway": "192.0.2.1"}, ["N104"], id="a gateway and no address"),
        pytest.param({**WAN, "gateway": "192.0.2.2"}, ["N104"], id="the gateway is dom0"),
        pytest.param({**WAN, "gateway": "198.51.100.1"}, ["N104"], id="the gateway is outside"),
        pytest.param({"addresses": ["192.0.2.2/32"], "gateway": "198.51.100.1"}, [], id="outside, as /32 has it"),
        pytest.param({"addresses": ["2001:db8::2/64"], "gateway6": "fe80::1"}, [], id="link-local"),
        pytest.param(
            {"networks": [PRIVATE, {**PRIVATE, "name": "n1", "addresses": ["10.0.0.2/16"]}]},
            ["N105"],
            id="private twice",
        ),
        pytest.param(
            {"addresses": ["10.0.0.2/16"], "networks": [PRIVATE]}, ["N105"], id="private and dom0's own outside"
        ),
        pytest.param(
            {"networks": [PRIVATE, {"name": "b", "subnets": ["10.0.0.0/8"]}]}, ["N105"], id="private and bridged"
        ),
        pytest.param(
            {**WAN, "networks": [{"name": "r", "mode": "routed", "subnets": ["192.0.2.128/28"]}]},
            [],
            id="routed, a part of dom0's own",
        ),
        pytest.param(
            {
                **WAN,
                "networks": [
                    {"name": "r", "mode": "routed", "subnets": ["203.0.113.0/28"]},
                    {"name": "s", "mode": "routed", "subnets": ["203.0.113.8/29"]},
                ],
            },
            ["N105"],
            id="routed twice",
        ),
        pytest.param(
            {"networks": [{"name": "a", "subnets": ["10.0.0.0/8"]}, {"name": "b", "subnets": ["10.0.0.0/8"]}]},
            [],
            id="bridged twice, not dom0's to route",
        ),
        pytest.param(
            {**WAN, "networks": [{"name": "a", "addresses": ["192.0.2.3/24"]}]},
            ["N105"],
            id="dom0 twice in one network",
        ),
        pytest.param({"addresses": ["192.0.2.2/24", "192.0.2.2/24"]}, ["N106"], id="dom0's address twice"),
        pytest.param({"addresses": ["192.0.2.0/24"]}, ["N106"], id="a whole network"),
        pytest.param({"addresses": ["192.0.2.255/24"]}, ["N106"], id="a broadcast address"),
        pytest.param({"addresses": ["224.0.0.1/24"]}, ["N106"], id="multicast"),
        pytest.param({"addresses": ["192.0.2.2/31"], "gateway": "192.0.2.3"}, [], id="a link of two"),
        pytest.param({**WAN, "networks": [{**PRIVATE, "public": ["192.0.2.1"]}]}, ["N107"], id="public gateway"),
        pytest.param({"networks": [{**PRIVATE, "public": ["10.0.0.1"]}]}, ["N107"], id="a private public address"),
        pytest.param({"networks": [{**PRIVATE, "public": ["127.0.0.1"]}]}, ["N107"], id="loopback"),
        pytest.param(
            {
                "networks": [
                    {**PRIVATE, "public": ["203.0.113.1"]},
                    {
                        "name": "m",
                        "mode": "nat",
                        "addresses": ["10.1.0.1/24"],
                        "outer": "e1",
                        "public": ["203.0.113.1"],
                    },
                ]
            },
            ["N107"],
            id="public on two interfaces",
        ),
        pytest.param({"networks": [{"name": "r", "mode": "routed"}]}, ["N108"], id="dom0's own addresses unknown"),
    ],
)
def test_what_dom0_yaml_says_alone(dom0: dict[str, Any], codes: list[str]) -> None:
    assert of_dom0(dom0) == codes


def forwarding(*forwards: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [{**NAT, **more, "forward": list(forwards)}]


@pytest.mark.parametrize(
    ("nics", "codes"),
    [
        pytest.param([{"bridge": "xenbr1"}], ["N201"], id="no such bridge"),
        pytest.param([{"mode": "nat", "bridge": "xenbr0"}], ["N201"], id="a bridge of another mode"),
        pytest.param([{"bridge": "routed"}], ["N201"], id="a routed network is no bridge"),
        pytest.param([{"mode": "routed", "ipv4": {"address": "198.51.100.7/32"}}], ["N201"], id="routed from nowhere"),
        pytest.param([{"bridge": "xenbr0", "ipv4": {"address": "192.0.2.2/24"}}], ["N203"], id="dom0's own address"),
        pytest.param([{"bridge": "xenbr0", "ipv4": {"address": "192.0.2.1/24"}}], ["N203"], id="dom0's gateway"),
        pytest.param([{**NAT, "ipv4": {"address": "10.0.0.1/24"}}], ["N203"], id="the private gateway"),
        pytest.param(
            [{"bridge": "xenbr0", "ipv4": {"address": "203.0.113.10/24"}}], ["N203", "N204"], id="a public address"
        ),
        pytest.param(
            [{"bridge": "xenbr0", "ipv6": {"address": "2001:db8:1::5/64"}}], ["N204"], id="outside the subnets"
        ),
        pytest.param([{**NAT, "ipv4": {"address": "10.0.1.5/24"}}], ["N204"], id="outside the private network"),
        pytest.param([{**NAT, "ipv4": {"address": "10.0.0.5/16"}}], ["N204"], id="another prefix length"),
        pytest.param(
            [{**NAT, "ipv4": {"address": "10.0.0.5/24", "gateway": "10.0.0.9"}}], ["N205"], id="another private gateway"
        ),
        pytest.param(
            [{"mode": "routed", "ipv4": {"address": "203.0.113.1/32", "gateway": "198.51.100.1"}}],
            ["N205"],
            id="a gateway that dom0 does not answer for",
        ),
        pytest.param(
            [{"mode": "routed", "ipv4": {"address": "203.0.113.1/32", "gateway": "192.0.2.1"}}],
            [],
            id="a gateway that dom0 answers for",
        ),
        pytest.param(forwarding({"address": "203.0.113.99", "ports": [80]}), ["N206"], id="not a public address"),
        pytest.param(forwarding({"address": "2001:db8:51::5", "ports": [80]}), ["N206"], id="no IPv6 to lead to"),
        pytest.param(forwarding({"address": "192.0.2.2", "ports": [80]}), [], id="a port of dom0's own address"),
        pytest.param(forwarding({"address": "192.0.2.2", "ports": ["20-25"]}), ["N208"], id="dom0's ssh"),
        pytest.param(forwarding({"address": "192.0.2.2", "protocol": "udp", "ports": [22]}), [], id="not dom0's ssh"),
        pytest.param(forwarding({"address": "192.0.2.2", "protocol": "all"}), ["N208"], id="dom0's whole address"),
        pytest.param(
            forwarding({"address": "203.0.113.10", "ports": [80]}, {"address": "203.0.113.10", "ports": ["79-81"]}),
            ["N207", "N207"],
            id="a port twice, by one guest",
        ),
        pytest.param(
            forwarding({"address": "203.0.113.10", "ports": [80]}, {"address": "203.0.113.10", "protocol": "all"}),
            ["N207", "N207"],
            id="a port and the whole",
        ),
        pytest.param(
            forwarding(
                {"address": "203.0.113.10", "ports": [53]},
                {"address": "203.0.113.10", "protocol": "udp", "ports": [53]},
            ),
            [],
            id="a port of two protocols",
        ),
        pytest.param([{"bridge": "xenbr0", "vlan": 7}], ["N209"], id="no VLANs there"),
        pytest.param([{"bridge": "trunk", "vlan": 7}], [], id="VLANs there"),
        pytest.param([{**NAT, "ipv4": "none", "isolated": True}], ["N210"], id="isolated, known by nothing"),
        pytest.param([{**NAT, "ipv4": "dhcp"}], ["N212"], id="DHCP behind NAT"),
    ],
)
def test_what_a_nic_and_dom0_cannot_both_say(nics: list[dict[str, Any]], codes: list[str]) -> None:
    loaded = site(nics={"a": nics})
    assert found(loaded) == [("a", code) for code in codes]
    assert all(finding.place.file == "profiles/a.yaml" and finding.place.column > 1 for finding in loaded.findings
               if finding.code.startswith("N"))  # fmt: skip


def test_behind_nat_each_nic_without_an_address_is_told_a_free_one() -> None:
    """Without 10.0.0.1, dom0's, and 10.0.0.3, a guest's; and where a server answers, nobody is told anything."""
    fixed = {**NAT, "ipv4": {"address": "10.0.0.3/24"}}
    nics = {"a": [{**NAT, "ipv4": "dhcp"}], "b": [fixed], "c": [{**NAT, "ipv4": "dhcp"}]}
    hints = [one.hint.partition(";")[0] for one in site(nics=nics).findings if one.code == "N212"]
    assert hints == ["write ipv4: {address: 10.0.0.2/24}", "write ipv4: {address: 10.0.0.4/24}"]
    full = {"name": "natbr0", "mode": "nat", "addresses": ["10.0.0.1/32"]}
    (finding,) = [one for one in site({"networks": [full]}, {"a": nics["a"]}).findings if one.code == "N212"]
    assert finding.hint.startswith("write ipv4: none;")
    assert found(site({"networks": [{**full, "dhcp": True}]}, {"a": nics["a"]})) == []


def test_isolation_on_a_bridge_with_no_way_out_known() -> None:
    existing = {"networks": [{"name": "br0", "existing": True}]}
    assert found(site(existing, {"a": [{"bridge": "br0", "isolated": True}]})) == [("a", "N210")]
    existing["networks"][0] |= {"ports": ["eth1"]}
    assert found(site(existing, {"a": [{"bridge": "br0", "isolated": True}]})) == []


def test_open_vswitch_keeps_vlans_apart_and_no_guests() -> None:
    nics = {"a": [{"bridge": "ovs0", "vlan": 7, "isolated": True}], "b": [{"bridge": "ovs0", "antispoof": False}]}
    assert sorted(found(site(OVS, nics))) == [("a", "N210"), ("a", "N211")]


def test_a_port_that_two_guests_forward_is_told_to_both() -> None:
    nics = {
        name: forwarding({"address": "203.0.113.10", "ports": [80]}, ipv4={"address": f"10.0.0.{number}/24"})
        for number, name in enumerate(("a", "b"), 5)
    }
    loaded = site(nics=nics)
    assert found(loaded) == [("a", "N207"), ("b", "N207")]
    assert "forwarded to b (profiles/b.yaml:1:" in loaded.findings[0].message
    assert loaded.guests == ()


def test_vifs_that_would_have_one_name() -> None:
    # Shortened names end in four hexadecimal digits, so two of some hundreds are alike.
    from builder.xen.network.vif import vif_name

    seen: dict[str, str] = {}
    for number in range(5000):
        name = f"webserver-{number}"
        if (other := seen.setdefault(vif_name(name, 0), name)) != name:
            loaded = site({}, {name: [{"bridge": "x"}], other: [{"bridge": "x"}]})
            assert sorted(found(loaded)) == sorted([(name, "N202"), (other, "N202")])
            break
    else:
        pytest.fail("no two names were alike")


def test_a_vif_of_dom0s_own_name_and_a_mac_of_its_bridge() -> None:
    from builder.xen.network.devices import derived_bridge_mac

    dom0 = {"outer": "a.0", "networks": [{"name": "br0"}, {**PRIVATE}]}
    mac = derived_bridge_mac("n0")
    loaded = site(dom0, {"a": [{"bridge": "br0"}], "b": [{"bridge": "br0", "mac": mac}]})
    assert found(loaded) == [("a", "N202"), ("b", "N202")]


def test_an_error_in_dom0_yaml_stops_every_guest_at_its_line() -> None:
    loaded = site(changed(DOM0, ("gateway",), "192.0.2.2"))
    assert loaded.guests == ()
    (finding,) = [one for one in loaded.findings if one.code == "N104"]
    assert str(finding.place).startswith("profiles/dom0.yaml:1:")
    assert finding in loaded.findings_for("web1")
