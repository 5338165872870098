"""The rules of `inet domu` for iptables, for a dom0 that is not to have nftables rules: chains of our own, DOMU-*.

What guests on one bridge send each other iptables does not see: there is neither isolation nor protection against
forged addresses on bridges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from builder.profile.dom0 import Dom0
from builder.xen.network.forwards import Passed, passed_on
from builder.xen.network.nft import isolated_addresses, known_addresses, subnets_of
from builder.xen.network.vif import Vif

_SCRIPT = """\
#!/bin/sh
# Made by `domu network plan --iptables`. Run as root, it replaces the rules in chains DOMU-* and no others.
# Bridged guests are not kept apart, nor from forging addresses: iptables does not see their frames.
set -eu

jump() {
    program=$1 table=$2 from=$3 to=$4
    "$program" --wait --table "$table" --check "$from" --jump "$to" 2>/dev/null ||
        "$program" --wait --table "$table" --insert "$from" --jump "$to"
}
"""
_JUMPS = (("raw", "PREROUTING", "DOMU-GUESTS"), ("nat", "PREROUTING", "DOMU-PASSED"), ("nat", "OUTPUT", "DOMU-PASSED"),
          ("nat", "POSTROUTING", "DOMU-OUTSIDE"), ("filter", "FORWARD", "DOMU-FORWARD"))  # fmt: skip


def render_iptables(dom0: Dom0, vifs: Sequence[Vif]) -> str:
    """A script for sh; the same plan gives the same bytes."""
    parts = [_SCRIPT]
    for version, program in ((4, "iptables"), (6, "ip6tables")):
        rules = "".join(f"{line}\n" for line in _tables(dom0, vifs, version))
        jumps = "".join(f"jump {program} {table} {start} {chain}\n" for table, start, chain in _JUMPS)
        parts.append(f"{program}-restore --wait --noflush <<'END'\n{rules}END\n{jumps}")
    return "\n".join(parts)


def _tables(dom0: Dom0, vifs: Sequence[Vif], version: int) -> Iterator[str]:
    passed = [one for one in passed_on(vifs) if one.guest.version == version]
    nets = [(dom0.way_out(one), net) for one in dom0.networks if one.mode == "nat" for net in subnets_of(one)
            if net.version == version]  # fmt: skip
    yield from ("*raw", ":DOMU-GUESTS - [0:0]", *_guarded(vifs, version), "COMMIT")
    yield from ("*nat", ":DOMU-PASSED - [0:0]", ":DOMU-OUTSIDE - [0:0]")
    for one in passed:
        yield from _dnat(one)
    for _way, net in nets:
        hairpin = f"--source {net} --destination {net} --match conntrack --ctstate DNAT"
        yield f"-A DOMU-OUTSIDE {hairpin} --jump MASQUERADE"
    for one in passed:
        if one.protocol == "all":
            leaving = f"--source {one.guest} --out-interface {one.way_out}"
            yield f"-A DOMU-OUTSIDE {leaving} --jump SNAT --to-source {one.public}"
    for way, net in nets:
        yield f"-A DOMU-OUTSIDE --source {net} --out-interface {way} --jump MASQUERADE"
    yield from ("COMMIT", "*filter", ":DOMU-FORWARD - [0:0]", *_forwarded(dom0, vifs, version), "COMMIT")


def _guarded(vifs: Sequence[Vif], version: int) -> Iterator[str]:
    for vif in vifs:
        if vif.network and vif.network.mode == "routed" and vif.nic.antispoof:
            head = f"-A DOMU-GUESTS --in-interface {vif.name}"
            yield f"{head} --match mac ! --mac-source {vif.mac} --jump DROP"
            own = [vif.v4] if version == 4 else [vif.v6, *([vif.link_local] if vif.nic.ipv6 != "none" else [])]
            yield from (f"{head} --source {one} --jump RETURN" for one in own if one)
            yield f"{head} --jump DROP"


def _dnat(one: Passed) -> Iterator[str]:
    head = f"-A DOMU-PASSED --destination {one.public}"
    to = f"[{one.guest}]" if one.guest.version == 6 and one.to else f"{one.guest}"
    if one.protocol == "all":
        yield f"{head} --jump DNAT --to-destination {to}"
    for ports in one.ports:
        dport = f"{ports.first}:{ports.last}" if ports.last > ports.first else f"{ports.first}"
        port = f":{one.to}" if one.to else ""
        yield f"{head} --protocol {one.protocol} --dport {dport} --jump DNAT --to-destination {to}{port}"


def _forwarded(dom0: Dom0, vifs: Sequence[Vif], version: int) -> Iterator[str]:
    for vif in vifs:
        if vif.nic.isolated and vif.network and vif.nic.mode == "routed":
            yield f"-A DOMU-FORWARD --in-interface {vif.name} ! --out-interface {vif.way_out} --jump DROP"
            yield f"-A DOMU-FORWARD --out-interface {vif.name} ! --in-interface {vif.way_out} --jump DROP"
    for alone in isolated_addresses(vifs, version):
        for other in known_addresses(vifs, version):
            yield f"-A DOMU-FORWARD --source {alone} --destination {other} --jump DROP"
            yield f"-A DOMU-FORWARD --source {other} --destination {alone} --jump DROP"
    for network in dom0.networks:
        if network.mode == "nat":
            into = f"-A DOMU-FORWARD --out-interface {network.name}"
            yield f"{into} --match conntrack --ctstate ESTABLISHED,RELATED --jump ACCEPT"
            yield f"{into} --match conntrack --ctstate DNAT --jump ACCEPT"
            yield f"{into} --jump DROP"
