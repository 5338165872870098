"""Frames that a guest forges, sent raw in a network namespace: dropped where they enter dom0, its own ones are not."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from builder.cli import app
from tests.netns import LAN6, Namespace, world
from tests.netsite import Machine, lay_site

MARK = b"is it there?"
END = b"that was all"
EVERYBODY = "ff:ff:ff:ff:ff:ff"
GUEST = "b2"
OWN4, OWN6 = "192.0.2.11", f"{LAN6}::11"
OTHER4, OTHER6 = "192.0.2.10", f"{LAN6}::10"
ROUTER6 = f"{LAN6}::1"
_ETH_P_ALL = 3  # linux/if_ether.h


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("guard")
    with world(folder) as made:
        laid = Machine(made, lay_site(folder / "site"), folder / "root")
        app.load_commands()
        with laid.dom0.inside():
            argv = ["--site", str(laid.site), "network", "apply", "--yes", "--root", str(laid.root)]
            assert app.call(argv) == app.FINE
        laid.start(GUEST)
        yield laid


def mac_of(guest: Namespace) -> str:
    found: str = guest.shown("link show dev eth0")[0]["address"]
    return found


def frame(source: str, kind: int, body: bytes) -> bytes:
    ends = bytes.fromhex((EVERYBODY + source).replace(":", ""))
    return ends + struct.pack("!H", kind) + body


def udp(source: int, target: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload


def ipv4(source: str, body: bytes, protocol: int = 17) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0)
    addresses = IPv4Address(source).packed + IPv4Address("192.0.2.1").packed
    whole = head + addresses
    total = sum(struct.unpack("!10H", whole))
    total = (total & 0xFFFF) + (total >> 16)
    return whole[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + whole[12:] + body


def ipv6(source: str, body: bytes, protocol: int = 58) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(body), protocol, 255)
    return head + IPv6Address(source).packed + IPv6Address(ROUTER6).packed + body


def arp(sender_mac: str, sender: str) -> bytes:
    """A reply that nobody asked for, with the mark in its padding."""
    mac = bytes.fromhex(sender_mac.replace(":", ""))
    parts = mac + IPv4Address(sender).packed + mac + IPv4Address(sender).packed
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + parts + MARK


def advertisement(target: str) -> bytes:
    """A neighbour's (RFC 4861, 4.4)."""
    return struct.pack("!BBHI", 136, 0, 0, 0x20000000) + IPv6Address(target).packed + MARK


def link_local(mac: str) -> str:
    one = bytes.fromhex(mac.replace(":", ""))
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + bytes([one[0] ^ 2]) + one[1:3] + b"\xff\xfe" + one[3:]))


def arrives(machine: Machine, forged: bytes, own: bytes) -> bool:
    """Whether a frame comes out at the router; frames keep their order, so the one behind it tells when to stop."""
    with machine.world["router"].inside():
        watcher = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    with machine.world[GUEST].inside():
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with watcher, sender:
        watcher.bind(("lan", _ETH_P_ALL))
        watcher.settimeout(20)
        sender.bind(("eth0", 0))
        sender.send(forged)
        sender.send(own)
        seen = False
        while END not in (received := watcher.recv(2048)):
            seen = seen or MARK in received
        return seen


RA = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + MARK
FORGED: dict[str, Callable[[str], bytes]] = {
    "another's IPv4 address": lambda mac: frame(mac, 0x0800, ipv4(OTHER4, udp(9, 9, MARK))),
    "another's MAC address": lambda _mac: frame("00:16:3e:66:66:66", 0x0800, ipv4(OWN4, udp(9, 9, MARK))),
    "ARP for another's address": lambda mac: frame(mac, 0x0806, arp(mac, OTHER4)),
    "ARP with another's MAC inside": lambda mac: frame(mac, 0x0806, arp("00:16:3e:66:66:66", OWN4)),
    "an answer of a DHCP server": lambda mac: frame(mac, 0x0800, ipv4(OWN4, udp(67, 68, MARK))),
    "an answer of a DHCPv6 server": lambda mac: frame(mac, 0x86DD, ipv6(OWN6, udp(547, 546, MARK), 17)),
    "another's IPv6 address": lambda mac: frame(mac, 0x86DD, ipv6(OTHER6, udp(9, 9, MARK), 17)),
    "another's link-local address": lambda mac: frame(mac, 0x86DD, ipv6("fe80::1", udp(9, 9, MARK), 17)),
    "a router's advertisement": lambda mac: frame(mac, 0x86DD, ipv6(link_local(mac), RA)),
    "a neighbour's advertisement for another": lambda mac: frame(mac, 0x86DD, ipv6(OWN6, advertisement(OTHER6))),
    "a neighbour's advertisement for the router": lambda mac: frame(mac, 0x86DD, ipv6(OWN6, advertisement(ROUTER6))),
    "a VLAN tag around its own": lambda mac: frame(mac, 0x8100, struct.pack("!HH", 7, 0x0800) + ipv4(OWN4, udp(9, 9, MARK))),
    "a VLAN tag around another's": lambda mac: frame(
        mac, 0x8100, struct.pack("!HH", 7, 0x0800) + ipv4(OTHER4, udp(9, 9, MARK))
    ),
    "another protocol": lambda mac: frame(mac, 0x88CC, MARK * 4),
}  # fmt: skip
SOUND: dict[str, Callable[[str], bytes]] = {
    "its IPv4 address": lambda mac: frame(mac, 0x0800, ipv4(OWN4, udp(9, 9, MARK))),
    "ARP for its address": lambda mac: frame(mac, 0x0806, arp(mac, OWN4)),
    "asking for a free address": lambda mac: frame(mac, 0x0806, arp(mac, "0.0.0.0")),  # noqa: S104 (RFC 5227)
    "its IPv6 address": lambda mac: frame(mac, 0x86DD, ipv6(OWN6, udp(9, 9, MARK), 17)),
    "its link-local address": lambda mac: frame(mac, 0x86DD, ipv6(link_local(mac), udp(9, 9, MARK), 17)),
    "a neighbour's advertisement for itself": lambda mac: frame(mac, 0x86DD, ipv6(OWN6, advertisement(OWN6))),
}


@pytest.mark.parametrize("kind", [*FORGED, *SOUND])
def test_what_enters_dom0_is_the_guests_own(machine: Machine, kind: str) -> None:
    mac = mac_of(machine.world[GUEST])
    made = (FORGED | SOUND)[kind](mac)
    end = frame(mac, 0x0800, ipv4(OWN4, udp(9, 9, END)))
    assert arrives(machine, made, end) == (kind in SOUND)


def test_the_frames_would_pass_without_the_rules(machine: Machine) -> None:
    """It is not the bridge that drops them: with the guest's chain empty all of them come out."""
    dom0, mac = machine.dom0, mac_of(machine.world[GUEST])
    kept = machine.root / "kept.nft"
    kept.write_text(dom0.run("nft", "list", "table", "bridge", "domu").stdout)
    dom0.run("nft", "flush", "chain", "bridge", "domu", f"vif-{GUEST}.0")
    try:
        end = frame(mac, 0x0800, ipv4(OWN4, udp(9, 9, END)))
        assert [kind for kind, made in FORGED.items() if not arrives(machine, made(mac), end)] == []
    finally:
        dom0.run("nft", "delete", "table", "bridge", "domu")
        dom0.run("nft", "--file", Path(kept))
