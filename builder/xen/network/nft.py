"""The rules of a plan as nftables has them: two tables of our own, replaced in one transaction, and no other touched.

`bridge domu` sees what guests on Linux bridges send each other, `inet domu` what dom0 routes for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from builder.profile.dom0 import Dom0, Network
from builder.xen.network.forwards import Passed, passed_on
from builder.xen.network.vif import Vif

Address = IPv4Address | IPv6Address
_HEAD = """\
#!/usr/sbin/nft --file
# Made by `domu network plan` from profiles/dom0.yaml and the guests' profiles: change those, not this file.
# Both tables are domu's own, and replaced whole; no other table is touched.
"""
_ANY4, _ANY6 = IPv4Address("0.0.0.0"), IPv6Address("::")  # noqa: S104 (the address of who has none yet)


def render_nft(dom0: Dom0, vifs: Sequence[Vif]) -> str:
    """For `nft --file`; the same plan gives the same bytes."""
    begin = "".join(f"{verb} table {family} domu\n" for family in ("bridge", "inet") for verb in ("add", "delete"))
    bridged = [vif for vif in vifs if vif.network and vif.network.mode != "routed" and vif.network.kind == "linux"]
    routed = [vif for vif in vifs if vif.network and vif.network.mode == "routed"]
    tables = [
        ("bridge domu", [*_from_bridged(bridged), *_between_ports(bridged)]),
        ("inet domu", [*_from_routed(routed), *_translated(dom0, vifs), *_forwarded(dom0, vifs)]),
    ]
    return f"{_HEAD}{begin}" + "".join(f"\ntable {name} {{\n{_joined(chains)}}}\n" for name, chains in tables)


def _joined(chains: Iterable[Sequence[str]]) -> str:
    """Chains as text: the first line is its head, a blank line between two."""
    whole = [[f"    {head} {{", *(f"        {line}" for line in lines), "    }"] for head, *lines in chains]
    return "\n".join("".join(f"{line}\n" for line in chain) for chain in whole)


def _from_bridged(vifs: Sequence[Vif]) -> Iterator[list[str]]:
    guarded = [vif for vif in vifs if vif.nic.antispoof]
    yield from _sorted_out("from-guests", guarded, "filter")
    for vif in guarded:
        yield [f"chain vif-{vif.name}", *_own_frames(vif)]


def _from_routed(vifs: Sequence[Vif]) -> Iterator[list[str]]:
    guarded = [vif for vif in vifs if vif.nic.antispoof]
    yield from _sorted_out("from-guests", guarded, "raw")
    for vif in guarded:
        lines = [f"ether saddr != {vif.mac} drop", *(f"ip saddr {vif.v4} accept" for _ in [vif.v4] if vif.v4)]
        if vif.nic.ipv6 != "none":
            lines.append(f"ip6 saddr {_set(_own6(vif))} accept")
        yield [f"chain vif-{vif.name}", *lines, "drop"]


def _sorted_out(chain: str, vifs: Sequence[Vif], priority: str) -> Iterator[list[str]]:
    """The chain that sends each guest's frames to the chain of its vif."""
    if vifs:
        yield [
            f"chain {chain}",
            f"type filter hook prerouting priority {priority}; policy accept;",
            "iifname vmap {",
            *(f'    "{vif.name}" : goto vif-{vif.name},' for vif in vifs),
            "}",
        ]


def _own_frames(vif: Vif) -> Iterator[str]:
    """What a bridged guest may send; all else, other protocols and VLAN tags too, is dropped."""
    yield f"ether saddr != {vif.mac} drop"
    if vif.v4:
        # 0.0.0.0: whoever asks whether an address is taken (RFC 5227)
        senders = _set([_ANY4, vif.v4])
        yield f"ether type arp arp saddr ether {vif.mac} arp saddr ip {senders} accept"
        yield "ether type ip udp sport 67 drop"
        yield f"ether type ip ip saddr {vif.v4} accept"
    elif vif.nic.ipv4 == "dhcp":
        yield f"ether type arp arp saddr ether {vif.mac} accept"
        yield "ether type ip udp sport 67 drop"
        yield "ether type ip accept"
    if vif.nic.ipv6 != "none":
        yield "ether type ip6 icmpv6 type nd-router-advert drop"
        yield "ether type ip6 udp sport 547 drop"
    if vif.v6:
        # the address that an advertisement speaks for (RFC 4861, 4.4): bytes 8 to 24 behind the IPv6 header
        targets = ", ".join(f"{int(one):#034x}" for one in (vif.link_local, vif.v6))
        yield f"ether type ip6 icmpv6 type nd-neighbor-advert @th,64,128 != {{ {targets} }} drop"
        yield f"ether type ip6 ip6 saddr {_set(_own6(vif))} accept"
    elif vif.nic.ipv6 == "auto":
        yield "ether type ip6 accept"
    yield "drop"


def _own6(vif: Vif) -> list[Address]:
    return [_ANY6, vif.link_local, *([vif.v6] if vif.v6 else [])]


