"""What a NIC and dom0's networks cannot both say: findings N2xx, each with the path in the guest's profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from builder.findings import Finding, Severity, did_you_mean
from builder.profile.dom0 import Dom0, Network
from builder.profile.nics import Nic, Static4, Static6
from builder.xen.network.vif import Vif

Found = Iterator[tuple[str, Finding]]


def _network(vif: Vif, dom0: Dom0) -> Found:
    """Every NIC is on a network that dom0.yaml has."""
    nic, path = vif.nic, f"nics[{vif.number}]"
    if vif.network is None and nic.mode == "routed":
        routed = [one.name for one in dom0.networks if one.mode == "routed"]
        message = f"dom0.yaml has no routed network for {', '.join(map(str, nic.fixed_addresses))}"
        hint = "add one with mode: routed" if not routed else f"add it to the subnets of one of {', '.join(routed)}"
        yield f"{path}.mode", Finding("N201", message, hint)
    elif vif.network is None:
        known = [one.name for one in dom0.networks if one.mode != "routed"]
        hint = did_you_mean(str(nic.bridge), known) or f"dom0.yaml has {', '.join(known) or 'no bridge'}; add it there"
        yield f"{path}.bridge", Finding("N201", f"dom0.yaml has no bridge {nic.bridge}", hint)
    elif vif.network.mode != nic.mode:
        message = f"{vif.network.name} is a network of mode {vif.network.mode}, not {nic.mode}"
        yield f"{path}.mode", Finding("N201", message, f"write mode: {vif.network.mode}, or another bridge")


def _addresses(vif: Vif, dom0: Dom0) -> Found:
    for kind, setting in _fixed(vif.nic):
        path, ip = f"nics[{vif.number}].{kind}.address", setting.address.ip
        if whose := dom0.own_addresses.get(ip):
            yield path, Finding("N203", f"{ip} is {whose}", "give the guest an address of its own")
        if vif.network and vif.network.mode == vif.nic.mode:
            yield from ((path, finding) for finding in _placed(setting, vif.network))


def _placed(setting: Static4 | Static6, network: Network) -> Iterator[Finding]:
    """The address is one of the network's, and has its prefix length where the network has one."""
    ip = setting.address.ip
    if network.mode != "nat":
        inside = [one for one in network.subnets if one.version == ip.version]
        if inside and not any(ip in one for one in inside):
            yield Finding("N204", f"{ip} is outside {network.name}: {', '.join(map(str, inside))}", "choose one in it")
        return
    nets = [one.network for one in network.addresses if one.version == ip.version]
    net = next((one for one in nets if ip in one), None)
    if net is None:
        seen = ", ".join(map(str, nets)) or f"it has no IPv{ip.version}"
        yield Finding("N204", f"{ip} is outside {network.name}: {seen}", "choose one in it, or another network")
    elif net != setting.address.network:
        yield Finding("N204", f"{setting.address} is not of {network.name}'s {net}", f"write {ip}/{net.prefixlen}")


def _gateways(vif: Vif, dom0: Dom0) -> Found:
    """The gateway answers on the vif."""
    network = vif.network
    for kind, setting in _fixed(vif.nic):
        path, gateway = f"nics[{vif.number}].{kind}.gateway", setting.gateway
        if gateway is None or network is None or network.mode != vif.nic.mode:
            continue
        if network.mode == "nat":
            own = [one.ip for one in network.addresses if one.version == gateway.version]
            if gateway not in own:
                message = f"{gateway} is not dom0's in {network.name}, and nobody else leads out of it"
                hint = f"write {' or '.join(map(str, own))}, or leave it out" if own else "leave it out"
                yield path, Finding("N205", message, hint)
        elif network.mode == "routed" and not gateway.is_link_local:
            seen = [one for one in dom0.addresses if one.version == gateway.version]
            known = any(gateway in one.network for one in seen) or gateway in {dom0.gateway, dom0.gateway6}
            if seen and not known:
                message = f"dom0 does not answer for {gateway}, which is neither its own nor in a network of its own"
                yield path, Finding("N205", message, f"write {seen[0].ip}, dom0's own")


def _forwards(vif: Vif, dom0: Dom0) -> Found:
    if vif.network is None or vif.network.mode != "nat":
        return
    own = {one.ip for one in dom0.addresses}
    for number, one in enumerate(vif.nic.forward):
        path = f"nics[{vif.number}].forward[{number}]"
        if one.address not in vif.network.public and one.address not in own:
            message = f"{one.address} is neither a public address of {vif.network.name} nor dom0's own"
            yield f"{path}.address", Finding("N206", message, f"add it to public: of {vif.network.name} in dom0.yaml")
        if not (vif.v4 if one.address.version == 4 else vif.v6):
            message = f"the NIC has no fixed IPv{one.address.version} address that {one.address} could lead to"
            yield f"{path}.address", Finding("N206", message, f"give it ipv{one.address.version}: {{address: ...}}")
        if one.address in own and one.protocol == "all":
            message = f"{one.address} is dom0's own address, and would be the guest's whole"
            yield f"{path}.protocol", Finding("N208", message, "forward single ports, or another address")
        elif one.address in own and one.protocol == "tcp":
            lost = [port for port in dom0.ssh_ports for ports in one.ports if ports.first <= port <= ports.last]
            if lost:
                message = f"port {lost[0]} of {one.address} is dom0's own ssh, which nobody could reach any more"
                yield f"{path}.ports", Finding("N208", message, "choose another port, and to: for the guest's")


def _kept_apart(vif: Vif, _dom0: Dom0) -> Found:
    """What dom0 promises, it can hold."""
    nic, network, path = vif.nic, vif.network, f"nics[{vif.number}]"
    if network is None or network.mode != nic.mode:
        return
    switch = network.kind == "openvswitch"
    if nic.vlan and not (network.vlan_aware or switch):
        message = f"{network.name} does not keep VLANs apart"
        yield f"{path}.vlan", Finding("N209", message, "write vlan_aware: true in dom0.yaml, or leave vlan out")
    if nic.isolated and switch:
        message = f"guests on {network.name} cannot be isolated: Open vSwitch passes frames by the kernel's rules"
        yield f"{path}.isolated", Finding("N210", message, "use a Linux bridge, or flows of Open vSwitch's own")
    elif nic.isolated and network.mode == "bridge" and not network.ports:
        message = f"which port of {network.name} leads outside is not known, so the guest would reach nobody"
        yield f"{path}.isolated", Finding("N210", message, f"write the ports: of {network.name} in dom0.yaml")
    if nic.isolated and network.mode == "nat" and not nic.fixed_addresses:
        message = "an isolated guest behind NAT needs a fixed address to be known by"
        yield f"{path}.isolated", Finding("N210", message, "write ipv4: {address: ...}")
    if nic.antispoof and switch:
        message = f"nothing keeps the guest from sending under others' addresses on {network.name}, by Open vSwitch"
        finding = Finding("N211", message, "write antispoof: false if you know", severity=Severity.NOTE)
        yield f"{path}.antispoof", finding


def _fixed(nic: Nic) -> Iterator[tuple[str, Static4 | Static6]]:
    for kind, setting in (("ipv4", nic.ipv4), ("ipv6", nic.ipv6)):
        if isinstance(setting, Static4 | Static6):
            yield kind, setting


VIF_RULES: tuple[Callable[[Vif, Dom0], Found], ...] = (_network, _addresses, _gateways, _forwards, _kept_apart)
