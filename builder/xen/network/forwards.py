"""What dom0 passes on from its public addresses to guests behind NAT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from builder.profile.fields import Ports
from builder.xen.network.vif import Vif


@dataclass(frozen=True, slots=True)
class Passed:
    """One forward of one guest; `path` is the field's, as in `nics[0].forward[1]`."""

    name: str
    path: str
    public: IPv4Address | IPv6Address
    protocol: Literal["tcp", "udp", "all"]
    ports: tuple[Ports, ...]
    to: int | None
    guest: IPv4Address | IPv6Address
    way_out: str


def passed_on(vifs: Iterable[Vif]) -> tuple[Passed, ...]:
    """Single ports before whole addresses; forwards of a family that the NIC has no fixed address of are left out."""
    found = []
    for vif in vifs:
        for number, one in enumerate(vif.nic.forward):
            guest = vif.v4 if one.address.version == 4 else vif.v6
            if guest and vif.network:
                path = f"nics[{vif.number}].forward[{number}]"
                found.append(Passed(vif.guest, path, one.address, one.protocol, one.ports, one.to, guest, vif.way_out))
    return tuple(sorted(found, key=lambda one: one.protocol == "all"))
