"""Checks of dom0's network: bridges and their ports, forwarding, nftables, what sends bridged packets through it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from builder.xen.doctor.check import Diagnosis, ok, unknown, warn, wrong
from builder.xen.doctor.fact import Fact, Known, Unknown
from builder.xen.doctor.facts import Dom0Facts, Link, NetworkTrial
from builder.xen.doctor.needs import Needs

FORWARD4 = "net/ipv4/ip_forward"
FORWARD6 = "net/ipv6/conf/all/forwarding"
BRIDGE_CALLS = "net/bridge/bridge-nf-call-iptables"
APPLY = "domu network apply"
_OURS = "domu"  # tables of our own begin so


def judge_bridges(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """Every bridge that a vif names, up, and with a port outwards where guests are bridged."""
    links = facts.links.get()
    if not needs.bridges:
        bridges = sorted(name for name, link in links.items() if link.is_bridge)
        yield ok(f"no guest asks for a bridge; here: {', '.join(bridges) or 'none'}")
        return
    good = []
    for name, modes in sorted(needs.bridges.items()):
        if trouble := _bridge_trouble(name, modes, links, is_switch=name in needs.switches):
            yield trouble
        else:
            good.append(name)
    if good:
        yield ok(f"bridges are up: {', '.join(good)}")


def _bridge_trouble(name: str, modes: set[str], links: Mapping[str, Link], *, is_switch: bool) -> Diagnosis | None:
    link = links.get(name)
    if link is None:
        return wrong(f"there is no bridge {name}", APPLY)
    if not link.is_bridge and not is_switch:
        return wrong(f"{name} is an interface, not a bridge", "domu network plan")
    if not link.is_up:
        return wrong(f"the bridge {name} is down", f"ip link set {name} up")
    outwards = [port for port in link.ports if not port.startswith(("vif", "tap"))]
    if "bridge" in modes and not outwards and not is_switch:
        return warn(
            f"the bridge {name} has no port outwards: bridged guests reach each other alone", "bridge link show"
        )
    return None


def judge_forwarding(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """What the network plan sets in the kernel; without one, whether routed and NAT guests are forwarded."""
    if needs.sysctls:
        yield from _judge_sysctls(facts, needs)
        return
    four, six = (_is_on(facts.sysctl(name)) for name in (FORWARD4, FORWARD6))
    routed = needs.modes & {"routed", "nat"}
    if not routed:
        yield ok(f"no guest needs dom0 to forward (IPv4 {_word(four)}, IPv6 {_word(six)})")
    elif not four:
        yield wrong(f"IPv4 is not forwarded, and {' and '.join(sorted(routed))} guests need it", APPLY)
    elif not six:
        yield warn("IPv4 is forwarded, IPv6 is not", APPLY)
    else:
        yield ok("IPv4 and IPv6 are forwarded")


def _judge_sysctls(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    seen = {one: facts.sysctl(one.name).get() for one in needs.sysctls}
    off = [one for one, value in seen.items() if value != one.value and not (value is None and one.optional)]
    if off:
        told = ", ".join(f"{one.name} is {seen[one] or 'not there'}, not {one.value}" for one in off)
        yield wrong(f"the guests' networks need other kernel settings: {told}", APPLY)
    else:
        yield ok(f"{len(seen)} kernel settings are as the network plan has them")


def judge_plan(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """What the next boot finds: the plan's files, word by word; and whether a change is still on trial."""
    yield from _judge_trial(facts.trial)
    if needs.network is None:
        yield ok("profiles/dom0.yaml plans no networks" if needs.site else "no site, no plan of networks")
        return
    now = {path: facts.text(path).get() for path in needs.network_files}
    absent = sorted(path for path, text in now.items() if text is None)
    other = sorted(path for path, text in now.items() if text not in {None, needs.network_files[path]})
    if len(absent) == len(now):
        yield wrong("nothing of the plan in profiles/dom0.yaml is installed", "domu network apply --diff", APPLY)
    elif absent or other:
        parts = [f"missing: {', '.join(absent)}"] if absent else []
        parts += [f"not as planned: {', '.join(other)}"] if other else []
        yield warn(f"the next boot has another network than planned ({'; '.join(parts)})", APPLY)
    else:
        yield ok(f"the {len(now)} files of the network plan are installed")


def _judge_trial(trial: Fact[NetworkTrial | None]) -> Iterator[Diagnosis]:
    if isinstance(trial, Unknown):
        yield unknown(f"whether a change of the network is on trial: {trial.why}")
    elif trial.value and trial.value.waits:
        message = f"change {trial.value.id} waits for its confirmation, and will be taken back without"
        yield warn(message, "domu network confirm   # or: domu network rollback")
    elif trial.value:
        yield warn(f"change {trial.value.id} of the network was interrupted", "domu network rollback")


def _is_on(fact: Fact[str | None]) -> bool:
    return (fact.get() or "0").strip() == "1"


def _word(on: bool) -> str:
    return "on" if on else "off"


def judge_bridge_calls(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """br_netfilter, which Docker and others load, sends packets between bridged guests through the forward chains."""
    value = facts.sysctl(BRIDGE_CALLS).get()
    if value is not None and value.strip() == "1":
        yield warn(
            "bridged packets pass iptables and nftables (br_netfilter is loaded): rules for dom0 can stop guests",
            "sysctl --write net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0",
        )
    else:
        yield ok("bridged packets pass no rules of dom0's")


def judge_nftables(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """Ours where NAT needs it; others' are named, and said where they drop what is forwarded."""
    tables = facts.tables.get()
    ours = [table for table in tables if table.name.startswith(_OURS)]
    foreign = [table for table in tables if table not in ours and table.rules]
    if "nat" in needs.modes and not ours:
        yield wrong("NAT guests need a table of nftables that is not there", APPLY)
    for table in foreign:
        if table.drops and needs.modes & {"routed", "nat"}:
            yield warn(
                f"the table {table.family} {table.name} drops what is forwarded unless a rule of its own lets it pass"
                f" ({', '.join(table.drops)})",
                shlex.join(["nft", "list", "table", table.family, table.name]),
            )
    names = ", ".join(f"{table.family} {table.name}" for table in foreign)
    if not ("nat" in needs.modes and not ours):
        yield ok(f"nftables answers; {f'tables of others: {names}' if names else 'no tables of others'}")


def judge_scripts(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """Run by xl for each vif."""
    bridged = {"vif-openvswitch" if name in needs.switches else "vif-bridge" for name in needs.bridges}
    routed = {"vif-route"} if "routed" in needs.modes else set()
    wanted = {f"/etc/xen/scripts/{name}" for name in bridged | routed}
    missing = sorted(path for path in wanted if not facts.has(path).get())
    if missing:
        yield wrong(f"missing: {', '.join(missing)}", "apt-get install --reinstall xen-utils-common")
    elif wanted:
        yield ok(f"vif scripts are here: {', '.join(sorted(path.rpartition('/')[2] for path in wanted))}")
    elif isinstance(facts.role, Known):
        yield unknown("no guest has a vif")
