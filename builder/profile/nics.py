"""A guest's network interfaces: addresses, how dom0 connects them, and what it passes on to them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from builder.profile import fields
from builder.profile.base import Model


class Static4(Model):
    """A fixed IPv4 address; a /32 has its gateway outside, as routed guests do."""

    address: fields.Interface4 = Field(description="Address and prefix length")
    gateway: fields.Address4 | None = Field(None, description="The default route; one NIC has it")


class Static6(Model):
    """A fixed IPv6 address."""

    address: fields.Interface6 = Field(description="Address and prefix length")
    gateway: fields.Address6 | None = Field(None, description="The default route; fe80::1 is fine")


class Forward(Model):
    """A public address of dom0's, or some ports of it, passed on to a guest behind NAT."""

    address: fields.Address = Field(description="The public address; dom0.yaml names it in the network's public:")
    protocol: Literal["tcp", "udp", "all"] = Field(
        "tcp", description="all: the whole address is the guest's, for what it sends, too (1:1 NAT)"
    )
    ports: tuple[fields.PortsField, ...] = Field((), description="Ports and ranges, as in [80, 443, 8000-8010]")
    to: fields.Port | None = Field(None, description="The guest's port, where it is another one")

    @model_validator(mode="after")
    def _ports_agree(self) -> Self:
        if (self.protocol == "all") == bool(self.ports):
            raise ValueError("needs either ports, or protocol: all without ports")
        if self.to and (len(self.ports) != 1 or self.ports[0].first != self.ports[0].last):
            raise ValueError("to: is for a single port; make the others a forward of their own")
        return self


class Nic(Model):
    """A vif and what the guest makes of it."""

    mode: Literal["bridge", "routed", "nat"] = Field("bridge", description="How dom0 connects the vif")
    bridge: fields.BridgeName | None = Field(None, description="The dom0 bridge, for the modes bridge and nat")
    vlan: Annotated[fields.Count, Field(ge=1, le=4094)] | None = Field(
        None, description="The NIC's VLAN, on a bridge that keeps VLANs apart (vlan_aware, or Open vSwitch)"
    )
    mac: fields.Mac = Field("auto", description="auto derives one from the guest's name, in Xen's 00:16:3e")
    ipv4: Literal["dhcp", "none"] | Static4 = Field("dhcp", description="dhcp, none, or a fixed address")
    ipv6: Literal["auto", "none"] | Static6 = Field(
        "auto", description="auto (router advertisements), none, or a fixed address"
    )
    forward: tuple[Forward, ...] = Field((), description="For mode nat, what dom0 passes on from its public addresses")
    isolated: fields.Flag = Field(default=False, description="dom0 lets no traffic pass between it and other guests")
    antispoof: fields.Flag = Field(
        default=True, description="dom0 drops what the guest sends under another MAC or another fixed address"
    )

    rate: fields.Rate | None = Field(None, description="The guest sends no faster; unlimited unless given")

    @property
    def fixed_addresses(self) -> tuple[IPv4Address | IPv6Address, ...]:
        """IPv4 before IPv6."""
        return tuple(one.address.ip for one in (self.ipv4, self.ipv6) if isinstance(one, Static4 | Static6))

    @model_validator(mode="after")
    def _mode_agrees(self) -> Self:
        if self.mode == "routed" and self.bridge:
            raise ValueError("a routed vif has no bridge; remove bridge or write mode: bridge")
        if self.mode != "routed" and not self.bridge:
            raise ValueError(f"mode {self.mode} needs bridge: the dom0 bridge's name, as in xenbr0")
        if self.mode == "routed" and not isinstance(self.ipv4, Static4):
            raise ValueError("mode routed needs ipv4: {address: ..., gateway: ...}; no DHCP crosses a routed vif")
        if self.mode != "nat" and self.forward:
            raise ValueError("forward is for mode nat; other guests have public addresses of their own")
        if self.mode == "routed" and self.vlan:
            raise ValueError("a routed vif has no vlan; remove it")
        return self
