"""From one state of dom0's interfaces to another, as lines for `ip -batch`: the same way forth and back.

Links and addresses come first; routes and proxies in a later round, from a fresh look, as the kernel takes routes
away with addresses. What Open vSwitch's database has comes before both, in one transaction, once its ports are free.
The rounds end when nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from builder.errors import BuilderError
from builder.xen.live import FOREVER, Address, Link, Live, Route
from builder.xen.live_switches import KIND, USER_SPACE, commands_of, transaction

# Kinds that are made by a command and gone with one; all others are hardware, or somebody's.
MADE = {"bridge", "vlan"}
_BY_HAND = "see to it by hand (ip link), then run this again"
_NO_MAC = "00:00:00:00:00:00"  # of a bridge that lost its last port
# With its family said by the destination, a route needs no option of `ip`, which a batch has only one of.
_SHOWN_AS = {"default": {4: "0.0.0.0/0", 6: "::/0"}}


@dataclass(frozen=True, slots=True)
class Round:
    """What is left to do, in the order of doing; all empty when the target is reached.

    `switch`: words for `ovs-vsctl`; `first`: lines that have to come before it.
    """

    links: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    switch: tuple[str, ...] = ()
    first: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """Those for `ip` for now: links until they are right, then routes."""
        return self.first or self.links or self.routes

    @property
    def commands(self) -> tuple[str, ...]:
        """Everything, in order, as people read it."""
        told = (f"ovs-vsctl {one}" for one in commands_of(self.switch))
        return (
            *(f"ip {line}" for line in self.first),
            *told,
            *(f"ip {line}" for line in (*self.links, *self.routes)),
        )

    def __str__(self) -> str:
        return "; ".join(self.commands)


def steps(now: Live, target: Live, scope: AbstractSet[str]) -> Round:
    """What leads from `now` to `target`; interfaces outside of `scope` are left alone, as are their routes."""
    plugged = frozenset(name for one in target.switches.values() for name in one.port_names & scope)
    early = {name for name in plugged & target.links.keys() if target.links[name].parent in now.links}
    first = [*_unplugged(now, plugged), *_additions(now, target, early)]
    free = {name for name, link in now.links.items() if not link.master or name in scope}
    links = [
        *_deletions(now, target, scope),
        *_additions(now, target, scope - early),
        # Before a link goes down, as its IPv6 addresses go with it.
        *_addresses_away(now, target, scope),
        *_settings(now, target, scope),
        *_addresses_new(now, target, scope),
    ]
    switch = transaction(now.switches, target.switches, scope, free)
    routes = (*_routes(now, target, scope), *_proxies(now, target, scope))
    return Round(tuple(links), routes, switch, tuple(first))


def _unplugged(now: Live, plugged: AbstractSet[str]) -> Iterator[str]:
    """Out of the kernel's own bridges, whose ports Open vSwitch does not get."""
    for name in sorted(plugged & now.links.keys()):
        if (master := now.links[name].master) and master not in now.switches:
            yield f"link set dev {name} nomaster"


def _deletions(now: Live, target: Live, scope: AbstractSet[str]) -> Iterator[str]:
    for name in sorted(scope & now.links.keys() - target.links.keys()):
        if now.links[name].kind in {KIND, USER_SPACE}:
            continue  # gone with Open vSwitch's transaction, as soon as its daemon runs
        if now.links[name].kind not in MADE:
            raise BuilderError(f"{name} is no bridge and no VLAN, so domu does not remove it", _BY_HAND)
        yield f"link delete dev {name}"


def _additions(now: Live, target: Live, scope: AbstractSet[str]) -> Iterator[str]:
    """VLANs after bridges, as one may be a VLAN of a bridge."""
    missing = [target.links[name] for name in sorted(scope & target.links.keys() - now.links.keys())]
    for link in sorted(missing, key=lambda link: link.kind):
        match link.kind:
            case "bridge":
                # Forwarding at once: the default holds traffic back for two times 15 s.
                yield f"link add name {link.name} type bridge stp_state 0 forward_delay 0"
            case "vlan":
                yield f"link add link {link.parent} name {link.name} type vlan id {link.vlan}"
            case _ if link.name in target.switches:
                pass  # it comes with Open vSwitch's transaction
            case kind:
                raise BuilderError(f"{link.name} is gone, and domu cannot make {kind or 'hardware'} again", _BY_HAND)


