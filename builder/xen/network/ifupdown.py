"""/etc/network/interfaces.d/domu: bridges and addresses for ifupdown, with nothing but iproute2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import join

from builder.profile.dom0 import Dom0
from builder.xen.network.commands import bridge_argv, switch_argv, switch_port_argv, vlan_argv
from builder.xen.network.devices import Bridge, Interface, added_addresses, bridges_of, outer_devices
from builder.xen.network.vif import Vif


def render_interfaces(dom0: Dom0, vifs: Sequence[Vif]) -> str:
    """interfaces(5); empty where there is nothing to say."""
    return "\n".join("".join(f"{line}\n" for line in stanza) for stanza in _stanzas(dom0, vifs))


def _stanzas(dom0: Dom0, vifs: Sequence[Vif]) -> Iterator[list[str]]:
    for bridge in bridges_of(dom0, vifs):
        for port in bridge.ports:
            yield [f"iface {port.name} inet manual"]
        yield from _bridge(bridge)
    for device in outer_devices(dom0):
        # A further stanza adds to what /etc/network/interfaces says of the interface.
        for address in added_addresses(dom0)[device]:
            yield _static(device, address)


def _bridge(bridge: Bridge) -> Iterator[list[str]]:
    name = bridge.name
    stanzas = [_static(name, address, bridge) for address in bridge.addresses] or [[f"iface {name} inet manual"]]
    first, *others = stanzas
    yield [f"auto {name}", *first, *(f"    {line}" for line in _making(bridge))]
    yield from others


def _static(device: str, address: Interface, bridge: Bridge | None = None) -> list[str]:
    family = "inet" if address.version == 4 else "inet6"
    lines = [f"iface {device} {family} static", f"    address {address}"]
    if family == "inet6":
        lines.append("    dad-attempts 0")
    if bridge and address in bridge.moved:
        first = next(one for one in bridge.moved if one.version == address.version)
        gateways = [one for one in bridge.gateways if one.version == address.version and address == first]
        lines += [f"    gateway {gateway}" for gateway in gateways]
    return lines


def _making(bridge: Bridge) -> Iterator[str]:
    name, network = bridge.name, bridge.network
    mtu = ["mtu", str(network.mtu)] if network.mtu else []
    if bridge.openvswitch:
        yield f"pre-up {join(switch_argv(bridge))}"
    else:
        yield f"pre-up [ -e /sys/class/net/{name} ] || {join(bridge_argv(bridge))}"
    for port in bridge.ports:
        if port.parent:
            yield f"pre-up {join(['ip', 'link', 'set', 'dev', port.parent, *mtu, 'up'])}"
            made = join(vlan_argv(port.name, port.parent, port.tag))
            yield f"pre-up [ -e /sys/class/net/{port.name} ] || {made}"
        if bridge.openvswitch:
            yield f"pre-up {join(switch_port_argv(bridge, port.name))}"
        else:
            yield f"pre-up {join(['ip', 'link', 'set', 'dev', port.name, 'master', name])}"
        yield f"pre-up {join(['ip', 'link', 'set', 'dev', port.name, *mtu, 'up'])}"
        for tag in () if bridge.openvswitch else bridge.tags:
            yield f"pre-up {join(['bridge', 'vlan', 'add', 'dev', port.name, 'vid', str(tag)])}"
    yield f"up {join(['ip', 'link', 'set', 'dev', name, *mtu, 'up'])}"
    for port in bridge.ports:
        if not bridge.openvswitch:
            yield f"post-down {join(['ip', 'link', 'set', 'dev', port.name, 'nomaster'])}"
    if not bridge.openvswitch:
        yield f"post-down {join(['ip', 'link', 'delete', 'dev', name])}"
