"""What Open vSwitch's bridges shall be, and what of them forbids a change: theirs are domu's alone, others' are not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from builder.findings import Finding
from builder.xen.live import Link, Live
from builder.xen.live_switches import Switch, SwitchPort
from builder.xen.network.devices import Bridge

Switches = Mapping[str, Switch]
_XENS_LABEL = "xen-vm-uuid"  # vif-openvswitch of Xen 4.17 notes it with each vif that it plugs in
_INSTALL = "on dom0: apt-get install openvswitch-switch"
_START = "on dom0: systemctl start openvswitch-switch; systemctl status ovsdb-server ovs-vswitchd"


def lay_switches(
    bridges: Iterable[Bridge], links: Mapping[str, Link], now: Switches, origin: Switches, held: Switches
) -> dict[str, Switch]:
    """`now` with dom0.yaml's bridges laid over it, and without what earlier changes gave to others.

    `links`: as they shall be; `origin` and `held`: before the first change, and after the last.
    """
    switches = {name: _less(one, origin.get(name), held.get(name)) for name, one in now.items()}
    wanted = {bridge.name: bridge for bridge in bridges if bridge.openvswitch}
    for name, before in origin.items():
        if name in switches and name not in wanted:
            switches[name] = replace(switches[name], mac=before.mac, mtu=before.mtu)
    for name, bridge in wanted.items():
        switches[name] = _switch(bridge, switches.get(name, Switch(name)), links)
    return switches


def _less(switch: Switch, before: Switch | None, after: Switch | None) -> Switch:
    given = (after.port_names if after else frozenset()) - (before.port_names if before else frozenset())
    return replace(switch, ports=tuple(port for port in switch.ports if port.name not in given))


def _switch(bridge: Bridge, seen: Switch, links: Mapping[str, Link]) -> Switch:
    """Our ports beside those that it has; with the MAC of the first, for by itself it takes the least of any."""
    ports = {port.name: port for port in seen.ports}
    # 0 is what comes without a tag, which a Linux bridge's port takes as well (ovs-vswitchd.conf.db(5))
    trunks = (0, *bridge.tags) if bridge.tags else ()
    for port in bridge.ports:
        ports[port.name] = replace(ports.get(port.name, SwitchPort(port.name)), trunks=trunks)
    # A VLAN that is still to be made will have the MAC of what it is a VLAN of.
    first = next(
        (
            links[name].mac
            for one in bridge.ports
            for name in (one.name, one.parent)
            if name in links and links[name].mac
        ),
        "",
    )
    return replace(
        seen,
        mac=bridge.mac or first or seen.mac,
        mtu=bridge.network.mtu or seen.mtu,
        ports=tuple(sorted(ports.values())),
    )


def check_switches(
    bridges: Iterable[Bridge], now: Live, origin: Switches, held: Switches, vifs: Collection[str]
) -> Iterator[Finding]:
    """N403 where Open vSwitch is needed and does not answer, N402 where something in it is somebody else's.

    `held`: what an earlier change made or changed; `vifs`: names of guests' vifs, which may be ports of anything.
    """
    wanted = {bridge.name: bridge for bridge in bridges if bridge.openvswitch}
    if (names := sorted(wanted.keys() | held.keys())) and now.unswitched:
        hint = _INSTALL if "not installed" in now.unswitched else _START
        yield Finding("N403", f"{', '.join(names)} cannot be looked at: {now.unswitched}", hint)
        return
    ours = {port for switch in held.values() for port in switch.port_names}
    for bridge in bridges:
        for port in bridge.ports:
            master = now.links[port.name].master if port.name in now.links else ""
            if master in now.switches and master != bridge.name and port.name not in ours:
                message = f"{port.name} is a port of {master}, a bridge of Open vSwitch's that domu did not make"
                yield Finding("N402", message, f"take it out there: ovs-vsctl del-port {master} {port.name}")
    for name in sorted(held.keys() & now.switches.keys() - wanted.keys() - origin.keys()):
        if others := _others(now.switches[name], held[name], vifs):
            message = f"{name} would go, and has ports that domu did not plug in: {', '.join(others)}"
            yield Finding("N402", message, f"take them out: ovs-vsctl del-port {name} {others[0]}")


def _others(switch: Switch, held: Switch, vifs: Collection[str]) -> list[str]:
    return [
        port.name
        for port in switch.ports
        if port.name not in held.port_names and port.name not in vifs and _XENS_LABEL not in dict(port.labels)
    ]
