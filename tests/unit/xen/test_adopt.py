"""Adopting guests that others made: what is kept, what is told to be lost, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from builder.errors import BuilderError
from builder.profile.dom0 import Dom0
from builder.storage.facts import StorageFacts
from builder.xen.adopt.adoption import Adoption, adopt
from builder.xen.adopt.evidence import Certainty, Evidence, Row
from builder.xen.adopt.layout import partitions_of
from builder.xen.xlcfg import parse_xl_config
from tests.lvm_reports import facts, lv, thin

CONFIG = """\
name = "web1"
memory = 1024
disk = ["phy:/dev/vg0/web1-disk,xvda,w"]
vif = ["bridge=xenbr0,mac=00:16:3e:00:00:01"]
"""
VOLUMES = facts(lv("web1-disk", 1024), lv("web1-data", 256), lv("logs", 64), lv("swap", 64))


def adopted(config: str = CONFIG, *, storage: StorageFacts | None = VOLUMES, **more: Any) -> Adoption:
    return adopt(Evidence("web1", parse_xl_config(config, "/etc/xen/web1.cfg"), storage=storage, **more))


def row(adoption: Adoption, name: str) -> Row:
    return next(one for one in adoption.rows if one.field == name)


def codes(adoption: Adoption) -> list[str]:
    return [finding.code for finding in adoption.findings]


@pytest.mark.parametrize(
    ("more", "field", "value", "certainty"),
    [
        pytest.param("", "type", "pv", "known", id="xl's own type"),
        pytest.param('builder = "hvm"\n', "type", "hvm", "known", id="a builder of xm"),
        pytest.param('builder = "generic"\n', "type", "pv", "known", id="the other builder"),
        pytest.param('type = "pvh"\n', "type", "pvh", "known", id="a type"),
        pytest.param("memory = 0x200\n", "memory", "512M", "known", id="hexadecimal"),
        pytest.param('memory = "2048"\n', "memory", "2048M", "known", id="a number in quotes"),
        pytest.param("maxmem = 4096\n", "max_memory", "4096M", "known", id="balloon"),
        pytest.param("maxmem = 1024\n", "max_memory", None, "known", id="no balloon"),
        pytest.param("vcpus = 2\nmaxvcpus = 4\n", "max_vcpus", 4, "known", id="more vcpus"),
        pytest.param('cpus = "2-3"\n', "cpus", "2-3", "known", id="pinned"),
        pytest.param('cpus = ["2", "2"]\nvcpus = 2\n', "cpus", "2", "known", id="all pinned alike"),
        pytest.param('cpus = ["2", "3"]\nvcpus = 2\n', "cpus", "2,3", "likely", id="each pinned"),
        pytest.param("cpu_weight = 512\ncap = 50\n", "cpu_cap", 50, "known", id="capped"),
        pytest.param('tsc_mode = "native"\n', "tsc_mode", "native", "known", id="time stamps"),
        pytest.param("tsc_mode = 1\n", "tsc_mode", "always_emulate", "known", id="time stamps by number"),
        pytest.param('tsc_mode = "default"\n', "tsc_mode", None, "known", id="xl's own time stamps"),
        pytest.param('type = "hvm"\n', "vnc", {"listen": "127.0.0.1"}, "known", id="the screen xl gives"),
        pytest.param('type = "hvm"\nvnc = 0\n', "vnc", None, "known", id="no screen"),
        pytest.param(
            'type = "hvm"\nvnc = 1\nvnclisten = "192.0.2.1"\nvncunused = 0\nvncdisplay = 7\n',
            "vnc", {"listen": "192.0.2.1", "display": 7}, "known", id="a screen",
        ),
        pytest.param('on_crash = "coredump-restart"\n', "on_crash", "coredump-restart", "known", id="an action"),
        pytest.param("", "on_crash", "destroy", "known", id="xl's own action"),
        pytest.param('uuid = "0F1E2D3C4B5A46978812-3D4E5F60718A"\n', "uuid", "0f1e2d3c-4b5a-4697-8812-3d4e5f60718a", "known", id="uuid"),
        pytest.param('bootloader = "pygrub"\n', "bootloader", "pygrub", "known", id="pygrub"),
        pytest.param('bootloader = "/usr/lib/xen-4.17/bin/pygrub"\n', "dom0_reads_disk", True, "known", id="pygrub reads"),
        pytest.param('kernel = "/usr/lib/grub-xen/grub-x86_64-xen.bin"\n', "bootloader", "auto", "known", id="pvgrub"),
        pytest.param('kernel = "/boot/vmlinuz"\nroot = "/dev/xvda2"\n', "bootloader", "auto", "likely", id="dom0's kernel"),
        pytest.param('type = "hvm"\nboot = "c"\n', "bootloader", "auto", "known", id="firmware"),
        pytest.param("", "volume_group", "vg0", "known", id="group"),
        pytest.param("", "disk", {"size": "4G"}, "known", id="disk"),
    ],
)  # fmt: skip
def test_what_a_config_says_is_kept(more: str, field: str, value: Any, certainty: str) -> None:
    found = row(adopted(CONFIG + more), field)
    assert (found.value, found.certainty) == (value, certainty)
    assert found.source


@pytest.mark.parametrize(
    ("more", "code", "word"),
    [
        ('name = "Web1"\n', "A101", "Web1"),
        ('pci = ["00:1b.0"]\n', "A102", "pci"),
        ("nestedhvm = 1\n", "A102", "nestedhvm"),
        ('vcpus = "many"\n', "A102", "vcpus"),
        ('vncpasswd = "hunter2"\n', "A102", "vncpasswd"),
        ('on_crash = "rename-restart"\n', "A102", "rename-restart"),
        ('bootloader = "/opt/loader"\n', "A102", "/opt/loader"),
        ('disk += ["/srv/x.iso,raw,hdc,ro,cdrom"]\n', "A103", "hdc"),
        ('disk += ["phy:/dev/vg1/other,xvdb,w"]\n', "A103", "vg1"),
        ('disk += ["file:/srv/x.img,xvdb,w"]\n', "A103", "/srv/x.img"),
        ('disk += ["phy:/dev/vg0/web1-data,xvdb1,w"]\n', "A103", "xvdb1"),
        ('disk += ["phy:/dev/vg0/web1-data,xvdb,r"]\n', "A103", "read-only"),
        ('disk = ["/dev/vg0/web1-disk,raw,xvda,rw,no-discard"]\n', "A103", "no-discard"),
        ('disk = ["phy:/dev/vg0/web1-disk,xvda2,w", "phy:/dev/vg0/swap,xvda1,w"]\n', "A103", "xvda2"),
        ('vif = ["bridge=xenbr0,model=e1000"]\n', "A104", "model"),
        ('vif = ["bridge=xenbr0,vifname=web"]\n', "A104", "vifname"),
        ('vif = ["bridge=xenbr0,script=vif-nat"]\n', "A104", "script"),
        ('disk = ["phy:/dev/vg0/gone,xvda,w"]\n', "A105", "vg0/gone"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_told(more: str, code: str, word: str) -> None:
    found = [finding for finding in adopted(CONFIG + more).findings if finding.code == code]
    assert any(word in finding.message for finding in found), found
    assert all(finding.guest == "web1" and finding.hint for finding in found)
    assert "hunter2" not in str(found)


def test_a_config_with_nothing_odd_has_no_finding() -> None:
    assert codes(adopted()) == []


def test_what_is_set_twice_is_told() -> None:
    (finding,) = [one for one in adopted("memory = 512\n" + CONFIG).findings if one.code == "A109"]
    assert finding.place.line == 1


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (CONFIG.replace("memory = 1024\n", ""), "memory"),
        (CONFIG + 'type = "pvx"\n', "type"),
        (CONFIG + "vif = []\n", "vif"),
        (CONFIG + 'vif = ["mac=ff:ff:ff:ff:ff:ff"]\n', "MAC"),
        (CONFIG + 'vif = ["mac=00:16:3e:00:00:01,mac=00:16:3e:00:00:01"]\n', "twice"),
        (CONFIG + 'vif = ["bridge=../x"]\n', "bridge"),
        (CONFIG + 'vif = ["script=vif-route"]\n', "IPv4"),
        (CONFIG + 'vif = ["script=vif-route,ip=203.0.113.7"]\n', "gateway"),
        (CONFIG + "disk = []\n", "xvda"),
        (CONFIG + 'disk = ["vdev=xvdb,target=/dev/vg0/web1-data"]\n', "xvda"),
        (CONFIG + 'disk = ["file:/srv/web1.img,xvda,w"]\n', "LVM"),
        (CONFIG + 'disk = ["nonsense"]\n', "nonsense"),
        (CONFIG + 'disk += ["phy:/dev/vg0/unseen,xvdb,w"]\n', "how large"),
    ],
)
def test_what_is_no_guest_of_ours_is_refused_in_words(config: str, words: str) -> None:
    with pytest.raises(BuilderError, match=words) as caught:
        adopted(config)
    assert caught.value.hint


def test_data_volumes_get_their_names() -> None:
    config = CONFIG + 'disk += ["phy:/dev/vg0/web1-data,xvdb,w", "phy:/dev/mapper/vg0-logs,xvdc,w"]\n'
    found = row(adopted(config), "volumes")
    assert found.value == [
        {"name": "data", "size": "1G", "keep": True},
        {"name": "logs", "volume": "logs", "size": "256M", "keep": True},
    ]
    assert "mount" in found.gaps[0]


def test_thin_volumes_name_their_pool() -> None:
    storage = facts(thin("web1-disk", 1024), lv("web1-data", 256))
    found = adopted(CONFIG + 'disk += ["phy:/dev/vg0/web1-data,xvdb,w"]\n', storage=storage)
    assert row(found, "thin_pool").value == "thin"
    assert row(found, "volumes").value[0]["thin"] is False


def test_the_largest_of_single_partitions_becomes_the_disk() -> None:
    config = CONFIG + 'disk = ["phy:/dev/vg0/swap,xvda1,w", "phy:/dev/vg0/web1-disk,xvda2,w"]\n'
    assert row(adopted(config), "disk").value == {"size": "4G"}
    assert codes(adopted(config)) == ["A109", "A103", "A103"]


@pytest.mark.parametrize(
    ("vif", "nic"),
    [
        ("bridge=xenbr0", {"mode": "bridge", "bridge": "xenbr0"}),
        ("mac=00:16:3E:AA:BB:CC", {"mode": "bridge", "bridge": "xenbr0", "mac": "00:16:3e:aa:bb:cc"}),
        ("bridge=natbr0", {"mode": "nat", "bridge": "natbr0"}),
        ("bridge=ovs.30,script=vif-openvswitch", {"mode": "bridge", "bridge": "ovs", "vlan": 30}),
        ("bridge=xenbr0,rate=10MB/s@20ms", {"mode": "bridge", "bridge": "xenbr0", "rate": "10MB/s"}),
        ("bridge=xenbr0,type=ioemu", {"mode": "bridge", "bridge": "xenbr0"}),
    ],
)
def test_a_vif_becomes_a_nic(vif: str, nic: dict[str, Any]) -> None:
    networks = [{"name": "natbr0", "mode": "nat", "addresses": ["10.0.0.1/24"]}]
    dom0 = Dom0.model_validate({"networks": networks})
    assert row(adopted(f'{CONFIG}vif = ["{vif}"]\n', dom0=dom0), "nics").value == [nic]


def test_a_routed_vif_needs_its_gateway() -> None:
    config = CONFIG + 'vif = ["script=vif-route,ip=203.0.113.7"]\n'
    found = row(adopted(config, gateway="192.0.2.1"), "nics")
    assert found.value == [{"mode": "routed", "ipv4": {"address": "203.0.113.7/32", "gateway": "192.0.2.1"}}]
    dom0 = Dom0.model_validate({"networks": [{"name": "routed", "mode": "routed"}]})
    assert row(adopted(config, dom0=dom0), "nics").value == [{"mode": "routed", "ipv4": {"address": "203.0.113.7/32"}}]


ANSWERS = {
    "netcfg/get_ipaddress": "192.0.2.10",
    "netcfg/get_netmask": "255.255.255.0",
    "netcfg/get_gateway": "192.0.2.1",
    "netcfg/get_nameservers": "192.0.2.53 192.0.2.54",
    "netcfg/get_hostname": "web1",
    "netcfg/get_domain": "example.org",
    "mirror/suite": "bookworm",
    "passwd/username": "alex",
    "passwd/user-fullname": "Alex Example",
    "passwd/root-login": "false",
    "tasksel/first": "standard, ssh-server",
    "pkgsel/include": "vim, rsync",
    "apt-setup/services-select": "updates",
    "apt-setup/non-free-firmware": "true",
    "apt-setup/non-free": "false",
    "partman-auto/method": "crypto",
    "preseed/late_command": "",
    "time/zone": "Nowhere at all",
}


def test_answers_of_the_installer_are_taken() -> None:
    found = adopted(answers=ANSWERS)
    assert row(found, "nics").value[0]["ipv4"] == {"address": "192.0.2.10/24", "gateway": "192.0.2.1"}
    values = {one.field: one.value for one in found.rows if one.certainty is not Certainty.UNKNOWN}
    assert values["dns"] == ["192.0.2.53", "192.0.2.54"]
    assert values["domain"] == "example.org"
    assert values["suite"] == "bookworm"
    assert values["users"] == [{"name": "alex", "full_name": "Alex Example", "sudo": True}]
    assert values["tasks"] == ["standard", "ssh-server"]
    assert values["packages"] == ["vim", "rsync"]
    assert values["security"] is False
    assert values["components"] == ["main", "non-free-firmware"]
    assert "timezone" not in values
    assert any("crypto" in gap for gap in row(found, "disk").gaps)
    assert codes(found) == ["A107"]


def test_answers_of_another_guest_are_told() -> None:
    assert "A108" in codes(adopted(answers=ANSWERS | {"netcfg/get_hostname": "db1"}))


def test_what_the_user_says_wins() -> None:
    assert row(adopted(answers=ANSWERS, suite="trixie"), "suite").value == "trixie"


@pytest.mark.parametrize(
    "recipe",
    [
        "x :: 100 100 100 ext4 method{ crypto } .",
        "x :: 100 100 100 ext4 method{ format } format{ } filesystem{ reiserfs } mountpoint{ / } .",
        "x :: some 100 100 ext4 method{ format } format{ } filesystem{ ext4 } mountpoint{ / } .",
        "x :: 100 100 100 ext4 method{ format } format{ } filesystem{ ext4 } mountpoint{ /srv } .",
        "x :: 100 100 100 ext4 method{ format } format{ } filesystem{ ext4 } mountpoint{ / } label{ root } .",
        "",
    ],
)
def test_a_recipe_that_says_more_than_a_profile_is_not_made_less_of(recipe: str) -> None:
    assert partitions_of(recipe) is None
