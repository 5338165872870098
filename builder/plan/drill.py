"""A guest's stand-in for a drill: the same system under another name, on volumes and a bridge that are thrown away.

Nothing that is the guest's own is in it: no volume, no address, no MAC, no UUID, no folder. What it says of a rebuild
is true but for what `differs` names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from builder.findings import Finding, Findings
from builder.profile.dom0 import Drill
from builder.profile.fields import HOST_LABEL
from builder.profile.load import LoadedSite
from builder.profile.model import Guest
from builder.profile.nics import Nic
from builder.storage.names import name_problem
from builder.storage.removal import removable

BRIDGE = "domu-drill"
ENDING = "-drill"
CACHER_PORT = 3142
_LONGEST = 63
Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StandIn:
    """The guest that is rebuilt in a drill of the guest `of`, and what is different from a rebuild of that one."""

    of: str
    guest: Guest
    differs: tuple[str, ...]


def stand_in_name(guest: str) -> str:
    """`web1-drill`."""
    return f"{guest}{ENDING}"


def stand_ins(
    guests: Iterable[Guest], drill: Drill, site: Collection[Guest] = ()
) -> tuple[tuple[StandIn, ...], tuple[Finding, ...]]:
    """One for each guest that can have one, and why the others cannot. `site`: all guests that there are."""
    findings, made = Findings(), list[StandIn]()
    addresses = (one for one in drill.subnet.hosts() if one != drill.own.ip)
    for guest in guests:
        nics = _nics(guest, drill, addresses)
        if nics is None:
            hint = "drill fewer guests at once, or write a larger drill.subnet into profiles/dom0.yaml"
            findings.add(Finding("G147", f"{drill.subnet} has no address left for it", hint, guest=guest.name))
            continue
        stand_in = _stand_in(guest, drill, nics)
        problems = tuple(_problems(guest, stand_in.guest, site))
        findings.extend(problems)
        if not problems:
            made.append(stand_in)
    return tuple(made), tuple(findings)


def with_stand_ins(loaded: LoadedSite, made: Iterable[StandIn]) -> LoadedSite:
    """The site with them as guests of it; what was said of the guests' files counts for them, too."""
    found = tuple(made)
    guests = sorted((*loaded.guests, *(one.guest for one in found)), key=lambda guest: guest.name)
    origins = {one.guest.name: loaded.origins.get(one.of, {}) for one in found}
    files = {one.guest.name: loaded.files.get(one.of, ()) for one in found}
    return LoadedSite(
        tuple(guests),
        loaded.unsound,
        loaded.findings,
        {**loaded.origins, **origins},
        {**loaded.files, **files},
        loaded.dom0,
        loaded.dom0_origins,
    )


def _nics(guest: Guest, drill: Drill, addresses: Iterator[IPv4Address]) -> tuple[Nic, ...] | None:
    """As many as the guest has, each with an address where the guest's has one; None where no address is left."""
    nics = []
    for number, nic in enumerate(guest.nics):
        bare = number > 0 and nic.ipv4 == "none" and nic.ipv6 == "none"
        address = None if bare else next(addresses, None)
        if address is None and not bare:
            return None
        ipv4 = {"address": f"{address}/{drill.subnet.prefixlen}"} if address else "none"
        nics.append(Nic.model_validate({"bridge": BRIDGE, "ipv4": ipv4, "ipv6": "none"}))
    return tuple(nics)


