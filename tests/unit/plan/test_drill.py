"""The stand-in of a guest in a drill: the same system, and nothing of it the guest's own."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from builder.findings import Severity
from builder.plan.drill import BRIDGE, StandIn, make_bridge, stand_ins, with_stand_ins
from builder.profile.dom0 import Dom0, Drill
from builder.profile.model import Guest
from builder.profile.nics import Static4
from builder.profile.rules import check_guest
from builder.storage.removal import removable
from builder.xen.config import folder_of, render_install_config, render_run_config
from tests.guests import GUESTS, guest
from tests.profiles import load

DRILL = Drill()
FIELDS: dict[str, Any] = {
    "nics": [
        {"bridge": "xenbr0", "ipv4": {"address": "192.0.2.10/24", "gateway": "192.0.2.1"}, "mac": "00:16:3e:00:00:01"},
        {"bridge": "lan", "ipv4": "none", "ipv6": "none"},
        {"bridge": "xenbr0"},
    ],
    "dns": ["192.0.2.53"],
    "uuid": "3f0a3c5e-1111-4222-8333-0123456789ab",
    "disk": {"volume": "web1-root", "size": "4G", "partitions": [{"mount": "/", "minimum": "1G"}]},
    "volumes": [{"name": "srv", "size": "1G", "mount": "/srv", "volume": "precious"}],
    "autostart": True,
    "start_after": ["db1"],
    "after": [{"command": ["restore", "web1"]}],
    "ready": {"command": ["is-up", "web1"], "limit": 99},
}
WEB1 = guest(FIELDS)


def stand_in(one: Guest = WEB1, drill: Drill = DRILL) -> StandIn:
    (made,), found = stand_ins([one], drill)
    assert found == ()
    return made


def test_it_is_the_same_system_under_another_name() -> None:
    made = stand_in().guest
    assert made.name == "web1-drill"
    same = ("suite", "type", "memory", "vcpus", "bootloader", "packages", "tasks", "users", "ssh_keys", "late_commands")
    assert all(getattr(made, name) == getattr(WEB1, name) for name in same)
    assert made.disk.partitions == WEB1.disk.partitions
    assert [(one.name, one.size, one.mount) for one in made.volumes] == [
        (one.name, one.size, one.mount) for one in WEB1.volumes
    ]


def test_nothing_of_the_guests_own_is_in_it() -> None:
    made = stand_in().guest
    assert made.domain_uuid != WEB1.domain_uuid
    assert not set(made.macs) & set(WEB1.macs)
    assert {wish.path for wish in removable(made)} == {"vg0/web1-drill-disk", "vg0/web1-drill-srv"}
    assert not any(wish.keep for wish in removable(made))
    assert folder_of(made) == "/var/lib/domu/web1-drill"
    assert (made.autostart, made.start_after, made.after) == (False, (), ())
    assert made.ready.command is None
    assert made.ready.limit == 99


def test_its_nics_are_on_the_bridge_that_leads_nowhere() -> None:
    first, second, third = stand_in().guest.nics
    assert {nic.bridge for nic in (first, second, third)} == {BRIDGE}
    assert isinstance(first.ipv4, Static4)
    assert str(first.ipv4.address) == "10.254.0.2/24"
    assert first.ipv4.gateway is None
    assert (second.ipv4, second.ipv6) == ("none", "none")
    assert isinstance(third.ipv4, Static4)
    assert third.ipv4.address.ip != first.ipv4.address.ip


def test_its_archive_is_reached_through_dom0() -> None:
    assert stand_in().guest.proxy == "http://10.254.0.1:3142"
    drill = Drill.model_validate({"proxy": "http://10.254.0.9:8080", "mirror": "http://mirror.example.org/debian"})
    made = stand_in(drill=drill).guest
    assert (made.proxy, made.mirror) == (drill.proxy, drill.mirror)


def test_hooks_run_when_the_site_says_so() -> None:
    assert stand_in(drill=Drill(after=True)).guest.after == WEB1.after


def test_what_differs_is_told() -> None:
    told = "\n".join(stand_in().differs)
    for word in ("web1-drill", BRIDGE, "10.254.0.0/24", "name server", "srv", "ready.command", "hooks are not", "db1"):
        assert word in told
    plain = guest({"ntp": False})
    assert len(stand_in(plain).differs) == 3


def test_guests_of_one_drill_have_addresses_of_their_own() -> None:
    made, _ = stand_ins([guest({"name": f"g{number}"}) for number in range(20)], DRILL)
    addresses = [address for one in made for nic in one.guest.nics for address in nic.fixed_addresses]
    assert len(addresses) == len(set(addresses)) == 20
    assert DRILL.own.ip not in addresses


def test_a_subnet_that_is_full_is_told() -> None:
    small = Drill(subnet=IPv4Network("10.254.0.0/29"))
    made, found = stand_ins([guest({"name": f"g{number}"}) for number in range(7)], small)
    assert len(made) == 5
    assert [(one.code, one.guest) for one in found] == [("G147", "g5"), ("G147", "g6")]


TAKEN: list[Any] = [
    pytest.param(WEB1, [guest({"name": "web1-drill"})], id="a guest of that name"),
    pytest.param(
        WEB1,
        [guest({"name": "x", "disk": {**FIELDS["disk"], "volume": "web1-drill-disk"}})],
        id="another guest's volume of that name",
    ),
    pytest.param(
        guest({"volumes": [{"name": "drill-disk", "size": "1G"}]}),
        [guest({"volumes": [{"name": "drill-disk", "size": "1G"}]})],
        id="its own volume of that name",
    ),
    pytest.param(guest({"name": "a" * 60}), [], id="too long for a host name"),
    pytest.param(guest({"name": "a-b-c-d" * 8, "volume_group": "v" * 40}), [], id="too long for the device mapper"),
]


@pytest.mark.parametrize(("one", "site"), TAKEN)
def test_a_name_that_cannot_be_had_is_refused(one: Guest, site: list[Guest]) -> None:
    made, found = stand_ins([one], DRILL, [*site])
    assert made == ()
    assert "G146" in {finding.code for finding in found}
    assert all(finding.severity is Severity.ERROR and finding.hint for finding in found)


def test_the_site_has_it_as_a_guest() -> None:
    loaded = load(web1={"suite": "trixie"})
    (made,), _ = stand_ins(loaded.guests, loaded.dom0.drill, loaded.guests)
    both = with_stand_ins(loaded, [made])
    assert both.names == ("web1", "web1-drill")
    assert [one.name for one in both.guests] == ["web1", "web1-drill"]
    assert both.findings == loaded.findings
    assert both.files["web1-drill"] == loaded.files["web1"]


def test_the_bridge_leads_nowhere() -> None:
    lines = [" ".join(command) for command in make_bridge(DRILL)]
    assert lines == [
        "ip link add name domu-drill type bridge",
        "sysctl --quiet --write net/ipv6/conf/domu-drill/disable_ipv6=1",
        "sysctl --quiet --write net/ipv4/conf/domu-drill/forwarding=0",
        "ip address add 10.254.0.1/24 dev domu-drill",
        "ip link set dev domu-drill up",
    ]


@pytest.mark.parametrize("subnet", ["192.0.2.0/25", "192.0.0.0/16", "10.0.0.0/24"])
def test_a_subnet_that_dom0_has_already_is_refused(subnet: str) -> None:
    networks = [{"name": "natbr0", "mode": "nat", "addresses": ["10.0.0.1/24"]}]
    with pytest.raises(ValueError, match="overlaps"):
        Dom0.model_validate({"addresses": ["192.0.2.2/24"], "networks": networks, "drill": {"subnet": subnet}})


def test_a_subnet_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="prefix length"):
        Dom0.model_validate({"drill": {"subnet": "10.254.0.0/30"}})


@given(GUESTS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_guest_its_stand_in_shares_nothing_with_it(one: Guest) -> None:
    made, found = stand_ins([one], DRILL, [one])
    if not made:
        assert found
        return
    other = made[0].guest
    assert not {wish.path for wish in removable(other)} & {wish.path for wish in removable(one)}
    assert not any(wish.keep for wish in removable(other))
    assert not set(other.macs) & set(one.macs)
    assert other.domain_uuid != one.domain_uuid
    assert folder_of(other) != folder_of(one)
    errors = [finding for finding in check_guest(other, {}) if finding.severity is Severity.ERROR]
    before = [finding for finding in check_guest(one, {}) if finding.severity is Severity.ERROR]
    assert len(errors) <= len(before)
    for text in (render_install_config(other), render_run_config(other)):
        assert f'"{one.name}"' not in text
        assert one.domain_uuid not in text
        assert f"bridge={BRIDGE}" in text


def test_every_field_of_a_guest_was_thought_of() -> None:
    """A field that is new decides here whether a drill may have it as it is."""
    kept = {
        *(
            "suite",
            "arch",
            "type",
            "memory",
            "install_memory",
            "max_memory",
            "vcpus",
            "max_vcpus",
            "cpus",
            "cpu_weight",
        ),
        *(
            "cpu_cap",
            "tsc_mode",
            "media",
            "media_sources",
            "iso",
            "iso_sha256",
            "iso_mirror",
            "iso_keyring",
            "on_poweroff",
        ),
        *("on_reboot", "on_crash", "domain", "volume_group", "thin_pool", "thin_watermark", "wipe", "dom0_path"),
        *("locale", "keyboard", "timezone", "keyring", "components", "security", "keep_proxy", "packages", "tasks"),
        *(
            "root",
            "users",
            "ssh_keys",
            "ssh_host_keys",
            "bootloader",
            "dom0_reads_disk",
            "kernel_args",
            "early_commands",
        ),
        *("late_commands", "initrd_files", "debconf", "template", "lint"),
    }
    changed = {
        *("name", "description", "uuid", "nics", "dns", "ntp", "proxy", "mirror", "disk", "volumes", "vnc"),
        *("autostart", "start_after", "ready", "after"),
    }
    assert not kept & changed
    assert kept | changed == set(Guest.model_fields)
    assert dataclasses.is_dataclass(StandIn)
