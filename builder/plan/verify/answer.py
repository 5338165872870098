"""A guest's answer to the script, read into facts. The guest is not trusted: what is odd is unknown, with the reason.

How long an answer may be is bounded where it comes in. Raises BuilderError for an answer that is not the script's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from typing import Any, TypeVar

from builder.errors import BuilderError
from builder.plan.verify.facts import (
    Account,
    BootFiles,
    Disk,
    GuestFacts,
    Hypervisor,
    Interface,
    LateLog,
    Mount,
    Route,
    ServerKey,
    System,
    Units,
)
from builder.plan.verify.script import BEGIN, END, SECTIONS
from builder.units import Size
from builder.xen.doctor.fact import Fact, Known, Unknown

T = TypeVar("T")
_HEAD = re.compile(r"\[(?P<name>[a-z0-9]+) (?P<status>[0-9]{1,3})", re.ASCII)
_HINT = "is its sh Debian's own? log in and look what runs at a login"
_SECTOR = 512  # /sys/block/*/size counts in these, whatever the disk's own are (Documentation/ABI, block)
_NO_PROGRAM = 127
_ODD = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError)


@dataclass(frozen=True, slots=True)
class Section:
    """What one function of the script printed, and its exit status."""

    status: int
    lines: tuple[str, ...]


def read_sections(data: bytes) -> Mapping[str, Section]:
    """The answer taken apart; what a login prints before it is passed by."""
    lines = data.decode("utf-8", "backslashreplace").split("\n")
    if BEGIN not in lines:
        raise BuilderError(f"the guest answers something else: {lines[0][:80]!a}", _HINT)
    if lines[-2:] != [END, ""]:
        raise BuilderError("the guest's answer ends in the middle", "ask it again")
    found: dict[str, tuple[int, list[str]]] = {}
    current: list[str] | None = None
    for line in lines[lines.index(BEGIN) + 1 : -2]:
        head = _HEAD.fullmatch(line)
        if head and head["name"] in SECTIONS and head["name"] not in found:
            current = []
            found[head["name"]] = (int(head["status"]), current)
        elif current is not None and line.startswith(" "):
            current.append(line[1:])
        else:
            raise BuilderError(f"a line of the guest's answer is not understood: {line[:80]!a}", _HINT)
    return {name: Section(status, tuple(text)) for name, (status, text) in found.items()}


def read_facts(data: bytes) -> GuestFacts:
    """Every fact that the answer holds; BuilderError as read_sections."""
    sections = read_sections(data)

    def fact(name: str, read: Callable[[Sequence[str]], T]) -> Fact[T]:
        return _fact(sections.get(name), read)

    return GuestFacts(
        kernel=fact("kernel", _kernel),
        system=fact("system", _system),
        hypervisor=fact("hypervisor", _hypervisor),
        drivers=fact("drivers", lambda lines: dict(_pair(line) for line in lines)),
        memory=fact("memory", lambda lines: Size(_number(_only(lines)) << 10)),
        vcpus=fact("vcpus", lambda lines: _count_cpus(_only(lines))),
        disks=fact("disks", _disks),
        mounts=fact("mounts", _mounts),
        swaps=fact("swaps", _swaps),
        entries=fact("entries", _entries),
        interfaces=fact("addresses", _interfaces),
        routes4=fact("routes4", _routes),
        routes6=fact("routes6", _routes),
        name_servers=fact("resolver", lambda lines: tuple(line.split()[0] for line in lines)),
        host_name=fact("names", lambda lines: _values(lines)["host"]),
        fqdn=fact("names", lambda lines: _values(lines)["fqdn"]),
        time_zone=fact("timezone", lambda lines: _only(lines).rpartition("zoneinfo/")[2]),
        locale=fact("locale", lambda lines: _only(lines) if lines else ""),
        accounts=_accounts(sections),
        sudoers=fact("sudoers", frozenset),
        keys=fact("keys", _keys),
        packages=fact("packages", _packages),
        arguments=fact("arguments", lambda lines: tuple(_only(lines).split())),
        boot=fact("boot", _boot),
        server_keys=fact("hostkeys", lambda lines: tuple(map(_server_key, lines))),
        late=fact("late", _late),
        units=fact("units", _units),
    )


def _fact(section: Section | None, read: Callable[[Sequence[str]], T]) -> Fact[T]:
    if section is None:
        return Unknown("the guest's answer says nothing of it")
    if section.status == _NO_PROGRAM:
        return Unknown("the program that tells it is not in the guest")
    if section.status:
        return Unknown(f"what tells it failed in the guest, status {section.status}")
    try:
        return Known(read(section.lines))
    except _ODD as error:
        return Unknown(f"the guest's answer is odd: {str(error)[:120]!a}")


def _only(lines: Sequence[str]) -> str:
    if len(lines) != 1 or not lines[0].strip():
        raise ValueError(f"{len(lines)} lines, and one was expected")
    return lines[0].strip()


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
        raise ValueError(f"{text[:40]!a} is no number")
    return int(text)


def _pair(line: str) -> tuple[str, str]:
    first, second = line.split(" ", 1)
    return first, second


def _values(lines: Sequence[str]) -> dict[str, str]:
    """`name=value` lines, each name once."""
    pairs = [line.split("=", 1) for line in lines]
    found = {pair[0]: pair[1] for pair in pairs}
    if len(found) != len(lines):
        raise ValueError("a name is there twice")
    return found


def _kernel(lines: Sequence[str]) -> str:
    name, release, _machine = _only(lines).split(" ")
    if name != "Linux":
        raise ValueError(f"{name[:40]!a} is no Linux")
    return release


def _system(lines: Sequence[str]) -> System:
    found = _values(lines)
    return System(found["suite"], found["arch"])


def _hypervisor(lines: Sequence[str]) -> Hypervisor:
    found = _values(lines)
    return Hypervisor(found.get("type", ""), found.get("guest_type", ""), found.get("uuid", ""))


def _count_cpus(text: str) -> int:
    """`0-3,5` (Documentation/admin-guide/cputopology.rst)."""
    count = 0
    for part in text.split(","):
        first, dash, last = part.partition("-")
        count += _number(last if dash else first) - _number(first) + 1
    return count


def _disks(lines: Sequence[str]) -> Mapping[str, Disk]:
    found: dict[str, Disk] = {}
    parts: dict[str, dict[str, Size]] = {}
    for line in lines:
        kind, name, sectors, other = line.split(" ")
        size = Size(_number(sectors) * _SECTOR)
        if kind == "disk":
            parts[name] = {}
            found[name] = Disk(size, "" if other == "-" else other, parts[name])
        elif kind == "part":
            parts[other][name] = size
        else:
            raise ValueError(f"{kind[:40]!a} is neither disk nor part")
    return found


def _mounts(lines: Sequence[str]) -> Mapping[str, Mount]:
    """/proc/self/mountinfo (proc(5)); of several at one place the last one counts, as it covers the others."""
    found = {}
    for line in lines:
        before, after = line.split(" - ", 1)
        words, more = before.split(" "), after.split(" ")
        writable = "ro" not in [*words[5].split(","), *more[2].split(",")]
        point = plain(words[4])
        found[point] = Mount(point, more[0], plain(more[1]), writable)
    if "/" not in found:
        raise ValueError("nothing is mounted on /")
    return found


def _swaps(lines: Sequence[str]) -> Mapping[str, Size]:
    if not lines or not lines[0].startswith("Filename"):
        raise ValueError("the headings of /proc/swaps are missing")
    rows = [line.split() for line in lines[1:]]
    return {plain(row[0]): Size(_number(row[2]) << 10) for row in rows}


def _entries(lines: Sequence[str]) -> Mapping[str, int]:
    return {plain(point): _number(count) for count, point in map(_pair, lines)}


def _interfaces(lines: Sequence[str]) -> tuple[Interface, ...]:
    return tuple(_interface(entry) for entry in json.loads("\n".join(lines)))


def _interface(entry: Mapping[str, Any]) -> Interface:
    found = {
        ip_interface(f"{one['local']}/{int(one['prefixlen'])}"): bool(one.get("dynamic"))
        for one in entry.get("addr_info", [])
        if one["family"] in {"inet", "inet6"} and one["scope"] == "global"
    }
    leased = frozenset(address for address, dynamic in found.items() if dynamic)
    return Interface(_text(entry["ifname"]), _text(entry.get("address", "")), tuple(found), leased)


def _routes(lines: Sequence[str]) -> tuple[Route, ...]:
    entries = json.loads("\n".join(lines) or "[]")  # without IPv6 in the kernel ip prints nothing
    return tuple(route for entry in entries for route in _route(entry))


def _route(entry: Mapping[str, Any]) -> Iterator[Route]:
    for hop in entry.get("nexthops") or [entry]:
        gateway = hop.get("gateway") or (hop.get("via") or {}).get("host")
        address = ip_address(_text(gateway)) if gateway else None
        yield Route(address, _text(hop["dev"]), entry.get("protocol") == "ra")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]!a} is no text")
    return value


def _accounts(sections: Mapping[str, Section]) -> Fact[Mapping[str, Account]]:
    passwords = _fact(sections.get("passwords"), lambda lines: dict(_password(line) for line in lines))
    kinds = passwords.value if isinstance(passwords, Known) else {}

    def read(lines: Sequence[str]) -> Mapping[str, Account]:
        rows = [line.split(":") for line in lines]
        found = {row[0]: Account(row[0], _number(row[1]), kinds.get(row[0], "")) for row in rows}
        if not any(account.uid == 0 for account in found.values()):
            raise ValueError("there is no root")
        return found

    return _fact(sections.get("accounts"), read)


def _password(line: str) -> tuple[str, str]:
    name, kind = line.split(":")
    if kind not in {"set", "locked", "none"}:
        raise ValueError(f"{kind[:40]!a} is no kind of password")
    return name, kind


def _keys(lines: Sequence[str]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for account, fingerprint in map(_pair, lines):
        found.setdefault(account, set()).add(_fingerprint(fingerprint))
    return {account: frozenset(keys) for account, keys in found.items()}


def _fingerprint(text: str) -> str:
    if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", text):
        raise ValueError(f"{text[:60]!a} is no fingerprint")
    return text


def _packages(lines: Sequence[str]) -> Mapping[str, str]:
    """Package -> dpkg's two letters: what is wanted, what is (dpkg-query(1), db:Status-Abbrev)."""
    found: dict[str, str] = {}
    for line in lines:
        state, name, _version = [*line.split(" "), ""][:3]
        found[name] = state if found.get(name, "ii") == "ii" else found[name]  # of several architectures the worst
    if "dpkg" not in found:
        raise ValueError("dpkg itself is not in the list")
    return found


