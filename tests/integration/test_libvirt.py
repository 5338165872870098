"""xl configs, read by libvirt's xen-xl converter: what it makes of them is the guest that the profile means."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings

from builder.profile.model import Guest
from builder.xen.boot import boot_of, console_of
from builder.xen.config import installer_line, render_install_config, render_run_config
from tests.guests import GUESTS, guest, sample_guests
from tests.libvirt import Libvirt, find_libvirt

pytestmark = pytest.mark.network

TYPES = {"pv": "linux", "pvh": "xenpvh", "hvm": "hvm"}
FIXED = {"address": "203.0.113.7/32", "gateway": "192.0.2.1"}
VARIANTS: dict[str, dict[str, Any]] = {
    "PV bookworm": {"suite": "bookworm"},
    "PV by pygrub": {"bootloader": "pygrub", "dom0_reads_disk": True},
    "PVH": {"type": "pvh"},
    "HVM": {"type": "hvm"},
    "HVM from an ISO": {"type": "hvm", "media": "iso"},
    "direct": {"bootloader": "direct", "kernel_args": ["root=/dev/xvda1", "quiet"]},
    "routed": {"nics": [{"mode": "routed", "ipv4": FIXED}]},
    "three NICs": {"nics": [{"bridge": "a"}, {"mode": "nat", "bridge": "b"}, {"mode": "routed", "ipv4": FIXED}]},
    "25 volumes": {"volumes": [{"name": f"v{number}", "size": "1G"} for number in range(25)]},
    "actions": {"on_poweroff": "preserve", "on_reboot": "destroy", "on_crash": "coredump-restart"},
    "described": {"description": 'it\'s "quoted" # and \\not\\ [a, list] = 1; \u2603'},
}
CASES = [*((one.name, one) for one in sample_guests()), *((name, guest(changes)) for name, changes in VARIANTS.items())]


@pytest.fixture(scope="module")
def libvirt(tmp_path_factory: pytest.TempPathFactory) -> Libvirt:
    return find_libvirt(tmp_path_factory.mktemp("libvirt"))


def text(domain: ET.Element, path: str) -> str:
    return domain.findtext(path) or ""


def values(domain: ET.Element, path: str, name: str) -> list[str]:
    return [element.get(name, "") for element in domain.findall(path)]


def the_same_guest(domain: ET.Element, one: Guest, memory: int) -> None:
    """What both configs say of the machine."""
    assert domain.get("type") == "xen"
    assert (text(domain, "name"), text(domain, "uuid")) == (one.name, one.domain_uuid)
    assert text(domain, "os/type") == TYPES[one.type]
    assert text(domain, "memory") == str(memory << 10)
    assert values(domain, "devices/interface/mac", "address") == list(one.macs)
    bridges = [nic.bridge for nic in one.nics if nic.mode != "routed"]
    assert values(domain, "devices/interface/source", "bridge") == bridges
    routed = values(domain, "devices/interface[script]/ip", "address")
    assert routed == [str(nic.fixed_addresses[0]) for nic in one.nics if nic.mode == "routed"]


def disks(domain: ET.Element) -> dict[str, str]:
    """vdev -> what it shows; libvirt asks no device here, so it takes them all for files."""
    found = {}
    for disk in domain.findall("devices/disk"):
        target, source = disk.find("target"), disk.find("source")
        assert target is not None
        if source is not None:
            found[target.get("dev", "")] = source.get("file") or source.get("dev") or ""
    return found


def runs(libvirt: Libvirt, one: Guest) -> None:
    domain = libvirt.convert(render_run_config(one))
    the_same_guest(domain, one, (one.max_memory or one.memory).mebibytes())
    group = f"/dev/{one.volume_group}"
    system = "hda" if one.type == "hvm" else "xvda"
    assert disks(domain) == {system: f"{group}/{one.disk_volume}"} | {
        one.volume_device(volume).removeprefix("/dev/"): f"{group}/{one.volume_name(volume)}" for volume in one.volumes
    }
    boot, _why = boot_of(one)
    if boot.method == "direct":
        assert text(domain, "os/kernel").endswith("/installed/vmlinuz")
        assert text(domain, "os/cmdline") == " ".join([f"console={console_of(one)}", *one.kernel_args])
    elif one.type != "hvm":
        assert (text(domain, "os/kernel"), text(domain, "bootloader")) == (boot.kernel, boot.bootloader)


def installs(libvirt: Libvirt, one: Guest) -> None:
    domain = libvirt.convert(render_install_config(one))
    the_same_guest(domain, one, one.memory_for_install.mebibytes())
    if one.type != "hvm" or one.media == "netboot":
        assert text(domain, "os/cmdline") == installer_line()
        assert text(domain, "os/initrd") == f"{one.dom0_path}/{one.name}/initrd.gz"
    assert (text(domain, "on_poweroff"), text(domain, "on_reboot")) == ("destroy", "destroy")
    assert len(disks(domain)) == 1 + (one.media == "iso")


@pytest.mark.parametrize(("name", "one"), CASES, ids=[name for name, _one in CASES])
def test_a_guest_is_the_same_to_libvirt(name: str, one: Guest, libvirt: Libvirt) -> None:
    assert name
    runs(libvirt, one)
    installs(libvirt, one)


def takes(one: Guest) -> bool:
    """libvirt 9 does not know `cpus = "all"`, and takes a bridge br.lan for VLAN "lan" of Open vSwitch."""
    return one.cpus != "all" and not any("." in (nic.bridge or "") for nic in one.nics)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(one=GUESTS.filter(takes))
def test_made_up_guests_are_the_same_to_libvirt(one: Guest, libvirt: Libvirt) -> None:
    runs(libvirt, one)
    installs(libvirt, one)
