"""A dom0's networks with their guests, as a tree of text and as a picture (SVG 1.1, made by hand)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any
from xml.sax.saxutils import escape

from builder.profile.dom0 import Dom0, Network
from builder.xen.network.devices import bridges_of
from builder.xen.network.forwards import Passed, passed_on
from builder.xen.network.plan import NetworkPlan
from builder.xen.network.vif import Vif

_LINE = 17  # pixels from one line of text to the next
_LETTER = 7.4  # pixels: a letter of a monospaced font of 12, the widest that browsers take for it
_PAD, _GAP = 10, 70
_STYLE = """
    text { font: 12px ui-monospace, 'DejaVu Sans Mono', monospace; fill: #1d2733 }
    .name { font-weight: bold }
    .quiet { fill: #5b6875 }
    .box { stroke-width: 1.5; rx: 6px }
    .device .box, .device.box { fill: #eef1f4; stroke: #5b6875 }
    .bridge .box { fill: #e3effc; stroke: #2a6db0 } .bridge path { stroke: #2a6db0 }
    .routed .box { fill: #e5f5e6; stroke: #2f8541 } .routed path { stroke: #2f8541 }
    .nat .box { fill: #fdf0dc; stroke: #b8741a } .nat path { stroke: #b8741a }
    .unknown .box { fill: #fbe4e4; stroke: #b03434 } .unknown path { stroke: #b03434 }
    .guest { fill: #ffffff; stroke: #c3ccd5; rx: 4px }
    path { fill: none; stroke: #5b6875; stroke-width: 1.5 }
    .nat .out { stroke-dasharray: 5 4 }
"""
_LINES_OF = {
    "bridge": "bridged: guests are on the wire",
    "routed": "routed: dom0 answers for the guests",
    "nat": "private: leaves under dom0's address",
    "unknown": "not in dom0.yaml",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A vif of a guest, in words: addresses, and what is passed on to it."""

    vif: Vif
    addresses: tuple[str, ...]
    forwards: tuple[str, ...]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is unusual about it."""
        nic = self.vif.nic
        marks = {"isolated": nic.isolated, "may send under any address": not nic.antispoof}
        return (*(f"VLAN {nic.vlan}" for _ in [nic.vlan] if nic.vlan), *(word for word, so in marks.items() if so))


@dataclass(frozen=True, slots=True)
class Group:
    """A network and the guests on it; `network` None for those of whose bridges dom0.yaml says nothing."""

    name: str
    mode: str
    network: Network | None
    device: str
    lines: tuple[str, ...]
    members: tuple[Member, ...]


def groups_of(plan: NetworkPlan) -> tuple[Group, ...]:
    """In dom0.yaml's order, guests by name; what dom0.yaml does not know comes last."""
    passed = passed_on(plan.vifs)
    members = {(vif.guest, vif.number): _member(vif, passed) for vif in plan.vifs}
    found = []
    for network in plan.dom0.networks:
        mine = tuple(members[vif.guest, vif.number] for vif in plan.vifs if vif.network == network)
        device = ", ".join(network.ports) if network.mode == "bridge" else network.outer or plan.dom0.outer
        lines = tuple(_network_lines(network, plan))
        found.append(Group(network.name, network.mode, network, device, lines, mine))
    strangers = sorted({vif.nic.bridge or "routed" for vif in plan.vifs if vif.network is None})
    for name in strangers:
        mine = tuple(
            members[vif.guest, vif.number]
            for vif in plan.vifs
            if vif.network is None and (vif.nic.bridge or "routed") == name
        )
        found.append(Group(name, "unknown", None, "", (_LINES_OF["unknown"],), mine))
    return tuple(found)


def _member(vif: Vif, passed: Iterable[Passed]) -> Member:
    nic = vif.nic
    words = [vif.v4 or (f"IPv4 {nic.ipv4}" if nic.ipv4 == "dhcp" else ""), vif.v6 or _auto6(vif)]
    forwards = [
        f"{one.public} {one.protocol}{_ports(one)}" for one in passed if one.path.startswith(f"nics[{vif.number}]")
        and one.name == vif.guest
    ]  # fmt: skip
    return Member(vif, tuple(str(word) for word in words if word), tuple(forwards))


def _auto6(vif: Vif) -> str:
    return "IPv6 auto" if vif.nic.ipv6 == "auto" and vif.nic.mode != "routed" else ""


def _ports(one: Passed) -> str:
    ports = ", ".join(map(str, one.ports))
    return f" {ports}" + (f" to {one.to}" if one.to else "") if ports else ""


def _network_lines(network: Network, plan: NetworkPlan) -> Iterator[str]:
    yield _LINES_OF[network.mode]
    if network.vlan:
        yield f"VLAN {network.vlan}"
    if network.kind == "openvswitch":
        yield "Open vSwitch"
    if network.existing:
        yield "dom0's own bridge"
    if network.mode != "bridge" and (way_out := plan.dom0.way_out(network)) != plan.dom0.outer:
        yield f"by {way_out}"
    yield from map(str, next((one.addresses for one in bridges_of(plan.dom0) if one.name == network.name), ()))
    yield from (f"guests: {subnet}" for subnet in network.subnets)
    yield from (f"public: {address}" for address in network.public)


def picture_text(plan: NetworkPlan) -> str:
    """A tree: dom0's way out, its networks, their guests, what is passed on to them."""
    groups = groups_of(plan)
    rows = [_device_line(plan.dom0)]
    widths = [max((len(cell[place]) for cell in map(_cells, _members(groups))), default=0) for place in range(3)]
    for group in groups:
        last = group is groups[-1]
        rows.append(f"{'└─' if last else '├─'} {group.name}  {group.mode}  {'; '.join(group.lines)}")
        stem = "   " if last else "│  "
        for member in group.members:
            final = member is group.members[-1]
            cells = "  ".join(cell.ljust(width) for cell, width in zip(_cells(member), widths, strict=True))
            words = "  ".join([cells, *member.addresses, *(f"[{mark}]" for mark in member.remarks)])
            rows.append(f"{stem}{'└─' if final else '├─'} {words}".rstrip())
            rows += [f"{stem}{'  ' if final else '│ '}    from {forward}" for forward in member.forwards]
    return "".join(f"{row}\n" for row in rows)


def _device_line(dom0: Dom0) -> str:
    held = " ".join(map(str, dom0.addresses))
    gateways = " ".join(str(one) for one in (dom0.gateway, dom0.gateway6) if one)
    words = [
        dom0.outer,
        "the outside",
        *([f"dom0: {held}"] if held else []),
        *([f"gateway: {gateways}"] if gateways else []),
    ]
    return "  ".join(words)


def _members(groups: Iterable[Group]) -> Iterator[Member]:
    for group in groups:
        yield from group.members


def _cells(member: Member) -> tuple[str, str, str]:
    return member.vif.guest, member.vif.name, member.vif.mac


def picture_data(plan: NetworkPlan) -> dict[str, Any]:
    """The same for programs."""
    return {
        "outer": plan.dom0.outer,
        "networks": [
            {
                "name": group.name,
                "mode": group.mode,
                "device": group.device,
                "guests": [
                    {
                        "guest": member.vif.guest,
                        "vif": member.vif.name,
                        "mac": member.vif.mac,
                        "addresses": list(map(str, member.vif.nic.fixed_addresses)),
                        "forwards": list(member.forwards),
                        "isolated": member.vif.nic.isolated,
                    }
                    for member in group.members
                ],
            }
            for group in groups_of(plan)
        ],
    }


def picture_svg(plan: NetworkPlan) -> str:
    """dom0's devices on the left, its networks in the middle, a row for each guest's vif on the right."""
    groups = sorted(groups_of(plan), key=lambda group: (group.device != plan.dom0.outer, group.device == ""))
    devices = _devices(plan.dom0, groups)
    first = _PAD + _width([line for lines in devices.values() for line in lines])
    middle = _width([line for group in groups for line in (group.name, *group.lines)])
    columns = _columns(groups)
    left, right = first + _GAP, first + middle + 2 * _GAP
    tops = [*accumulate((_height(group) + 2 * _PAD for group in groups), initial=float(_PAD))]
    centres = {id(group): top + _label(group) / 2 for group, top in zip(groups, tops, strict=False)}
    body, places, bottom = [], {}, 0.0
    for name, lines in devices.items():
        mine = [centres[id(group)] for group in groups if group.device == name]
        tall = len(lines) * _LINE + 2 * _PAD
        places[name] = max(sum(mine) / len(mine) if mine else 0.0, bottom + _PAD + tall / 2)
        bottom = places[name] + tall / 2
        body.append(f'<g class="device">{_box(_PAD, places[name], first - _PAD, lines)}</g>')
    for group, top in zip(groups, tops, strict=False):
        parts = [*_group(group, left, middle, top), *_rows(group, top, columns, edge=left + middle, right=right)]
        if group.device in places:
            parts.insert(0, _curve(first, places[group.device], left, centres[id(group)]))
        body.append(f'<g class="{group.mode}">\n' + "\n".join(parts) + "\n</g>")
    return _document(right + columns[-1] + _PAD, max(tops[-1], bottom + _PAD), body)


def _document(width: float, height: float, body: Sequence[str]) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">\n'
        f"<title>dom0's networks and their guests</title>\n<style>{_STYLE}</style>\n"
        '<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _devices(dom0: Dom0, groups: Iterable[Group]) -> dict[str, list[str]]:
    """dom0's interfaces to the outside, with what is written in their boxes."""
    gateways = [f"gateway {one}" for one in (dom0.gateway, dom0.gateway6) if one]
    found = {dom0.outer: [dom0.outer, "the outside", *map(str, dom0.addresses), *gateways]}
    for group in groups:
        if group.device:
            found.setdefault(group.device, [group.device])
    return found


def _columns(groups: Sequence[Group]) -> list[float]:
    """Where the cells of a guest's row begin, from its left; the last number is the row's width."""
    rows = [_row(member) for member in _members(groups)]
    widths = [max((len(line) for row in rows for line in row[place]), default=0) * _LETTER for place in range(5)]
    return [*accumulate((one + 18.0 if one else 0.0 for one in widths), initial=float(_PAD))]


def _row(member: Member) -> tuple[tuple[str, ...], ...]:
    forwards = tuple(f"from {one}" for one in member.forwards)
    guest, vif, mac = _cells(member)
    return (guest,), (vif,), (mac,), member.addresses, (*forwards, *member.remarks)


def _row_height(member: Member) -> float:
    return max(len(cell) for cell in _row(member)) * _LINE + _PAD


def _height(group: Group) -> float:
    rows = sum(_row_height(member) + 4 for member in group.members)
    return max(rows, _label(group))


def _label(group: Group) -> float:
    """How high its name and what is said of it are; they stand at the top, where a long list of guests begins."""
    return (len(group.lines) + 1) * _LINE + _PAD


def _group(group: Group, left: float, width: float, top: float) -> Iterator[str]:
    height = _height(group)
    yield f'<rect class="box" x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}"/>'
    for number, line in enumerate((group.name, *group.lines)):
        yield _text(left + _PAD, top + 4 + (number + 0.75) * _LINE, line, "quiet" if number else "name")


def _rows(group: Group, top: float, columns: Sequence[float], *, edge: float, right: float) -> Iterator[str]:
    """Each guest's row with its line from the network's box, which is as high as all of them together."""
    at = top
    for member in group.members:
        tall = _row_height(member)
        yield f'<path d="M {edge:.0f} {at + tall / 2:.1f} H {right:.0f}"/>'
        yield (f'<rect class="guest" x="{right:.0f}" y="{at:.1f}" width="{columns[-1]:.0f}" height="{tall:.0f}"/>')
        for place, lines in enumerate(_row(member)):
            for number, line in enumerate(lines):
                style = "name" if place == 0 else "quiet" if place in {2, 4} else ""
                yield _text(right + columns[place], at + 4 + (number + 0.75) * _LINE, line, style)
        at += tall + 4


def _box(left: float, middle: float, width: float, lines: Sequence[str]) -> str:
    height = len(lines) * _LINE + 2 * _PAD
    top = middle - height / 2
    texts = [
        _text(left + _PAD, top + _PAD + (number + 0.75) * _LINE, line, "quiet" if number else "name")
        for number, line in enumerate(lines)
    ]
    box = f'<rect class="box" x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}"/>'
    return "\n".join([box, *texts])


def _curve(left: float, start: float, right: float, end: float) -> str:
    half = (left + right) / 2
    points = f"M {left:.0f} {start:.1f} C {half:.0f} {start:.1f} {half:.0f} {end:.1f} {right:.0f} {end:.1f}"
    return f'<path class="out" d="{points}"/>'


def _text(left: float, base: float, text: str, style: str = "") -> str:
    marked = f' class="{style}"' if style else ""
    return f'<text{marked} x="{left:.1f}" y="{base:.1f}">{escape(text)}</text>'


def _width(lines: Iterable[str]) -> float:
    return max((len(line) for line in lines), default=0) * _LETTER + 2 * _PAD
