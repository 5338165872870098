"""What forbids a ruleset, what nft prints in an order of its own, and who can be asked whether dom0 is still there."""

from __future__ import annotations

import pytest

from builder.errors import BuilderError
from builder.host.network.reach import Neighbour
from builder.profile.dom0 import Dom0
from builder.xen.change import check_ruleset, in_order
from builder.xen.live import Address, Link, Live, Route, link_local
from builder.xen.live_steps import steps
from builder.xen.live_target import Past, check_live, target_of
from builder.xen.network.nft import render_nft

OUTSIDE = Link("eth0", mac="52:54:00:00:00:01", mtu=1500, addresses=(Address("192.0.2.2", 24),))
NOW = Live({"eth0": OUTSIDE}, frozenset([Route(4, "default", "eth0", "192.0.2.1")]))
BRIDGED = Dom0.model_validate(
    {"addresses": ["192.0.2.2/24"], "gateway": "192.0.2.1", "networks": [{"name": "xenbr0", "ports": ["eth0"]}]}
)


@pytest.mark.parametrize(
    "text",
    [
        "flush ruleset\n",
        "table inet filter {\n}\n",
        "table ip domu {\n}\n",
        "delete table inet firewall\n",
        "add table inet domu; flush ruleset\n",
        "add rule inet filter input drop\n",
        'include "/etc/nftables.conf"\n',
        "table inet domu {\n    chain a {\n    }\n",
        "define x = 1\n",
    ],
)
def test_rules_about_anything_else_are_never_loaded(text: str) -> None:
    with pytest.raises(BuilderError):
        check_ruleset(text)


def test_rules_of_our_own_are() -> None:
    check_ruleset(render_nft(BRIDGED, ()))
    check_ruleset("# flush ruleset\nadd table inet domu\ndelete table inet domu\ntable inet domu {\n}\n")


def test_sets_are_compared_whatever_their_order() -> None:
    assert in_order('iifname vmap { "b" : goto x, "a" : goto y }') == 'iifname vmap { "a" : goto y, "b" : goto x }'
    assert in_order("chain a {\n    ip saddr { 2, 1 } drop\n}") == "chain a {\n    ip saddr { 1, 2 } drop\n}"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 0),
        ("mirror.example.org:80", "mirror.example.org", 80),
        ("2001:db8::1", "2001:db8::1", 0),
        ("[2001:db8::1]:3142", "2001:db8::1", 3142),
    ],
)
def test_who_has_to_answer(text: str, host: str, port: int) -> None:
    assert Neighbour.parse(text) == Neighbour(host, port)


@pytest.mark.parametrize("text", ["", "-I", "a b", "host:http", "[::1]", "x;y"])
def test_what_names_nobody(text: str) -> None:
    with pytest.raises(ValueError, match="no host"):
        Neighbour.parse(text)


def test_what_a_bridge_takes_over() -> None:
    target = target_of(BRIDGED, (), NOW, Past())
    bridge = target.live.links["xenbr0"]
    assert (bridge.mac, bridge.addresses) == (OUTSIDE.mac, OUTSIDE.addresses)
    assert target.live.links["eth0"].addresses == ()
    assert target.live.routes == {Route(4, "default", "xenbr0", "192.0.2.1")}
    assert target.scope == {"eth0", "xenbr0"}


def test_a_gateway_outside_of_dom0s_networks_is_on_the_link() -> None:
    alone = BRIDGED.model_copy(
        update={"addresses": (Dom0.model_validate({"addresses": ["198.51.100.9/32"]}).addresses)}
    )
    (route,) = target_of(alone, (), NOW, Past()).live.routes
    assert route.onlink


def test_there_and_back_is_nothing() -> None:
    target = target_of(BRIDGED, (), NOW, Past())
    there = Live({**NOW.links, **target.live.links}, target.live.routes)
    assert steps(there, target.live, target.scope).lines == ()
    back = target_of(Dom0(), (), there, Past(NOW, target.live))
    assert back.live == NOW
    assert back.scope == target.scope
    assert "link delete dev xenbr0" in steps(there, back.live, back.scope).links


def test_hardware_is_neither_made_nor_removed() -> None:
    with pytest.raises(BuilderError, match="eth0 is no bridge"):
        steps(NOW, Live({}, frozenset()), frozenset(["eth0"]))
    with pytest.raises(BuilderError, match="cannot make hardware"):
        steps(Live({}, frozenset()), NOW, frozenset(["eth0"]))


@pytest.mark.parametrize(
    ("link", "ports", "codes"),
    [
        (None, {}, []),
        (Link("xenbr0", "bridge"), {}, []),
        (Link("xenbr0", "bridge"), {"eth0": "xenbr0"}, []),
        (Link("xenbr0", "bridge"), {"web1.0": "xenbr0"}, []),
        (Link("xenbr0", "bridge"), {"tap0": "xenbr0"}, ["N402"]),
        (Link("xenbr0", "dummy"), {}, ["N402"]),
    ],
    ids=["no such interface", "no ports", "the same port", "a guest's vif", "another port", "no bridge"],
)
def test_whose_bridge_it_is(link: Link | None, ports: dict[str, str], codes: list[str]) -> None:
    links = {"eth0": OUTSIDE, **({"xenbr0": link} if link else {})}
    links |= {name: Link(name, master=master, mac="52:54:00:00:00:09") for name, master in ports.items()}
    found = check_live(BRIDGED, Live(links, frozenset()), made=(), vifs=["web1.0"])
    assert [one.code for one in found] == codes


def test_routes_that_cannot_be_put_back_are_refused() -> None:
    several = '[{"dst": "default", "nexthops": [{"gateway": "192.0.2.1"}, {"gateway": "192.0.2.3"}]}]'
    with pytest.raises(BuilderError, match="several next hops"):
        Live.parse("[]", "[]", {4: several}, "[]")


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(BuilderError, match="no JSON"):
        Live.parse("1: lo: <LOOPBACK>", "[]", {}, "[]")


def test_the_link_local_address_of_a_mac() -> None:
    assert str(link_local("00:16:3e:2b:31:31")) == "fe80::216:3eff:fe2b:3131"
