"""Facts of dom0's network: links by sysfs, sysctls by /proc/sys, nftables by its own program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builder.errors import BuilderError
from builder.host.dom0.reading import below, learnt, names_in, said, text_or_none
from builder.host.network.journal import Journal
from builder.host.run import Runner
from builder.xen.doctor.fact import Fact, Known, Unknown
from builder.xen.doctor.facts import Link, NetworkTrial, Table


def links(root: Path) -> Fact[Mapping[str, Link]]:
    """Every interface by name."""
    names = names_in(root, "/sys/class/net")
    return names.then(lambda found: {name: _link(root, name) for name in found or ()})


def _link(root: Path, name: str) -> Link:
    folder = below(root, f"/sys/class/net/{name}")
    flags = _first_line(folder / "flags")
    ports = tuple(sorted(path.name for path in (folder / "brif").iterdir())) if (folder / "brif").is_dir() else ()
    is_up = bool(int(flags, 16) & 1) if flags.startswith("0x") else False  # IFF_UP, linux/if.h
    return Link((folder / "bridge").is_dir(), is_up, ports)


def _first_line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def sysctl(root: Path, name: str) -> Fact[str | None]:
    """`net/ipv4/ip_forward`; None where the kernel has no such switch, as without its module."""
    return text_or_none(root, f"/proc/sys/{name}").then(lambda text: None if text is None else text.strip())


def trial(root: Path) -> Fact[NetworkTrial | None]:
    """What `domu network` has begun and not ended; None where there is nothing."""
    boot = text_or_none(root, "/proc/sys/kernel/random/boot_id")
    now = (boot.value or "").strip() if isinstance(boot, Known) else ""
    return learnt(Journal(root).trial).then(
        lambda begun: NetworkTrial(begun.id, begun.phase == "waiting" and begun.boot == now) if begun else None
    )


def tables(runner: Runner) -> Fact[tuple[Table, ...]]:
    """Every table of nftables, iptables-nft's included."""
    listed = said(runner, ["nft", "--json", "list", "ruleset"])
    if isinstance(listed, Unknown) and "permitted" in listed.why:
        return Unknown("nft works for root only (Operation not permitted)")
    return listed.then(_tables)


def _tables(text: str) -> tuple[Table, ...]:
    try:
        parts: list[dict[str, Any]] = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError) as error:
        raise BuilderError("nft --json list ruleset prints something else than its JSON") from error
    found = [part["table"] for part in parts if "table" in part]
    return tuple(_table(table["family"], table["name"], parts) for table in found)


def _table(family: str, name: str, parts: list[dict[str, Any]]) -> Table:
    here = {"family": family, "table": name}
    rules = sum(1 for part in parts if "rule" in part and here.items() <= part["rule"].items())
    drops = tuple(
        part["chain"]["name"]
        for part in parts
        if "chain" in part
        and here.items() <= part["chain"].items()
        and part["chain"].get("hook") == "forward"
        and part["chain"].get("policy") == "drop"
    )
    return Table(family, name, rules, drops)
