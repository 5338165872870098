"""Commands that bring a plan live on a dom0 that runs: each may be run again, each says how it is undone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from builder.profile.dom0 import Dom0
from builder.xen.network.devices import Bridge, Interface, added_addresses, bridges_of, outer_devices
from builder.xen.network.places import HOOK, RULES, UNIT
from builder.xen.network.sysctls import sysctls_of
from builder.xen.network.vif import Vif

Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments.

    `unless`: where this succeeds, there is nothing to do. `undo`: what takes it back; those of all that was done are
    run in reverse order. Rules and sysctls have none: what was there before is kept by whoever runs them.
    `scope`: kernel commands mean something in any network namespace, manager ones talk to a daemon of the machine.
    """

    argv: Argv
    why: str
    unless: Argv = ()
    undo: Argv = ()
    scope: Literal["kernel", "manager"] = "kernel"


def live_commands(dom0: Dom0, vifs: Sequence[Vif]) -> tuple[Command, ...]:
    """Rules first, so that nothing is forwarded without them; the daemons last."""
    return tuple(_commands(dom0, vifs))


def _commands(dom0: Dom0, vifs: Sequence[Vif]) -> Iterator[Command]:
    yield Command(("nft", "--file", RULES), "the rules, in one transaction")
    for bridge in bridges_of(dom0, vifs):
        yield from _made(bridge, dom0)
    for device in outer_devices(dom0):
        for address in added_addresses(dom0)[device]:
            undo = ("ip", "address", "delete", str(address), "dev", device)
            yield Command(_address(address, device), "a public address", undo=undo)
    for one in sysctls_of(dom0, vifs):
        ignore = ("--ignore",) if one.optional else ()
        yield Command(("sysctl", "--quiet", *ignore, "--write", f"{one.name}={one.value}"), "a kernel setting")
    yield Command(("sh", HOOK), "routes and proxies of the guests that run already")
    yield Command(("systemctl", "daemon-reload"), "systemd reads the new unit", scope="manager")
    yield Command(("systemctl", "enable", UNIT), "the rules come with every boot", scope="manager")
    if dom0.network_manager == "networkd":
        yield Command(("networkctl", "reload"), "networkd reads its new files", scope="manager")


def _made(bridge: Bridge, dom0: Dom0) -> Iterator[Command]:
    """Addresses come onto the bridge before its port loses them, so that a session survives."""
    name = bridge.name
    if bridge.openvswitch:
        yield Command(
            switch_argv(bridge),
            "the bridge",
            unless=("ovs-vsctl", "br-exists", name),
            undo=("ovs-vsctl", "--if-exists", "del-br", name),
        )
    else:
        yield Command(
            bridge_argv(bridge),
            "the bridge",
            ("ip", "link", "show", "dev", name),
            ("ip", "link", "delete", "dev", name),
        )
    yield from _up(bridge)
    yield from _route_back(bridge, dom0)
    for address in bridge.addresses:
        yield Command(_address(address, name), "dom0's own address")
    for port in bridge.ports:
        yield from _plugged(bridge, port.name, port.parent, port.tag)
    for address in bridge.moved:
        # `flush` is content when there is none
        flush = ("ip", "address", "flush", "dev", dom0.outer, "to", str(address.ip))
        yield Command(flush, "it moved to the bridge", undo=_address(address, dom0.outer))
    for gateway in bridge.gateways:
        family = f"-{gateway.version}"
        route = ("ip", family, "route", "replace", "default", "via", str(gateway), "dev", name, "onlink")
        yield Command(route, "dom0's own way out")


def _up(bridge: Bridge) -> Iterator[Command]:
    mtu = ("mtu", str(bridge.network.mtu)) if bridge.network.mtu else ()
    yield Command(("ip", "link", "set", "dev", bridge.name, *mtu, "up"), "the bridge")


def _route_back(bridge: Bridge, dom0: Dom0) -> Iterator[Command]:
    """Nothing to do; but when all is undone and the port has its addresses again, so it gets the default route."""
    for gateway in bridge.gateways:
        family = f"-{gateway.version}"
        undo = ("ip", family, "route", "replace", "default", "via", str(gateway), "dev", dom0.outer, "onlink")
        yield Command(("true",), "dom0's own way out, when this is undone", undo=undo)


def _plugged(bridge: Bridge, port: str, parent: str, tag: int) -> Iterator[Command]:
    mtu = ("mtu", str(bridge.network.mtu)) if bridge.network.mtu else ()
    if parent:
        yield Command(("ip", "link", "set", "dev", parent, *mtu, "up"), f"VLAN {tag} is a part of it")
        yield Command(vlan_argv(port, parent, tag), f"VLAN {tag}", ("ip", "link", "show", "dev", port),
                      ("ip", "link", "delete", "dev", port))  # fmt: skip
    if bridge.openvswitch:
        argv = switch_port_argv(bridge, port)
        yield Command(argv, "a port of the bridge", undo=("ovs-vsctl", "--if-exists", "del-port", bridge.name, port))
    else:
        argv = ("ip", "link", "set", "dev", port, "master", bridge.name)
        yield Command(argv, "a port of the bridge", undo=("ip", "link", "set", "dev", port, "nomaster"))
    yield Command(("ip", "link", "set", "dev", port, *mtu, "up"), "a port of the bridge")
    for vlan in () if bridge.openvswitch else bridge.tags:
        argv = ("bridge", "vlan", "add", "dev", port, "vid", str(vlan))
        yield Command(argv, f"VLAN {vlan} by this trunk")


def bridge_argv(bridge: Bridge) -> Argv:
    """`ip link add` of a Linux bridge: no spanning tree, no delay."""
    mac = ("address", bridge.mac) if bridge.mac else ()
    aware = ("vlan_filtering", "1") if bridge.network.vlan_aware else ()
    return ("ip", "link", "add", "name", bridge.name, *mac, "type", "bridge",
            "stp_state", "0", "forward_delay", "0", *aware)  # fmt: skip


def switch_argv(bridge: Bridge) -> Argv:
    """`ovs-vsctl add-br`; one without ports gets a MAC address that stays. A daemon that is down holds no boot up."""
    mac = ("--", "set", "Bridge", bridge.name, f"other-config:hwaddr={bridge.mac}") if bridge.mac else ()
    return ("ovs-vsctl", "--timeout=15", "--", "--may-exist", "add-br", bridge.name, *mac)


def switch_port_argv(bridge: Bridge, port: str) -> Argv:
    """`ovs-vsctl add-port`; a trunk carries what comes without a tag (0) and the VLANs that guests are in."""
    numbers = ",".join(map(str, (0, *bridge.tags)))
    trunks = ("--", "set", "Port", port, f"trunks={numbers}") if bridge.tags else ()
    return ("ovs-vsctl", "--timeout=15", "--", "--may-exist", "add-port", bridge.name, port, *trunks)


def vlan_argv(port: str, parent: str, tag: int) -> Argv:
    """`ip link add` of one VLAN of an interface."""
    return ("ip", "link", "add", "link", parent, "name", port, "type", "vlan", "id", str(tag))


def _address(address: Interface, device: str) -> Argv:
    """Without asking for duplicates: it is dom0's own already, or was."""
    nodad = ("nodad",) if address.version == 6 else ()
    return ("ip", "address", "replace", str(address), "dev", device, *nodad)
