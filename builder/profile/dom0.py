"""The model of a dom0, profiles/dom0.yaml: what the site says of the machine that its guests run on."""

from __future__ import annotations

from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from builder.profile import fields
from builder.profile.base import Model
from builder.profile.model import Suite
from builder.profile.nics import Nic

NetworkManager = Literal["ifupdown", "networkd"]
NetworkMode = Literal["bridge", "routed", "nat"]
Vlan = Annotated[fields.Count, Field(ge=1, le=4094)]
InstallsAtOnce = Annotated[fields.Count, Field(ge=1, le=64)]
Mtu = Annotated[fields.Count, Field(ge=576, le=65_535)]
ROUTED_GATEWAY6 = IPv6Address("fe80::1")
_ONLY_FOR: dict[str, tuple[NetworkMode, ...]] = {  # key -> the modes of network that it means something for
    "kind": ("bridge", "nat"),
    "existing": ("bridge",),
    "ports": ("bridge",),
    "vlan": ("bridge",),
    "vlan_aware": ("bridge",),
    "mtu": ("bridge", "nat"),
    "subnets": ("bridge", "routed"),
    "outer": ("routed", "nat"),
    "public": ("nat",),
    "dhcp": ("nat",),
}


class Network(Model):
    """One of dom0's networks for guests."""

    name: fields.BridgeName = Field(description="The bridge's, which guests name; of a routed network, any")
    mode: NetworkMode = Field("bridge", description="What guests' NICs of this network have as mode:")
    kind: Literal["linux", "openvswitch"] = Field("linux", description="Who makes the bridge")
    existing: fields.Flag = Field(
        default=False, description="The bridge is dom0's already: domu neither makes nor changes it"
    )
    ports: tuple[fields.BridgeName, ...] = Field((), description="dom0's interfaces that are plugged into the bridge")
    vlan: Vlan | None = Field(None, description="The bridge is this VLAN of its ports (802.1Q), as eth0.100")
    vlan_aware: fields.Flag = Field(
        default=False, description="The bridge keeps VLANs apart itself: its ports are trunks, NICs say vlan:"
    )
    mtu: Mtu | None = Field(None, description="Of the bridge and its ports; the kernel's own unless given")
    addresses: tuple[fields.Interface, ...] = Field((), description="dom0's own on it; of nat, its guests' gateways")
    subnets: tuple[fields.Subnet, ...] = Field((), description="Its guests' fixed addresses lie in these")
    outer: fields.BridgeName | None = Field(None, description="The way out; dom0's outer unless given")
    public: tuple[fields.Address, ...] = Field(
        (), description="Addresses that dom0 holds on the way out, for guests to forward from"
    )
    dhcp: fields.Flag = Field(
        default=False, description="A DHCP server answers there, which is not domu's; else its guests need addresses"
    )

    @model_validator(mode="after")
    def _fits_its_mode(self) -> Self:
        for key, modes in _ONLY_FOR.items():
            if key in self.model_fields_set and self.mode not in modes:
                raise ValueError(f"a network of mode {self.mode} has no {key}; remove it")
        if self.mode == "routed" and self.addresses:
            raise ValueError("a routed network has no addresses of its own; guests' gateway is dom0's own address")
        if self.mode == "nat" and not self.addresses:
            raise ValueError("mode nat needs addresses: dom0's own in the private network, as in [10.0.0.1/24]")
        if self.existing and (self.addresses or self.mtu or self.vlan):
            raise ValueError("existing: true, so domu changes nothing of it; remove addresses, mtu and vlan")
        if self.vlan_aware and self.vlan:
            raise ValueError("has both vlan and vlan_aware; keep one")
        if self.vlan and not self.ports:
            raise ValueError("vlan needs ports: whose VLAN it is")
        return self


class Drill(Model):
    """Where `domu rebuild --drill` rebuilds guests: on a bridge of its own that leads nowhere."""

    subnet: fields.Subnet4 = Field(
        IPv4Network("10.254.0.0/24"), description="Of that bridge; dom0 has its first address"
    )
    proxy: Literal["auto"] | fields.Url = Field(
        "auto", description="What installers reach the archive through; auto: an apt-cacher on dom0's address there"
    )
    mirror: fields.Url | None = Field(
        None, description="The archive in a drill, where it is not the guest's own mirror"
    )
    after: fields.Flag = Field(default=False, description="The guest's `after` is run in a drill, too")

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.subnet.prefixlen > 29:
            raise ValueError("a subnet for drills has at most the prefix length /29: dom0 and the guests are in it")
        return self

    @property
    def own(self) -> IPv4Interface:
        """dom0's address on the bridge."""
        return IPv4Interface((self.subnet.network_address + 1, self.subnet.prefixlen))