def _stand_in(guest: Guest, drill: Drill, nics: tuple[Nic, ...]) -> StandIn:
    """A copy under another name; whatever could lead to the guest itself, or to others, is replaced."""
    name = stand_in_name(guest.name)
    proxy = f"http://{drill.own.ip}:{CACHER_PORT}" if drill.proxy == "auto" else drill.proxy
    changes = {
        "name": name,
        "description": f"Drill of {guest.name}",
        "uuid": "auto",
        "nics": nics,
        "dns": (),
        "ntp": False,
        "proxy": proxy,
        "mirror": drill.mirror or guest.mirror,
        "disk": guest.disk.model_copy(update={"volume": None}),
        "volumes": tuple(one.model_copy(update={"volume": None, "keep": False}) for one in guest.volumes),
        "vnc": None,
        "autostart": False,
        "start_after": (),
        "ready": guest.ready.model_copy(update={"command": None}),
        "after": guest.after if drill.after else (),
    }
    fields = {field: getattr(guest, field) for field in Guest.model_fields}
    # Made of values that were validated, but for the name, which _problems looks at.
    return StandIn(guest.name, Guest.model_construct(**{**fields, **changes}), tuple(_differences(guest, drill, proxy)))


def _differences(guest: Guest, drill: Drill, proxy: str) -> Iterator[str]:
    """What a rebuild of the guest itself does, and its drill does not; for people, and for the record of the drill."""
    yield f"it is called {stand_in_name(guest.name)}, and has a UUID and MAC addresses of its own"
    yield f"its NICs are on the bridge {BRIDGE}, which leads nowhere, with addresses of {drill.subnet} and no gateway"
    yield f"the archive is reached through {proxy}" + (f", at {drill.mirror}" if drill.mirror else "")
    if guest.dns:
        yield "it has no name server"
    if guest.ntp:
        yield "its installer does not set the clock by NTP"
    if guest.volumes:
        yield f"its data volumes are new and empty: {', '.join(one.name for one in guest.volumes)}"
    if guest.ready.command:
        yield "ready.command is not run; it counts as up when ssh answers"
    if guest.after:
        yield "its after: hooks are run, with DOMU_GUEST as above" if drill.after else "its after: hooks are not run"
    if guest.start_after:
        yield f"it waits for no other guest ({', '.join(guest.start_after)})"
    if guest.vnc:
        yield "it has no screen"


def _problems(guest: Guest, stand_in: Guest, site: Collection[Guest]) -> Iterator[Finding]:
    name = stand_in.name
    if any(one.name == name for one in site):
        message = f"its drill would be called {name}, and there is such a guest"
        yield Finding("G146", message, "rename that guest", guest=guest.name)
    if len(name) > _LONGEST or not re.fullmatch(HOST_LABEL, name):
        message = f"its drill would be called {name}, which is too long for a host name"
        yield Finding("G146", message, f"a name of {_LONGEST - len(ENDING)} signs can have one", guest=guest.name)
    owners = {path: one.name for one in site for path in _paths(one)}
    for path in _paths(stand_in):
        if owner := owners.get(path):
            message = f"a volume of its drill would be called {path}, which is {owner}'s"
            yield Finding("G146", message, "give that volume another name", guest=guest.name)
        if problem := name_problem(*path.split("/")):
            yield Finding("G146", problem[0], problem[1], guest=guest.name)


def _paths(guest: Guest) -> Iterator[str]:
    """GROUP/NAME of every volume of the guest."""
    return (wish.path for wish in removable(guest))


def make_bridge(drill: Drill) -> tuple[Command, ...]:
    """The bridge of drills, with dom0's address; from it nothing is forwarded, and it has no IPv6."""
    conf = "net/{}/conf/" + BRIDGE + "/{}={}"
    return (
        ("ip", "link", "add", "name", BRIDGE, "type", "bridge"),
        ("sysctl", "--quiet", "--write", conf.format("ipv6", "disable_ipv6", 1)),
        ("sysctl", "--quiet", "--write", conf.format("ipv4", "forwarding", 0)),
        ("ip", "address", "add", str(drill.own), "dev", BRIDGE),
        ("ip", "link", "set", "dev", BRIDGE, "up"),
    )


def remove_bridge() -> tuple[Command, ...]:
    """Away with it."""
    return (("ip", "link", "delete", "dev", BRIDGE),)
