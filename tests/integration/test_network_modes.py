"""All three kinds of network at once on one dom0, laid by `domu network apply`, in network namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.cli import app
from tests.netns import EVERYWHERE, FAR4, FAR6, LAN4, LAN6, Namespace, World, world
from tests.netsite import GUESTS, Machine, lay_site

ALL4 = [pytest.param(name, FAR4, id=f"{name}-v4") for name in GUESTS]
ALL6 = [pytest.param(name, FAR6, id=f"{name}-v6") for name in GUESTS if name != "n1"]
# guest -> how the world sees what it sends
SEEN_AS = {
    ("b1", FAR4): "192.0.2.10",
    ("r1", FAR4): "203.0.113.7",
    ("r2", FAR4): "192.0.2.130",
    ("n1", FAR4): "192.0.2.2",
    ("n2", FAR4): "192.0.2.2",
    ("n3", FAR4): "192.0.2.21",
    ("b1", FAR6): "2001:db8:0:2::10",
    ("r1", FAR6): "2001:db8:0:71::7",
    ("n2", FAR6): "2001:db8:0:2::2",
}
# address and port that the client asks -> the guest's port that answers
OPEN = {
    ("b1", 80): ("192.0.2.10", 80),
    ("r1", 80): ("203.0.113.7", 80),
    ("r2", 80): ("192.0.2.130", 80),
    ("n1", 80): ("192.0.2.20", 8080),
    ("n1", 25): ("192.0.2.20", 25),
    ("n1", 1001): ("192.0.2.20", 1001),
    ("n3", 4321): ("192.0.2.21", 4321),
}
OWN = {"b1": "192.0.2.10", "b2": "192.0.2.11", "r1": "203.0.113.7", "r2": "192.0.2.130", "n1": "10.0.0.11",
       "n2": "10.0.0.12", "n3": "10.0.0.13", "alone": "192.0.2.12"}  # fmt: skip
OWN6 = {"b1": f"{LAN6}::10", "b2": f"{LAN6}::11", "r1": "2001:db8:0:71::7", "alone": f"{LAN6}::12", "n2": "fd00::12"}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Applied once, with every guest running."""
    folder = tmp_path_factory.mktemp("network")
    with world(folder) as made:
        _provider(made)
        laid = Machine(made, lay_site(folder / "site"), folder / "root")
        app.load_commands()
        with laid.dom0.inside():
            argv = ["--site", str(laid.site), "network", "apply", "--yes", "--root", str(laid.root)]
            assert app.call(argv) == app.FINE
        laid.start(*GUESTS)
        yield laid


def _provider(made: World) -> None:
    """The provider routes two networks to dom0."""
    made["router"].ip("route add 203.0.113.0/28 via 192.0.2.2")
    made["router"].ip("-6 route add 2001:db8:0:71::/64 via 2001:db8:0:2::2")


def far(machine: Machine) -> Namespace:
    return machine.world["client"]


@pytest.mark.parametrize(("name", "address"), [*ALL4, *ALL6])
def test_every_guest_reaches_the_world(machine: Machine, name: str, address: str) -> None:
    assert machine.world[name].pings(address)


@pytest.mark.parametrize(("name", "address"), SEEN_AS, ids=str)
def test_the_world_sees_the_address_that_it_should(machine: Machine, name: str, address: str) -> None:
    with far(machine).serving(address, 80):
        assert machine.world[name].asks(address, 80) == SEEN_AS[name, address]


@pytest.mark.parametrize(("name", "port"), OPEN, ids=str)
def test_the_world_reaches_guests_and_they_see_who_it_is(machine: Machine, name: str, port: int) -> None:
    with machine.world[name].serving(EVERYWHERE, port):
        assert far(machine).asks(*OPEN[name, port]) == FAR4


@pytest.mark.parametrize(("name", "address"), [("b1", f"{LAN6}::10"), ("r1", "2001:db8:0:71::7")])
def test_the_world_reaches_guests_by_ipv6(machine: Machine, name: str, address: str) -> None:
    with machine.world[name].serving("::", 80):
        assert far(machine).asks(address, 80) == FAR6


def test_ports_that_are_not_forwarded_stay_closed(machine: Machine) -> None:
    with machine.world["n1"].serving(EVERYWHERE, 22):
        assert far(machine).asks("192.0.2.20", 22, patience=0.4) is None


def test_nobody_comes_into_a_private_network_by_its_own_addresses(machine: Machine) -> None:
    router = machine.world["router"]
    router.ip("route add 10.0.0.0/24 via 192.0.2.2")  # a hostile neighbour can do this
    try:
        with machine.world["n1"].serving(EVERYWHERE, 80):
            assert router.asks("10.0.0.11", 80, patience=0.4) is None
            assert machine.world["b1"].asks("10.0.0.11", 80, patience=0.4) is None
    finally:
        router.ip("route delete 10.0.0.0/24")