class Dom0(Model):
    """A dom0; without profiles/dom0.yaml, all defaults: nothing is known of its networks."""

    xen: Literal["auto"] | fields.XenVersion = Field("auto", description="Xen's version; auto: look on the dom0")
    suite: Literal["auto"] | Suite = Field("auto", description="Its Debian release; auto: look on the dom0")
    memory: Literal["auto"] | fields.SizeField = Field("auto", description="What dom0 keeps for itself (dom0_mem)")
    network_manager: NetworkManager = Field("ifupdown", description="What configures dom0's interfaces at boot")
    outer: fields.BridgeName = Field("eth0", description="dom0's interface to the outside")
    addresses: tuple[fields.Interface, ...] = Field((), description="dom0's own on outer")
    gateway: fields.Address4 | None = Field(None, description="dom0's IPv4 default route")
    gateway6: fields.Address6 | None = Field(None, description="dom0's IPv6 default route; none: advertisements count")
    dns: tuple[fields.Address, ...] = Field((), description="dom0's name servers, where domu writes outer's file")
    ssh_ports: tuple[fields.Port, ...] = Field((22,), description="dom0's own ssh, never to be forwarded to a guest")
    installs_at_once: InstallsAtOnce = Field(1, description="How many guests a rebuild installs at the same time")
    networks: tuple[Network, ...] = Field((), description="Networks for guests")
    drill: Drill = Field(Drill(), description="Where `domu rebuild --drill` rebuilds guests")

    @model_validator(mode="after")
    def _drills_are_apart(self) -> Self:
        near = [(one, f"the networks of {net.name}") for net in self.networks for one in (*net.subnets, *_nets(net))]
        near += [(one.network, "dom0's own addresses") for one in self.addresses]
        for one, what in near if "drill" in self.model_fields_set else ():
            if one.version == 4 and self.drill.subnet.overlaps(one):
                raise ValueError(f"drill.subnet overlaps with {what} ({one}); choose another one")
        return self

    @cached_property
    def own_addresses(self) -> dict[IPv4Address | IPv6Address, str]:
        """Address -> whose it is, in words, of those that no guest may have."""
        owners: dict[IPv4Address | IPv6Address, str] = {}
        for network in self.networks:
            owners |= dict.fromkeys(network.public, f"a public address of {network.name}, held by dom0")
        owners |= {gateway: "dom0's gateway" for gateway in (self.gateway, self.gateway6) if gateway}
        for network in self.networks:
            owners |= {one.ip: f"dom0's own in {network.name}" for one in network.addresses}
        return owners | {one.ip: "dom0's own" for one in self.addresses}

    def network_of(self, nic: Nic) -> Network | None:
        """The network that the NIC is on: its bridge by name; of routed ones that with its address, else the only one.

        None: no network of dom0.yaml's, or more than one that could be meant.
        """
        if nic.mode != "routed":
            return next((one for one in self.networks if one.name == nic.bridge and one.mode != "routed"), None)
        routed = [one for one in self.networks if one.mode == "routed"]
        fitting = [one for one in routed if any(_holds(one, address) for address in nic.fixed_addresses)]
        open_ones = [one for one in routed if not one.subnets]
        return next((found[0] for found in (fitting, open_ones) if len(found) == 1), None)

    def gateway_for(self, nic: Nic, version: int) -> IPv4Address | IPv6Address | None:
        """What a NIC with a fixed address has for a gateway when it names none; None: nothing to be known.

        Behind NAT, dom0's own address in the NIC's network; routed, dom0's own address outside, or by IPv6 fe80::1,
        which dom0 takes on each vif.
        """
        network = self.network_of(nic)
        if network is None:
            return None
        if network.mode == "nat":
            inside = [own.ip for own in network.addresses if any(one in own.network for one in nic.fixed_addresses)]
            return next((one for one in inside if one.version == version), None)
        if network.mode == "routed":
            own_ips = [one.ip for one in self.addresses if one.version == 4]
            return ROUTED_GATEWAY6 if version == 6 else next(iter(own_ips), None)
        return None

    def device_of(self, interface: str) -> str:
        """Where an interface's addresses are: on the bridge that it is a plain port of, else on itself."""
        for network in self.networks:
            if interface in network.ports and not network.vlan:
                return network.name
        return interface

    def way_out(self, network: Network) -> str:
        """The device by which a routed or NAT network reaches the outside."""
        return self.device_of(network.outer or self.outer)


def _nets(network: Network) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(one.network for one in network.addresses)


def _holds(network: Network, address: IPv4Address | IPv6Address) -> bool:
    return any(address in subnet for subnet in network.subnets)


NO_DOM0 = Dom0()  # what is known without profiles/dom0.yaml
