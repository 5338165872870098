"""The bridge of drills on this dom0: made of nothing for a drill, and taken away with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import IPv4Network

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding
from builder.host.run import Runner, as_line

Command = tuple[str, ...]


def is_bridge_there(name: str, runner: Runner) -> bool:
    """Whether dom0 has an interface of this name."""
    return runner(("ip", "link", "show", "dev", name)).status == 0


def check_place(name: str, subnet: IPv4Network, runner: Runner) -> None:
    """RefusalError (G149) when there is an interface of this name, or dom0 has a way to the subnet already."""
    if is_bridge_there(name, runner):
        finding = Finding("G149", f"dom0 has an interface {name} already", f"if nobody needs it: ip link delete {name}")
        raise RefusalError("there is no place for a drill", [finding])
    for device, network in _routes(runner):
        if network.overlaps(subnet):
            message = f"{subnet} overlaps with {network}, which dom0 reaches through {device}"
            finding = Finding("G149", message, "write another drill.subnet into profiles/dom0.yaml")
            raise RefusalError("there is no place for a drill", [finding])


def make_bridge(commands: Sequence[Command], runner: Runner) -> None:
    """Carry the commands out. BuilderError for one that fails."""
    for command in commands:
        _run(command, runner)


def remove_bridge(name: str, commands: Sequence[Command], runner: Runner) -> None:
    """Away with it, if it is there."""
    if is_bridge_there(name, runner):
        for command in commands:
            _run(command, runner)


def _routes(runner: Runner) -> list[tuple[str, IPv4Network]]:
    """Device and network of every IPv4 route but the default one; those of dom0's own addresses are among them."""
    argv = ("ip", "-json", "-4", "route", "show")
    done = runner(argv)
    if done.status != 0:
        raise BuilderError(f"{as_line(argv)} failed: {done.complaint}", "it takes iproute2")
    try:
        rows = [row for row in json.loads(done.text or "[]") if row["dst"] != "default"]
        return [(row.get("dev", "?"), IPv4Network(row["dst"])) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuilderError(f"{as_line(argv)} was not understood: {error!r}", "it takes iproute2") from error


def _run(command: Command, runner: Runner) -> None:
    done = runner(command)
    if done.status != 0:
        raise BuilderError(f"{as_line(command)} failed: {done.complaint}", "this needs root, iproute2 and procps")
