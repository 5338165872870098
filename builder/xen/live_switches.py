"""Open vSwitch's bridges as its database has them (3.1), and the transaction that leads from one state to another.

The database outlives a boot. So a change on trial comes with a script for the next boot, which takes it back there
before ovs-vswitchd looks; whoever never confirms has the machine as it was all the same.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from shlex import join
from typing import Any, Self

from builder.errors import BuilderError

KIND = "openvswitch"  # what the kernel's own data path calls such interfaces, and what they are called here
USER_SPACE = "tun"  # those of the data path in user space, when the database has forgotten them
# One transaction, so the three fit together.
LOOK_SWITCHES = ("ovs-vsctl", "--timeout=15", "--format=json",
                 "--", "--columns=name,ports,other_config", "list", "Bridge",
                 "--", "--columns=_uuid,name,tag,trunks,interfaces", "list", "Port",
                 "--", "--columns=_uuid,name,mtu_request,error,external_ids", "list", "Interface")  # fmt: skip
LOOK_SWITCHD = ("ovs-appctl", "--timeout=5", "version")
TELL_SWITCHES = ("ovs-vsctl", "--timeout=15")
_DAEMON = "see to it first: systemctl status ovsdb-server ovs-vswitchd"


@dataclass(frozen=True, slots=True, order=True)
class SwitchPort:
    """A port. `tag`: the VLAN that it is in, 0 for none; `trunks`: the VLANs that it carries, empty for all.

    `labels`: external_ids of its interface, where Xen's scripts note the guest. `error`: why it does not work.
    """

    name: str
    tag: int = 0
    trunks: tuple[int, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    error: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Switch:
    """A bridge of Open vSwitch's. `mac` and `mtu` are empty and 0 where Open vSwitch chooses them."""

    name: str
    mac: str = ""
    mtu: int = 0
    ports: tuple[SwitchPort, ...] = ()
    error: str = field(default="", compare=False)

    @property
    def port_names(self) -> frozenset[str]:
        """Of all ports but the bridge's own."""
        return frozenset(port.name for port in self.ports)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Of `to_data`."""
        ports = [
            SwitchPort(
                **{**one, "trunks": tuple(one["trunks"]), "labels": tuple((key, value) for key, value in one["labels"])}
            )
            for one in data["ports"]
        ]
        return cls(**{**data, "ports": tuple(ports)})

    def to_data(self) -> dict[str, Any]:
        """As plain data, for a journal."""
        return asdict(self)


def parse_switches(text: str) -> dict[str, Switch]:
    """Of the answer to LOOK_SWITCHES, by name; BuilderError for anything else."""
    try:
        bridges, ports, interfaces = (_rows(json.loads(line)) for line in text.splitlines() if line.strip())
        by_id = {one["_uuid"]: one for one in (*ports, *interfaces)}
        switches = [_switch(one, by_id) for one in bridges]
    except (ValueError, KeyError, TypeError) as error:
        raise BuilderError(
            f"ovs-vsctl tells something that domu does not understand: {error!r}", "Open vSwitch 3.1 is known to do"
        ) from error
    return {one.name: one for one in switches}


def _rows(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(table["headings"], map(_plain, row), strict=True)) for row in table["data"]]


def _plain(value: Any) -> Any:
    """OVSDB's notation (RFC 7047, section 5.1): a set as a tuple, a map as a dict, a row's id as text."""
    match value:
        case ["set", [*items]]:
            return tuple(map(_plain, items))
        case ["map", [*pairs]]:
            return {_plain(key): _plain(item) for key, item in pairs}
        case ["uuid", str(name)]:
            return name
    return value


def _several(value: Any) -> tuple[Any, ...]:
    """A set; that of one value is written as that value."""
    return value if isinstance(value, tuple) else (value,)


def _switch(row: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> Switch:
    name, mtu, error = row["name"], 0, ""
    found = []
    for port in (by_id[key] for key in _several(row["ports"])):
        interfaces = [by_id[key] for key in _several(port["interfaces"])]
        complaint = "; ".join(text for one in interfaces for text in _several(one["error"]) if text)
        if port["name"] == name:
            error, mtu = complaint, sum(_several(interfaces[0]["mtu_request"]))
            continue
        labels = tuple(sorted(interfaces[0]["external_ids"].items()))
        trunks = tuple(sorted(_several(port["trunks"])))
        found.append(SwitchPort(port["name"], sum(_several(port["tag"])), trunks, labels, complaint))
    return Switch(name, row["other_config"].get("hwaddr", ""), mtu, tuple(sorted(found)), error)


def transaction(
    now: Mapping[str, Switch],
    target: Mapping[str, Switch],
    scope: AbstractSet[str],
    free: Container[str] | None = None,
) -> tuple[str, ...]:
    """The words after `ovs-vsctl` that lead from `now` to `target`, carried out as a whole or not at all.

    Only bridges and ports of `scope` are touched; but with a bridge that is made again, its other ports come back as
    well. `free`: interfaces that can be plugged in now; None: whatever `scope` has. Nothing to do: no words.
    """
    names = sorted(scope & (now.keys() | target.keys()))
    commands: list[tuple[str, ...]] = [
        ("--if-exists", "del-br", name) for name in names if name in now and name not in target
    ]
    for name in names:
        if name in now and name in target:
            gone = (now[name].port_names - target[name].port_names) & scope
            commands += [("--if-exists", "del-port", name, port) for port in sorted(gone)]
    for name in names:
        if name in target:
            commands += _laid(now.get(name), target[name], scope, free)
    return tuple(word for command in commands for word in ("--", *command))


def _laid(
    seen: Switch | None, switch: Switch, scope: AbstractSet[str], free: Container[str] | None
) -> Iterator[tuple[str, ...]]:
    name = switch.name
    if seen is None:
        yield "--may-exist", "add-br", name
    was = seen or Switch(name)
    if switch.mac != was.mac:
        setting = f"other-config:hwaddr={switch.mac}"
        yield ("set", "Bridge", name, setting) if switch.mac else ("remove", "Bridge", name, "other-config", "hwaddr")
    yield from _set("Interface", name, "mtu_request", (was.mtu,), (switch.mtu,))
    known = {port.name: port for port in was.ports}
    for port in switch.ports:
        if port.name not in known:
            if (port.name in free) if free is not None else (port.name in scope):
                yield "--may-exist", "add-port", name, port.name
                yield from _port(SwitchPort(port.name), port)
        elif port.name in scope:
            yield from _port(known[port.name], port)


def _port(was: SwitchPort, port: SwitchPort) -> Iterator[tuple[str, ...]]:
    yield from _set("Port", port.name, "tag", (was.tag,), (port.tag,))
    yield from _set("Port", port.name, "trunks", was.trunks, port.trunks)
    for key, value in port.labels:
        if (key, value) not in was.labels:
            yield "set", "Interface", port.name, f"external-ids:{json.dumps(key)}={json.dumps(value)}"


def _set(
    table: str, row: str, column: str, was: tuple[int, ...], becomes: tuple[int, ...]
) -> Iterator[tuple[str, ...]]:
    if was != becomes:
        numbers = ",".join(map(str, becomes))
        yield ("set", table, row, f"{column}={numbers}") if any(becomes) else ("clear", table, row, column)


def commands_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """The single commands of a transaction, for people to read."""
    return tuple(part.strip() for part in f" {join(words)} ".split(" -- ") if part.strip())


DROP_IN = """\
# Made by `domu network apply` for as long as a change of Open vSwitch's bridges is on trial.
[Unit]
RequiresMountsFor={folder}

[Service]
ExecStartPre=-/bin/sh {folder}/{script}
"""
_SCRIPT = """\
#!/bin/sh
# Made by `domu network apply`: after a boot, takes back what nobody confirmed, before ovs-vswitchd looks.
set -eu
cd "$(dirname "$0")"
[ "$(cat /proc/sys/kernel/random/boot_id)" != {boot} ] || exit 0
grep -q '"phase": "\\(applying\\|waiting\\)"' trial.json || exit 0
exec ovs-vsctl --no-wait --timeout=15 {words}
"""


def boot_script(words: tuple[str, ...], boot: str) -> str:
    """For sh: carries the transaction out in any boot but this one, while the trial is not confirmed."""
    return _SCRIPT.format(boot=boot, words=join(words))
