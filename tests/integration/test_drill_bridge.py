"""The bridge of drills made by the real ip and sysctl in a dom0 that routes: a guest on it reaches dom0 and no further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from builder.errors import RefusalError
from builder.host.drill_bridge import check_place, is_bridge_there, make_bridge, remove_bridge
from builder.host.run import LIMIT, Completed, run
from builder.plan import drill as planned
from builder.plan.drill import BRIDGE
from builder.profile.dom0 import Drill
from tests.netns import FAR4, World, world

DRILL = Drill()
GUEST = "10.254.0.2"


@dataclass
class Dom0:
    """The world, and programs run in its dom0."""

    world: World

    def __call__(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        return run(("ip", "netns", "exec", self.world["dom0"].name, *argv), stdin=stdin, limit=limit, env=env)

    def make(self) -> None:
        check_place(BRIDGE, DRILL.subnet, self)
        make_bridge(planned.make_bridge(DRILL), self)

    def remove(self) -> None:
        remove_bridge(BRIDGE, planned.remove_bridge(), self)


@pytest.fixture
def dom0(tmp_path: Path) -> Iterator[Dom0]:
    """It routes for other guests, and the outside knows the way to the subnet: only the bridge is in between."""
    with world(tmp_path) as made:
        made["dom0"].sysctl(net__ipv4__ip_forward="1")
        made["router"].ip(f"route add {DRILL.subnet} via 192.0.2.2")
        yield Dom0(made)


def test_a_guest_on_it_reaches_dom0_and_nobody_else(dom0: Dom0) -> None:
    dom0.make()
    guest = dom0.world.guest("web1-drill", "vif1.0", "00:16:3e:00:00:01")
    dom0.world["dom0"].ip(f"link set vif1.0 master {BRIDGE}")
    dom0.world["dom0"].ip("link set vif1.0 up")
    guest.ip(f"address add {GUEST}/24 dev eth0")
    guest.ip(f"route add default via {DRILL.own.ip}")  # it has none; were it to make itself one
    assert guest.pings(str(DRILL.own.ip))
    assert guest.gets_nothing("192.0.2.1")
    assert guest.gets_nothing(FAR4)
    assert dom0.world["client"].gets_nothing(GUEST)
    # What kept it back is the bridge's own setting.
    dom0.world["dom0"].run("sysctl", "-q", "-w", f"net/ipv4/conf/{BRIDGE}/forwarding=1")
    assert guest.pings(FAR4)


def test_it_has_dom0s_address_and_no_ipv6_and_goes_without_a_trace(dom0: Dom0) -> None:
    before = dom0.world["dom0"].shown("address show")
    dom0.make()
    (shown,) = dom0.world["dom0"].shown(f"address show dev {BRIDGE}")
    assert [(one["family"], one["local"], one["prefixlen"]) for one in shown["addr_info"]] == [
        ("inet", "10.254.0.1", 24)
    ]
    assert is_bridge_there(BRIDGE, dom0)
    dom0.remove()
    assert not is_bridge_there(BRIDGE, dom0)
    assert dom0.world["dom0"].shown("address show") == before
    dom0.remove()


def test_a_bridge_that_is_there_is_not_taken(dom0: Dom0) -> None:
    dom0.world["dom0"].ip(f"link add name {BRIDGE} type bridge")
    with pytest.raises(RefusalError) as caught:
        dom0.make()
    assert [finding.code for finding in caught.value.findings] == ["G149"]


@pytest.mark.parametrize(
    "route", ["10.254.0.0/25 dev eth0", "10.0.0.0/8 via 192.0.2.1", "10.254.0.77 dev eth0"], ids=lambda one: one[:11]
)
def test_a_subnet_that_dom0_reaches_is_not_taken(dom0: Dom0, route: str) -> None:
    dom0.world["dom0"].ip(f"route add {route}")
    with pytest.raises(RefusalError) as caught:
        dom0.make()
    assert [finding.code for finding in caught.value.findings] == ["G149"]
    assert not is_bridge_there(BRIDGE, dom0)


def test_other_routes_are_in_nobodys_way(dom0: Dom0) -> None:
    dom0.world["dom0"].ip("route add 10.255.0.0/16 via 192.0.2.1")
    dom0.world["dom0"].ip("route add blackhole 10.253.0.0/16")
    check_place(BRIDGE, IPv4Network("10.254.0.0/24"), dom0)