def _between_ports(vifs: Sequence[Vif]) -> Iterator[list[str]]:
    """An isolated guest's frames pass between it and its bridge's outside ports only."""
    lines = []
    for vif in vifs:
        if vif.nic.isolated and vif.network:
            ports = vif.network.ports if not vif.network.vlan else _tagged(vif.network)
            for this, other in (("iifname", "oifname"), ("oifname", "iifname")):
                but = f" {other} != {_names(ports)}" if ports else ""
                lines.append(f'{this} "{vif.name}"{but} drop')
    if lines:
        yield ["chain between-guests", "type filter hook forward priority filter; policy accept;", *lines]


def _tagged(network: Network) -> list[str]:
    return [f"{port}.{network.vlan}" for port in network.ports]


def _translated(dom0: Dom0, vifs: Sequence[Vif]) -> Iterator[list[str]]:
    private = [one for one in dom0.networks if one.mode == "nat"]
    passed = passed_on(vifs)
    if passed:
        yield ["chain passed-on", *map(_dnat, passed)]
        # nft 1.0.6 has no name for this priority of the output hook: NF_IP_PRI_NAT_DST
        for name, hook in (("from-outside", "prerouting"), ("from-dom0", "output")):
            yield [f"chain {name}", f"type nat hook {hook} priority -100; policy accept;", "jump passed-on"]
    if private:
        lines = ["# a guest that reaches another by its public address: the answer must come back by dom0"]
        subnets = [(dom0.way_out(one), net, _family(net)) for one in private for net in subnets_of(one)]
        lines += [f"{ip} saddr {net} {ip} daddr {net} ct status dnat masquerade" for _way, net, ip in subnets]
        for one in passed:
            if one.protocol == "all":
                ip = _family(one.guest)
                lines.append(f'{ip} saddr {one.guest} oifname "{one.way_out}" snat {ip} to {one.public}')
        lines += [f'{ip} saddr {net} oifname "{way}" masquerade' for way, net, ip in subnets]
        yield ["chain to-outside", "type nat hook postrouting priority srcnat; policy accept;", *lines]


def _dnat(one: Passed) -> str:
    family = _family(one.guest)
    head = f"{family} daddr {one.public}"
    if one.protocol == "all":
        return f"{head} dnat {family} to {one.guest}"
    to = f"{one.guest}"
    if one.to:
        to = f"{one.guest}:{one.to}" if family == "ip" else f"[{one.guest}]:{one.to}"
    ports = ", ".join(map(str, one.ports))
    return f"{head} {one.protocol} dport {{ {ports} }} dnat {family} to {to}"


def _forwarded(dom0: Dom0, vifs: Sequence[Vif]) -> Iterator[list[str]]:
    """Who may start a conversation through dom0; what is accepted here, other tables may still drop."""
    private = [one for one in dom0.networks if one.mode == "nat"]
    isolated = [vif for vif in vifs if vif.nic.isolated and vif.network]
    lines = []
    for vif in isolated:
        if vif.nic.mode == "routed":
            lines += [f'iifname "{vif.name}" oifname != "{vif.way_out}" drop',
                      f'oifname "{vif.name}" iifname != "{vif.way_out}" drop']  # fmt: skip
    for version in (4, 6):
        everyone, alone = known_addresses(vifs, version), isolated_addresses(vifs, version)
        if alone:
            family = _family(alone[0])
            lines += [f"{family} saddr {_set(alone)} {family} daddr {_set(everyone)} drop",
                      f"{family} saddr {_set(everyone)} {family} daddr {_set(alone)} drop"]  # fmt: skip
    if private:
        names = _names([one.name for one in private])
        lines += ["# into a private network comes what was passed on, and answers",
                  f"oifname {names} ct state established,related accept",
                  f"oifname {names} ct status dnat accept",
                  f"oifname {names} drop"]  # fmt: skip
    if lines:
        yield ["chain forwarded", "type filter hook forward priority filter; policy accept;", *lines]


def known_addresses(vifs: Iterable[Vif], version: int) -> list[Address]:
    """The guests' fixed addresses of one family, in order."""
    return sorted(
        {one for vif in vifs for one in vif.nic.fixed_addresses if one.version == version and vif.network}, key=int
    )


def isolated_addresses(vifs: Iterable[Vif], version: int) -> list[Address]:
    """Those of isolated NICs."""
    return known_addresses([vif for vif in vifs if vif.nic.isolated], version)


def subnets_of(network: Network) -> tuple[IPv4Network | IPv6Network, ...]:
    """The private networks that dom0's own addresses in a NAT network are in, each once."""
    return tuple(dict.fromkeys(one.network for one in network.addresses))


def _family(one: Address | IPv4Network | IPv6Network) -> str:
    return "ip" if one.version == 4 else "ip6"


def _set(addresses: Sequence[Address]) -> str:
    return str(addresses[0]) if len(addresses) == 1 else f"{{ {', '.join(map(str, addresses))} }}"


def _names(names: Sequence[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"{{ {', '.join(quoted)} }}"
