"""Rules on how a guest runs: limits that lie below what they limit, screens, and the order in which guests start."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from builder.findings import Finding, Severity
from builder.profile.model import Guest

NETWORK_STATE = "/var/lib/domu/network"
RUNS_STATE = "/var/lib/domu/runs"
_STATES = {NETWORK_STATE: "changes of dom0's network", RUNS_STATE: "rebuilds of guests"}


def limits(guest: Guest) -> Iterator[tuple[str, Finding]]:
    """What can be raised to less than it begins with, or capped above all it has."""
    if guest.max_memory and guest.max_memory < guest.memory:
        message = f"max_memory {guest.max_memory} is less than memory {guest.memory}"
        yield "max_memory", Finding("P117", message, "write more, or leave it out")
    if guest.max_vcpus and guest.max_vcpus < guest.vcpus:
        message = f"max_vcpus {guest.max_vcpus} is less than vcpus {guest.vcpus}"
        yield "max_vcpus", Finding("P117", message, "write more, or leave it out")
    if guest.cpu_cap and guest.cpu_cap > (most := 100 * (guest.max_vcpus or guest.vcpus)):
        message = f"cpu_cap {guest.cpu_cap} is more than its virtual CPUs have, {most}"
        yield "cpu_cap", Finding("P117", message, f"write at most {most}, or leave it out")


def screen(guest: Guest) -> Iterator[tuple[str, Finding]]:
    """VNC of a guest without a screen, or for everybody to see."""
    if guest.vnc is None:
        return
    if guest.type != "hvm":
        message, hint = f"a {guest.type} guest has no screen", "remove vnc; xl console shows its console"
        yield "vnc", Finding("P118", message, hint, severity=Severity.WARNING)
    elif not guest.vnc.listen.is_loopback:
        message = f"whoever reaches {guest.vnc.listen} has the guest's screen and keyboard, without a password"
        hint = "leave listen out, and reach it by ssh -L 5900:127.0.0.1:5900 dom0"
        yield "vnc.listen", Finding("P118", message, hint, severity=Severity.WARNING)


def folder(guest: Guest) -> Iterator[tuple[str, Finding]]:
    """A guest whose folder on dom0 is, or is within, one in which domu remembers what it does."""
    own = f"{guest.dom0_path.rstrip('/')}/{guest.name}"
    for state, what in _STATES.items():
        if not f"{own}/".startswith(f"{state}/"):
            continue
        message = f"{state} is where domu remembers {what}"
        yield "dom0_path", Finding("P121", message, "give the guest another name, or write another dom0_path")


def start(guest: Guest) -> Iterator[tuple[str, Finding]]:
    """An order for a guest that is not started with dom0."""
    if guest.start_after and not guest.autostart:
        hint = "write autostart: true, or remove it"
        finding = Finding("P119", "start_after counts with autostart only", hint, severity=Severity.WARNING)
        yield "start_after", finding


def start_order(guests: Mapping[str, Guest], known: Collection[str]) -> Iterator[tuple[Guest, str, Finding]]:
    """Of guests that name one another in start_after: none of the site, not started at all, or in a circle.

    Gives the guest, the path of the value in its profile, and the finding. `known`: all names, of unsound guests, too.
    """
    for guest in guests.values():
        for number, name in enumerate(guest.start_after):
            path = f"start_after[{number}]"
            if name not in known:
                message, hint = f"{name} is no guest of this site", "write a guest's name, or remove it"
                yield guest, path, Finding("P206", message, hint, severity=Severity.WARNING)
            elif circle := _way(guests, name, guest.name):
                message = f"it would start after itself: {' -> '.join([guest.name, *circle])}"
                yield guest, path, Finding("P206", message, "take one of them out")
            elif guest.autostart and name in guests and not guests[name].autostart:
                message, hint = f"{name} is not started with dom0", f"write autostart: true for {name}, or remove it"
                yield guest, path, Finding("P206", message, hint, severity=Severity.WARNING)


def _way(guests: Mapping[str, Guest], start: str, end: str) -> list[str]:
    """How `start` leads to `end` by start_after, both included; nothing when it does not."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        if way[-1] == end:
            return way
        if way[-1] in guests and way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, name] for name in guests[way[-1]].start_after]
    return []
