"""From any state of bridges, ports, addresses and routes to any other, in a real kernel, and back again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from builder.host.network.act import reach
from builder.host.network.look import look_live
from builder.host.run import run
from builder.xen.live import Address, Link, Live, Route
from builder.xen.live_steps import steps
from tests.netns import Namespace, world

PORTS = ("p0", "p1")
BRIDGES = ("b0", "b1")
SCOPE = frozenset((*PORTS, *BRIDGES))
ADDRESSES = [Address("10.1.0.1", 24), Address("10.1.0.2", 24), Address("10.2.0.1", 32, broadcast=""),
             Address("10.3.0.1", 24, broadcast="10.3.0.255"), Address("fd00::1", 64), Address("fd01::1", 128),
             Address("fe80::1", 64)]  # fmt: skip


@st.composite
def states(draw: st.DrawFn) -> Live:
    """Ports in bridges or not, each address on one interface at most, a default route where it can be."""
    bridges = draw(st.sets(st.sampled_from(BRIDGES)))
    places = [*PORTS, *sorted(bridges)]
    held: dict[str, list[Address]] = {name: [] for name in places}
    for address in draw(st.permutations(ADDRESSES)):
        if place := draw(st.sampled_from(["", *places])):
            held[place].append(address)
    links = {}
    for name in places:
        plugged = draw(st.sampled_from(["", *sorted(bridges)])) if name in PORTS else ""
        links[name] = Link(
            name,
            kind="veth" if name in PORTS else "bridge",
            up=True if held[name] else draw(st.booleans()),
            master=plugged,
            mtu=draw(st.sampled_from([1400, 1500])) if name in PORTS else None,
            addresses=tuple(held[name]),
        )
    routes = [
        Route(4, "default", name, "10.1.0.254")
        for name in places
        if any(one.local.startswith("10.1.") for one in held[name])
    ]
    more = [Route(6, "fd09::/64", name, "fd00::9", metric=1024) for name in places if ADDRESSES[4] in held[name]]
    proxies = frozenset(("10.9.0.9", name) for name in places if draw(st.booleans()))
    return Live(links, frozenset([*routes[:1], *more]), proxies)


@pytest.fixture(scope="module")
def dom0(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    with world(tmp_path_factory.mktemp("steps")) as made:
        for name in PORTS:
            made["dom0"].ip(f"link add {name} type veth peer name {name}x")
        made["dom0"].ip("route delete default")  # there is one default route of a metric
        yield made["dom0"]


@settings(
    max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=states(), second=states())
def test_from_any_state_to_any_other_and_back(dom0: Namespace, first: Live, second: Live) -> None:
    with dom0.inside():
        reach(run, first, SCOPE)
        before = look_live(run)
        reach(run, second, SCOPE)
        now = look_live(run)
        assert steps(now, second, SCOPE).lines == ()
        assert {name: keys(now, name) for name in second.links} == {name: keys(second, name) for name in second.links}
        assert BRIDGES[0] in second.links or BRIDGES[0] not in now.links
        reach(run, before.only(SCOPE), SCOPE)
        after = look_live(run)
        assert after.links.keys() == before.links.keys()
        assert [name for name, one in after.links.items() if comparable(one) != comparable(before.links[name])] == []
        assert (after.routes, after.proxies) == (before.routes, before.proxies)  # of other interfaces, too


def comparable(link: Link) -> Link:
    """A bridge's MAC is that of some port, or chance; the kernel shows the IPv6 address first that came last."""
    link = replace(link, addresses=tuple(sorted(link.addresses)))
    return replace(link, mac=None) if link.kind == "bridge" else link


def keys(live: Live, name: str) -> set[tuple[str, int, str]]:
    return {one.key for one in live.links[name].addresses}


def test_a_failing_step_is_named(dom0: Namespace, tmp_path: Path) -> None:
    from builder.errors import BuilderError

    beyond = Live({}, frozenset([Route(4, "default", "p0", "10.77.0.1")]))
    with dom0.inside(), pytest.raises(BuilderError, match="a step on the interfaces failed"):
        reach(run, Live({**look_live(run).only(PORTS).links}, beyond.routes), frozenset(PORTS))