def _settings(now: Live, target: Live, scope: AbstractSet[str]) -> Iterator[str]:
    """Masters before MTUs: a bridge takes the least MTU of its ports unless it was given one.

    What Open vSwitch decides, its transaction says: the ports of its bridges, and these bridges' MAC and MTU.
    """
    wanted = [target.links[name] for name in sorted(scope & target.links.keys())]
    blank = Link("", up=False)
    for link in wanted:
        seen = now.links.get(link.name, blank)
        if link.kind == "bridge" and link.vlan_aware != seen.vlan_aware:
            yield f"link set dev {link.name} type bridge vlan_filtering {int(link.vlan_aware)}"
        if link.master != seen.master and not (link.master in target.switches or _is_let_go(link, seen, now)):
            yield f"link set dev {link.name} " + (f"master {link.master}" if link.master else "nomaster")
    for link in wanted:
        if link.kind == "bridge" and link.name not in now.links:
            for port in link.plugged:  # guests' vifs, as far as they are still there and in no other bridge
                if port not in scope and port in now.links and not now.links[port].master:
                    yield f"link set dev {port} master {link.name}"
    for link in sorted(wanted, key=lambda link: link.kind):  # hardware, then bridges, then VLANs
        seen = now.links.get(link.name, blank)
        switched = link.name in target.switches
        if link.mac not in {None, _NO_MAC, seen.mac} and not switched:
            yield f"link set dev {link.name} address {link.mac}"
        if link.mtu and link.mtu != seen.mtu and not switched:
            yield f"link set dev {link.name} mtu {link.mtu}"
        if link.up != seen.up:
            yield f"link set dev {link.name} {'up' if link.up else 'down'}"


def _is_let_go(link: Link, seen: Link, now: Live) -> bool:
    """Open vSwitch lets its port go, to no other bridge."""
    return seen.master in now.switches and not link.master


def _addresses_away(now: Live, target: Live, scope: AbstractSet[str]) -> Iterator[str]:
    """The last first: with the first of a network the kernel takes its others away (promote_secondaries)."""
    for name in sorted(scope & target.links.keys() & now.links.keys()):
        wants = {one.key for one in target.links[name].addresses}
        for one in reversed(now.links[name].addresses):
            if one.key not in wants:
                yield f"address delete {_spelt(one)} dev {name}"


def _addresses_new(now: Live, target: Live, scope: AbstractSet[str]) -> Iterator[str]:
    for name in sorted(scope & target.links.keys()):
        has = {one.key for one in now.links[name].addresses} if name in now.links else set()
        for one in target.links[name].addresses:
            if one.key not in has:
                yield f"address add {_spelt(one)}{_more(one)} dev {name}"


def _spelt(address: Address) -> str:
    return f"{address.local} peer {address.peer}/{address.prefix}" if address.peer else str(address)


def _more(address: Address) -> str:
    """No duplicate detection: the address was or will be ours on the next interface, and a wait is an outage."""
    words = f" broadcast {address.broadcast}" if address.broadcast else ""
    words += " nodad" if ":" in address.local else ""
    if address.valid != FOREVER:
        words += f" valid_lft {address.valid} preferred_lft {min(address.preferred, address.valid)}"
    return words


def _routes(now: Live, target: Live, scope: AbstractSet[str]) -> Iterator[str]:
    """Those that reach no further than the link are laid first: gateways are found through them."""
    mine = {route for route in now.routes if route.device in scope}
    wanted = {route for route in target.routes if route.device in scope}
    for route in sorted(mine - wanted):
        yield f"route delete {_words(route)}"
    for route in sorted(wanted - mine, key=lambda route: (bool(route.gateway), route)):
        yield f"route add {_words(route)}"


def _proxies(now: Live, target: Live, scope: AbstractSet[str]) -> Iterator[str]:
    for verb, found in (("delete", now.proxies - target.proxies), ("add", target.proxies - now.proxies)):
        for address, device in sorted(found):
            if device in scope:
                yield f"neighbour {verb} proxy {address} dev {device}"


def _words(route: Route) -> str:
    words = [
        *([route.kind] if route.kind and route.kind != "unicast" else []),
        _SHOWN_AS.get(route.destination, {}).get(route.family, route.destination),
        *(["via", *_via(route)] if route.gateway else []),
        *(["dev", route.device] if route.device else []),
        *(["src", route.source] if route.source else []),
        *(["metric", str(route.metric)] if route.metric else []),
        *(["table", route.table] if route.table else []),
        *(["protocol", route.protocol] if route.protocol else []),
        *(["scope", route.scope] if route.scope else []),
        *(["onlink"] if route.onlink else []),
    ]
    return " ".join(words)


def _via(route: Route) -> tuple[str, ...]:
    """An IPv4 route by an IPv6 next hop says so (RFC 5549)."""
    return ("inet6", route.gateway) if route.family == 4 and ":" in route.gateway else (route.gateway,)
