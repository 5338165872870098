"""What runs against what shall be: nothing to say of a guest that is as its profile says, and a row for each finding."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from builder.findings import Severity
from builder.plan.verify.check import Runs, Wish
from builder.plan.verify.compare import CHECKS, compare
from builder.plan.verify.script import SECTIONS
from builder.report.verify import checks_rows, checks_table
from builder.units import Size
from builder.xen.domain_config import DomainDisk, DomainNic
from builder.xen.readings import DomainState
from tests.answers import ADDRESS, ADMIN, HOST_KEY, KERNEL, OTHER, SAME, facts, same_domain, same_guest

DOCS = Path(__file__).parents[4] / "docs"
Changes = Mapping[str, str | None]
Seen = list[tuple[str, str, str]]


def seen(
    changes: Changes | None = None, domain: Mapping[str, Any] | None = None, *, kept: bool = True, **profile: Any
) -> Seen:
    """Code, severity and message of everything that is found."""
    wish = Wish(same_guest(**profile), host_keys=(HOST_KEY,) if kept else ())
    found = [
        *compare(wish, Runs(same_domain(**(domain or {})), None)),
        *compare(wish, Runs(None, facts(changes))),
    ]
    assert {finding.guest for finding in found} <= {"web1"}
    return [(finding.code, finding.severity.word, finding.message) for finding in found]


def edited(section: str, old: str, new: str) -> Changes:
    assert old in SAME[section]
    return {section: SAME[section].replace(old, new)}


def test_of_a_guest_as_its_profile_says_there_is_nothing_to_say() -> None:
    assert seen() == []
    assert seen(kept=False) == []


def interfaces(**changes: Any) -> str:
    return json.dumps([ADDRESS[0], ADDRESS[1] | changes])


V4 = ADDRESS[1]["addr_info"][0]
V6 = ADDRESS[1]["addr_info"][1]
PVH = {"type": "pvh", "bootloader": "auto"}
GUEST_ROWS = [
    ("W105", "error", "what answers is the domain", edited("hypervisor", "uuid=", "uuid=0")),
    ("W120", "error", "runs Debian bookworm", edited("system", "trixie", "bookworm")),
    ("W120", "error", "is of architecture arm64", edited("system", "amd64", "arm64")),
    ("W121", "error", "runs as PVH, and the profile says PV", edited("hypervisor", "PV", "PVH")),
    ("W121", "error", "does not tell its virtualisation mode", edited("hypervisor", "guest_type=PV\n", "")),
    ("W121", "error", "runs below no hypervisor that it knows", {"hypervisor": ""}),
    ("W121", "error", "runs below kvm, not below Xen", edited("hypervisor", "type=xen", "type=kvm")),
    ("W122", "error", "xvda (ata_piix)", edited("drivers", "xvda vbd", "xvda ata_piix")),
    ("W122", "error", "has 0 NICs by Xen's driver", edited("drivers", "enX0 vif", "enX0 e1000")),
    ("W123", "error", "has 2.0 GiB of memory", {"memory": str(2 << 20)}),
    ("W123", "error", "too little for", {"memory": str(512 << 10)}),
    ("W124", "error", "runs on 1 virtual CPUs", {"vcpus": "0"}),
    ("W124", "error", "runs on 5 virtual CPUs", {"vcpus": "0-3,8"}),
    ("W125", "error", "without elevator=noop", edited("arguments", " elevator=noop", "")),
    ("W125", "error", "without console=hvc0", edited("arguments", "console=hvc0", "console=hvc01")),
    ("W126", "note", "6.12.57+deb13-amd64 is installed", {"boot": SAME["boot"].replace(KERNEL, "6.12.57+deb13-amd64")
        + f"\nkernel {KERNEL}\nready {KERNEL}\nmenu {KERNEL}"}),
    ("W126", "note", "not in its /boot any more", edited("kernel", "6.12.48", "6.12.43")),
    ("W130", "error", "has no disk /dev/xvdb", edited("disks", "\ndisk xvdb 20971520 -", "")),
    ("W130", "error", "/dev/xvda has 3.0 GiB", edited("disks", "xvda 8388608", "xvda 6291456")),
    ("W130", "note", "/dev/xvdb has 20.0 GiB, more than", edited("disks", "20971520", "41943040")),
    ("W131", "error", "has gpt partition table, not msdos", edited("disks", "dos", "gpt")),
    ("W131", "error", "has no partition table", edited("disks", "dos", "-")),
    ("W132", "error", "/ is xfs (/dev/xvda1)", edited("mounts", "ext4 /dev/xvda1", "xfs /dev/xvda1")),
    ("W132", "error", "/ is mounted read-only", edited("mounts", "/ / rw,relatime", "/ / ro,relatime")),
    ("W133", "error", "uses 0 swap areas", {"swaps": "Filename\tType\tSize\tUsed\tPriority"}),
    ("W134", "error", "nothing is mounted on /srv", {"mounts": SAME["mounts"].splitlines()[0]}),
    ("W134", "error", "/srv is mounted from /dev/xvdc", edited("mounts", "/dev/xvdb", "/dev/xvdc")),
    ("W134", "error", "/srv is xfs", edited("mounts", "ext4 /dev/xvdb", "xfs /dev/xvdb")),
    ("W134", "error", "/srv is mounted read-only", edited("mounts", "/dev/xvdb rw", "/dev/xvdb ro,errors=remount-ro")),
    ("W135", "note", "/srv is empty", edited("entries", "3 /srv", "0 /srv")),
    ("W135", "warning", "what is on /srv cannot be known", edited("entries", "\n3 /srv", "")),
    ("W140", "error", "no interface with the MAC", {"addresses": interfaces(address="00:16:3e:00:00:02")}),
    ("W140", "error", "has 192.0.2.11/24, and the profile says", {
        "addresses": interfaces(addr_info=[V4 | {"local": "192.0.2.11"}, V6])}),
    ("W140", "error", "has no address, and the profile says 192.0.2.10/24", {"addresses": interfaces(addr_info=[V6])}),
    ("W140", "error", "has 192.0.2.10/25, and", {"addresses": interfaces(addr_info=[V4 | {"prefixlen": 25}, V6])}),
    ("W140", "warning", "also has 192.0.2.11/24", {
        "addresses": interfaces(addr_info=[V4, V6, V4 | {"local": "192.0.2.11"}])}),
    ("W140", "error", "the profile says 2001:db8::10/64", {"addresses": interfaces(addr_info=[V4])}),
    ("W141", "error", "IPv4 goes by nowhere, not by 192.0.2.1", {"routes4": "[]"}),
    ("W141", "error", "IPv4 goes by 192.0.2.2", edited("routes4", "192.0.2.1", "192.0.2.2")),
    ("W141", "error", "IPv6 goes by nowhere", {"routes6": ""}),
    ("W141", "warning", "IPv4 also goes by 192.0.2.2", {
        "routes4": json.dumps([{"gateway": gateway, "dev": "enX0"} for gateway in ("192.0.2.1", "192.0.2.2")])}),
    ("W142", "error", "asks the name servers 192.0.2.54", edited("resolver", "192.0.2.53", "192.0.2.54")),
    ("W142", "error", "asks the name servers (none)", {"resolver": ""}),
    ("W142", "warning", "a name server of its own (127.0.0.53)", {"resolver": "127.0.0.53"}),
    ("W143", "error", "calls itself debian", edited("names", "host=web1", "host=debian")),
    ("W143", "error", "its full name is web1,", edited("names", "fqdn=web1.example.org", "fqdn=web1")),
    ("W143", "error", "its full name is unknown to it", edited("names", "fqdn=web1.example.org", "fqdn=")),
    ("W150", "error", "in the time zone Etc/UTC", {"timezone": "/usr/share/zoneinfo/Etc/UTC"}),
    ("W151", "error", "has the locale C.UTF-8", {"locale": "C.UTF-8"}),
    ("W151", "error", "has the locale (none)", {"locale": ""}),
    ("W152", "error", "lacks the logins alex", {"accounts": "root:0:/root:/bin/bash", "sudoers": "", "keys": f"root {ADMIN}"}),
    ("W152", "error", "alex should be in the group sudo", {"sudoers": ""}),
    ("W152", "warning", "kim may become root by sudo", {"sudoers": "alex\nkim"}),
    ("W152", "error", "toor are root by another name", {"accounts": SAME["accounts"] + "\ntoor:0:/root:/bin/sh"}),
    ("W152", "warning", "logins that are not in the profile: kim", {
        "accounts": SAME["accounts"] + "\nkim:1001:/home/kim:/bin/sh"}),
    ("W153", "error", "alex gets in without a password", edited("passwords", "alex:set", "alex:none")),
    ("W153", "warning", "password of alex is locked", edited("passwords", "alex:set", "alex:locked")),
    ("W153", "warning", "password of root is set, and the profile gives none", edited("passwords", "root:locked", "root:set")),
    ("W154", "error", f"root lacks the SSH keys {ADMIN}", {"keys": f"alex {ADMIN}"}),
    ("W154", "warning", f"not in the profile: {OTHER}", {"keys": SAME["keys"] + f"\nroot {OTHER}"}),
    ("W155", "error", "lacks the packages nginx", edited("packages", "ii nginx", "rc nginx")),
    ("W155", "error", "lacks the packages openssh-server", edited("packages", "openssh-server", "openssh-client")),
    ("W155", "error", "not quite installed: libc6", edited("packages", "ii libc6", "iF libc6")),
    ("W155", "error", "not quite installed: libc6", edited("packages", "ii libc6", "iiR libc6")),
    ("W156", "error", "has failed units: nginx.service", {"units": "state degraded\nfailed nginx.service"}),
    ("W156", "warning", "is still starting", {"units": "state starting"}),
    ("W156", "error", "rescue mode", {"units": "state maintenance"}),
    ("W157", "error", "late steps failed: 004-late-command.target", {"late": "steps 9\nfailed 7 004-late-command.target"}),
    ("W157", "note", "has no log of late commands", {"late": "no log"}),
    ("W158", "error", "others than root can read /etc/ssh/ssh_host_ed25519_key", edited("hostkeys", "600", "640")),
    ("W158", "error", "others than root can read", edited("hostkeys", "600 0", "600 1000")),
    ("W158", "error", "lacks the SSH host keys of the profile: ed25519", edited("hostkeys", "used", "spare")),
    ("W158", "warning", f"other SSH host keys besides: {OTHER}", {
        "hostkeys": SAME["hostkeys"] + f"\n600 0 {OTHER} used /etc/ssh/ssh_host_rsa_key"}),
    ("W160", "error", "lacks grub-xen", edited("packages", "ii grub-xen 1.0\n", "")),
    ("W161", "error", "kernel hook /etc/grub.d/09_domu_pv", edited("boot", "\nhook /etc/grub.d/09_domu_pv", "")),
    ("W161", "error", "lacks /boot/xen/pvboot-x86_64.elf", edited("boot", "\ncore pvboot-x86_64.elf", "")),
    ("W162", "error", "is not made ready in /boot/xen", edited("boot", f"\nready {KERNEL}\nmenu {KERNEL}", "")),
    ("W162", "error", "that GRUB for PV guests cannot read", edited("boot", "ready", "unfit")),
    ("W162", "error", "menu offers no Linux", edited("boot", f"\nmenu {KERNEL}", "")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "severity", "words", "changes"), GUEST_ROWS, ids=lambda it: it if isinstance(it, str) else ""
)
def test_a_difference_in_the_guest_is_found(code: str, severity: str, words: str, changes: Changes) -> None:
    assert [(one, degree) for one, degree, message in seen(changes) if words in message] == [(code, severity)] * max(
        1, sum(words in message for _code, _severity, message in seen(changes))
    )
    assert {one for one, _degree, _message in seen(changes)} == {code}


NIC = DomainNic("00:16:3e:00:00:01", bridge="xenbr0", vif="web1.0")
XVDA = DomainDisk("xvda", "/dev/vg0/web1-disk", writable=True)
XVDB = DomainDisk("xvdb", "/dev/vg0/web1-srv", writable=True)
DOMAIN_ROWS = [
    ("W101", "error", "its domain is web2", {"name": "web2"}),
    ("W101", "error", "its domain is web1 0", {"uuid": "0f1e2d3c-4b5a-4697-8812-3d4e5f60718a"}),
    ("W101", "error", "runs as pvh, not pv", {"kind": "pvh"}),
    ("W101", "error", "a kind that xl does not tell", {"kind": None}),
    ("W110", "error", "Xen gives it 512.0 MiB", {"memory": Size.parse("512M")}),
    ("W111", "error", "may have 4 virtual CPUs at most", {"vcpus": 4}),
    ("W112", "error", "has no disk xvdb", {"disks": (XVDA,)}),
    ("W112", "error", "its disk xvdb is /dev/vg0/web2-srv", {"disks": (XVDA, DomainDisk("xvdb", "/dev/vg0/web2-srv", True))}),
    ("W112", "error", "may not write to its disk xvdb", {"disks": (XVDA, DomainDisk("xvdb", "/dev/vg0/web1-srv", False))}),
    ("W112", "error", "disks that are not in the profile: xvdc", {"disks": (XVDA, XVDB, DomainDisk("xvdc", "/dev/vg0/x", True))}),
    ("W113", "error", "has no NIC with the MAC", {"nics": ()}),
    ("W113", "error", "is on xenbr1, not on xenbr0", {"nics": (DomainNic(NIC.mac, bridge="xenbr1", vif="web1.0"),)}),
    ("W113", "warning", "is called vif5.0 in dom0", {"nics": (DomainNic(NIC.mac, bridge="xenbr0", vif="vif5.0"),)}),
    ("W113", "error", "NICs that are not in the profile", {"nics": (NIC, DomainNic("00:16:3e:00:00:99"))}),
    ("W114", "error", "this is the installer", {
        "kernel": "/var/lib/domu/web1/vmlinuz", "ramdisk": "/var/lib/domu/web1/initrd.gz"}),
    ("W114", "error", "was started by /root/vmlinuz", {"kernel": "/root/vmlinuz"}),
    ("W114", "error", "was started by pygrub", {"bootloader": "pygrub"}),
    ("W115", "error", "has on_crash preserve", {"on_crash": "preserve"}),
    ("W104", "error", "domain cannot be compared: xl tells no config", {"config": None}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "severity", "words", "changes"), DOMAIN_ROWS, ids=lambda it: it if isinstance(it, str) else ""
)
def test_a_difference_in_dom0_is_found(code: str, severity: str, words: str, changes: Mapping[str, Any]) -> None:
    found = seen(domain=changes)
    assert any((one, degree) == (code, severity) and words in message for one, degree, message in found)
    assert {one for one, _degree, _message in found} == {code}


def test_every_check_has_a_row_here() -> None:
    assert {check.code for check in CHECKS} == {row[0] for row in [*GUEST_ROWS, *DOMAIN_ROWS]} - {"W104"}


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("missing", [None, "\x00odd \x1b[2J"], ids=["missing", "odd"])
def test_what_is_not_known_does_not_count_as_equal(section: str, missing: str | None) -> None:
    found = seen({section: missing})
    if missing and section in {"drivers", "sudoers", "arguments", "timezone", "locale", "resolver"}:
        assert found  # any text is one that can be compared
    else:
        assert any(code == "W104" for code, _severity, _message in found)
    assert all(severity == "error" for code, severity, _message in found if code == "W104")


@pytest.mark.parametrize(
    ("kind", "mode", "bootloader", "package"),
    [
        pytest.param("pvh", "PVH", "/usr/lib/grub-xen/grub-i386-xen_pvh.bin", "grub-pc", id="pvh"),
        pytest.param("hvm", "HVM", "", "grub-pc", id="hvm"),
    ],
)
def test_other_kinds_of_guest_have_their_own_way_to_start(kind: str, mode: str, bootloader: str, package: str) -> None:
    disks = (DomainDisk("hda" if kind == "hvm" else "xvda", XVDA.target, writable=True), XVDB)
    domain = {"kind": kind, "kernel": bootloader, "disks": disks}
    console = "console=ttyS0" if kind == "hvm" else "console=hvc0"
    changes = {
        **edited("hypervisor", "=PV", f"={mode}"),
        **edited("packages", "grub-xen", package),
        **edited("arguments", "console=hvc0", console),
        "boot": f"kernel {KERNEL}",
    }
    assert seen(changes, domain, type=kind) == []


def test_leases_and_advertisements_are_not_compared_with_anything() -> None:
    nics = [{"bridge": "xenbr0", "mac": "00:16:3e:00:00:01"}]
    assert seen(nics=nics) == []
    assert seen({"resolver": "198.51.100.1", "routes4": SAME["routes4"].replace("0.2.1", "0.2.7")}, nics=nics) == []
    gone = seen({"addresses": interfaces(addr_info=[]), "routes4": "[]"}, nics=nics)
    assert [(code, severity) for code, severity, _message in gone] == [("W140", "error"), ("W141", "warning")]


def test_what_routers_advertise_beside_fixed_addresses_is_no_drift() -> None:
    addresses = interfaces(addr_info=[V4, V6, V6 | {"local": "2001:db8::aaaa", "dynamic": True}])
    routes = [{"gateway": "fe80::1", "dev": "enX0"}, {"gateway": "fe80::2", "dev": "enX0", "protocol": "ra"}]
    assert seen({"addresses": addresses, "routes6": json.dumps(routes)}) == []
    leased = interfaces(addr_info=[V4, V6, V4 | {"local": "192.0.2.99", "dynamic": True}])
    assert [code for code, _severity, _message in seen({"addresses": leased})] == ["W140"]


def test_no_family_means_no_address_of_it() -> None:
    nics = [{"bridge": "xenbr0", "mac": "00:16:3e:00:00:01", "ipv6": "none"}]
    found = seen(nics=nics)
    assert {code for code, _severity, _message in found} == {"W140", "W141"}
    assert any("ipv6: none" in message for _code, _severity, message in found)


def test_stock_recipes_are_compared_too() -> None:
    larger = edited("disks", "8388608", "41943040")
    assert seen(larger, disk={"size": "20G", "recipe": "atomic"}) == []
    found = seen(larger, disk={"size": "20G", "recipe": "home"})
    assert [(code, message) for code, _severity, message in found] == [("W132", "nothing is mounted on /home")]


def test_a_guest_shown_paused_is_no_guest_that_was_compared() -> None:
    assert seen(domain={"state": DomainState(paused=True)}) == []  # the workflow does not ask it, and says so


def test_what_a_guest_says_is_shown_safely_and_in_short() -> None:
    long = {"names": f"host=\x1b]0;owned\x07{'x' * 5000}\nfqdn=web1.example.org"}
    ((code, _severity, message),) = seen(long)
    assert code == "W143"
    assert message.isprintable()
    assert len(message) < 600
    many = {"sudoers": "alex\n" + "\n".join(f"user{number}" for number in range(100_000))}
    ((_code, severity, message),) = seen(many)
    assert severity == Severity.WARNING.word
    assert message.startswith("user0, user1, user10, user100, ")
    assert "and 99992 more" in message


def test_the_documentation_has_the_table_of_checks() -> None:
    assert checks_table(CHECKS) in (DOCS / "verify.md").read_text()
    rows = (DOCS / "findings.md").read_text().splitlines()
    assert [row for row in checks_rows(CHECKS) if row not in rows] == []