def _boot(lines: Sequence[str]) -> BootFiles:
    found: dict[str, set[str]] = {kind: set() for kind in ("kernel", "ready", "unfit", "menu", "hook", "core")}
    for kind, value in map(_pair, lines):
        found[kind].add(value)
    return BootFiles(
        kernels=frozenset(found["kernel"]),
        ready=frozenset(found["ready"]),
        unfit=frozenset(found["unfit"]),
        menu=frozenset(found["menu"]),
        hooks=frozenset(found["hook"]),
        has_core=bool(found["core"]),
    )


def _server_key(line: str) -> ServerKey:
    mode, owner, fingerprint, word, path = line.split(" ", 4)
    if word not in {"used", "spare"}:
        raise ValueError(f"{word[:40]!a} is not known of a key")
    public = "" if fingerprint == "-" else _fingerprint(fingerprint)
    return ServerKey(path, public, int(mode, 8), _number(owner), word == "used")


def _late(lines: Sequence[str]) -> LateLog:
    steps: int | None = None
    failed = []
    for kind, value in map(_pair, lines):
        if kind == "steps":
            steps = _number(value)
        elif kind == "failed":
            failed.append(value.split(" ", 1)[1])
        elif (kind, value) != ("no", "log"):
            raise ValueError(f"{kind[:40]!a} is not known of a log")
    return LateLog(steps, tuple(failed))


def _units(lines: Sequence[str]) -> Units:
    pairs = [_pair(line) for line in lines]
    (state,) = [value for kind, value in pairs if kind == "state"]
    return Units(state, tuple(value for kind, value in pairs if kind == "failed"))


def plain(text: str) -> str:
    """The kernel writes blanks, tabs, newlines and backslashes in its tables as octal."""
    for sign in " \t\n\\":
        text = text.replace(f"\\{ord(sign):03o}", sign)
    return text