@pytest.mark.parametrize("name", ["n1", "n2"])
def test_hairpin(machine: Machine, name: str) -> None:
    """A guest of the private network, even the server itself, reaches it by the public address."""
    with machine.world["n1"].serving(EVERYWHERE, 80):
        assert machine.world[name].asks("192.0.2.20", 8080) is not None


def test_dom0_itself_reaches_what_it_forwards(machine: Machine) -> None:
    with machine.world["n1"].serving(EVERYWHERE, 80):
        assert machine.dom0.asks("192.0.2.20", 8080) is not None


@pytest.mark.parametrize("other", ["b2", "r1", "r2"])
def test_guests_of_public_networks_reach_each_other(machine: Machine, other: str) -> None:
    assert machine.world["b1"].pings(OWN[other])


@pytest.mark.parametrize("other", [name for name in OWN if name not in {"alone", "n1", "n2", "n3"}])
def test_an_isolated_guest_reaches_no_other_and_none_reaches_it(machine: Machine, other: str) -> None:
    assert machine.world["alone"].gets_nothing(OWN[other])
    assert machine.world[other].gets_nothing(OWN["alone"])


@pytest.mark.parametrize("other", ["b1", "r1"])
def test_an_isolated_guest_is_alone_in_ipv6_too(machine: Machine, other: str) -> None:
    assert machine.world["alone"].gets_nothing(OWN6[other])
    assert machine.world[other].gets_nothing(OWN6["alone"])


@pytest.mark.parametrize("address", ["203.0.113.7", "192.0.2.130"])
def test_dom0_answers_for_routed_guests(machine: Machine, address: str) -> None:
    """Proxy ARP on the segment, with the MAC that the segment knows dom0 by."""
    assert machine.world["router"].mac_of(address, "lan") == machine.dom0.shown("link show dev xenbr0")[0]["address"]


def test_dom0_answers_a_routed_guest_for_its_gateway(machine: Machine) -> None:
    assert machine.world["r1"].mac_of(f"{LAN4}.2") is not None


def test_dom0_does_not_answer_for_what_is_nobodys(machine: Machine) -> None:
    assert machine.world["router"].mac_of("192.0.2.131", "lan") is None


@pytest.mark.parametrize("name", ["b1", "r1", "n2"])
@pytest.mark.parametrize("kind", ["address", "mac", "ipv6"])
def test_a_guest_with_anothers_address_gets_nothing_through(machine: Machine, name: str, kind: str) -> None:
    """It has taken the address, so that its kernel uses it; taken away again, everything works as before."""
    guest = machine.world[name]
    own = guest.shown("link show dev eth0")[0]["address"]
    stolen = {"address": f"{LAN4}.77/24", "ipv6": f"{LAN6}::77/64", "mac": "00:16:3e:66:66:66"}[kind]
    far_end, ours = (FAR6, OWN6[name]) if kind == "ipv6" else (FAR4, OWN[name])
    assert guest.pings(far_end, source=ours)
    if kind == "mac":
        guest.ip(f"link set dev eth0 address {stolen}")
        source = ours
    else:
        guest.ip(f"address add {stolen} dev eth0 " + ("nodad" if kind == "ipv6" else ""))
        source = stolen.partition("/")[0]
    try:
        assert guest.gets_nothing(far_end, source=source)
        assert machine.world["router"].mac_of(f"{LAN4}.77", "lan") is None  # nor does it answer for it
    finally:
        if kind == "mac":
            guest.ip(f"link set dev eth0 address {own}")
        else:
            guest.ip(f"address delete {stolen} dev eth0")
    assert guest.pings(far_end, source=ours)


def test_a_guest_cannot_speak_for_anothers_ipv4_address(machine: Machine) -> None:
    """ARP replies that nobody asked for reach nobody: the router keeps who it knew."""
    router, thief = machine.world["router"], machine.world["b2"]
    assert router.pings(OWN["b1"])
    known = {one["dst"]: one.get("lladdr") for one in router.shown("neighbour show dev lan")}
    thief.ip("address add 192.0.2.10/32 dev eth0")
    try:
        thief.run("arping", "-U", "-c", "2", "-w", "2", "-I", "eth0", "192.0.2.10", check=False)
    finally:
        thief.ip("address delete 192.0.2.10/32 dev eth0")
    now = {one["dst"]: one.get("lladdr") for one in router.shown("neighbour show dev lan")}
    assert now["192.0.2.10"] == known["192.0.2.10"]


def test_files_are_what_the_plan_says(machine: Machine) -> None:
    from builder.host.site import Site
    from builder.workflows.network import plan

    for one in plan(Site(machine.site)).plan.files:
        written = Path(machine.root / one.path.lstrip("/"))
        assert (written.read_text(), written.stat().st_mode & 0o777) == (one.text, one.mode)
