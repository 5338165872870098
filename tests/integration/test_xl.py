"""xl configs, read by xl itself: the domain that it would make is the one that the profile means."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from builder.errors import BuilderError
from builder.profile.model import Guest
from builder.profile.nics import Static4
from builder.units import Size
from builder.xen.boot import boot_of, check_boot
from builder.xen.config import quoted, render_install_config, render_run_config
from builder.xen.domain_config import DomainConfig, DomainDisk, DomainNic, read_domain_config
from builder.xen.network.vif import vif_name
from tests.guests import FULL, GUESTS, HOSTILE, changed, guest, sample_guests, texts
from tests.xl import Xl, find_xl

FIXED = {"address": "203.0.113.7/32", "gateway": "192.0.2.1"}
VARIANTS: dict[str, dict[str, Any]] = {
    "PV bookworm": {"suite": "bookworm"},
    "PVH": {"type": "pvh"},
    "PVH by pygrub": {"type": "pvh", "bootloader": "pygrub"},
    "HVM": {"type": "hvm"},
    "HVM from an ISO": {"type": "hvm", "media": "iso"},
    "PV from an ISO": {"media": "iso"},
    "direct": {"bootloader": "direct", "kernel_args": ["root=/dev/xvda1", "quiet"]},
    "routed": {"nics": [{"mode": "routed", "ipv4": FIXED}]},
    "three NICs": {"nics": [{"bridge": "a"}, {"mode": "nat", "bridge": "b"}, {"mode": "routed", "ipv4": FIXED}]},
    "25 volumes": {"volumes": [{"name": f"v{number}", "size": "1G"} for number in range(25)]},
    "a long name": {"name": "n" * 63},
    "pinned": {"cpus": "0-3,^1", "vcpus": 4},
    "little memory": {"memory": "512M"},
    "elsewhere": {"dom0_path": "/srv/xen/guests"},
    "limits": {"vcpus": 2, "max_vcpus": 8, "max_memory": "3G", "cpu_weight": 512, "cpu_cap": 150},
    "time stamps": {"tsc_mode": "native"},
    "no time stamps of the CPU": {"type": "hvm", "tsc_mode": "always_emulate"},
    "actions": {"on_poweroff": "preserve", "on_reboot": "destroy", "on_crash": "coredump-restart"},
    "HVM with a screen": {"type": "hvm", "vnc": {}},
    "HVM with a screen elsewhere": {"type": "hvm", "vnc": {"listen": "192.0.2.1", "display": 7}},
    "a rate": {"nics": [{"bridge": "a", "rate": "100Mb/s"}, {"bridge": "b", "rate": "10MB/s"}]},
    "a UUID": {"uuid": "0f1e2d3c-4b5a-4697-8812-3d4e5f60718a"},
    "described": {"description": 'it\'s "quoted" # and \\not\\ [a, list] = 1; \u2603'},
}
CASES = [*((one.name, one) for one in sample_guests()), *((name, guest(changes)) for name, changes in VARIANTS.items())]


@pytest.fixture(scope="module")
def xl(tmp_path_factory: pytest.TempPathFactory) -> Xl:
    return find_xl(tmp_path_factory.mktemp("xl"))


# xl's factors of a rate, and its interval of 50 ms (libxlu_vif.c).
FACTORS = {"Kb": 125, "Mb": 125_000, "Gb": 125_000_000, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
# Of b_info, what no field of a profile leads to, and what is judged apart from the fields read below.
JUDGED = {
    *(
        "max_vcpus",
        "avail_vcpus",
        "vcpu_hard_affinity",
        "max_memkb",
        "target_memkb",
        "sched_params",
        "kernel",
        "tsc_mode",
    ),
    *("ramdisk", "cmdline", "bootloader", "type.pv", "type.pvh", "type.hvm"),
}
XLS_OWN = {"claim_mode", "shadow_memkb", "numa_placement", "arch_arm", "arch_x86", "device_model_version"}


def nic_of(one: Guest, number: int) -> DomainNic:
    """What xl should make of a vif."""
    nic = one.nics[number]
    routed = nic.mode == "routed" and isinstance(nic.ipv4, Static4)
    return DomainNic(
        mac=one.macs[number],
        bridge=nic.bridge or "",
        script="vif-route" if routed else "",
        ip=str(nic.ipv4.address.ip) if routed and isinstance(nic.ipv4, Static4) else "",
        vif=vif_name(one.name, number),
    )


def expect_machine(domain: dict[str, Any], one: Guest, config: DomainConfig) -> None:
    """What both configs have in common, and nothing besides."""
    assert (config.name, config.uuid, config.kind) == (one.name, one.domain_uuid, one.type)
    info = domain["b_info"]
    assert info.keys() - JUDGED - XLS_OWN == set()
    assert info["avail_vcpus"] == list(range(one.vcpus))
    assert len(info.get("vcpu_hard_affinity", [])) == (config.vcpus if one.cpus else 0)
    wanted = {"weight": one.cpu_weight, "cap": one.cpu_cap}
    assert info["sched_params"] == {key: value for key, value in wanted.items() if value}
    assert info.get("tsc_mode", "default") == (one.tsc_mode or "default")
    assert config.nics == tuple(nic_of(one, number) for number in range(len(one.nics)))
    assert all(len(nic.vif) <= 11 for nic in config.nics)
    for nic, seen in zip(one.nics, domain["nics"], strict=True):
        assert seen.get("nictype") == ("vif" if one.type == "hvm" else None)
        rate = re.fullmatch(r"([0-9]+)(..)/s", nic.rate or "")
        assert seen.get("rate_bytes_per_interval", 0) == (int(rate[1]) * FACTORS[rate[2]] // 20 if rate else 0)
    if one.type == "hvm":
        assert info["type.hvm"]["serial"] == "pty"
        assert info["type.hvm"]["vnc"] == screen_of(one)


def screen_of(one: Guest) -> dict[str, Any]:
    if one.vnc is None:
        return {"enable": "False"}
    screen = {"enable": "True", "listen": str(one.vnc.listen), "findunused": str(one.vnc.display is None)}
    return screen | ({"display": one.vnc.display} if one.vnc.display else {})


def disk(vdev: str, path: str, *, cdrom: bool = False) -> DomainDisk:
    return DomainDisk(vdev, path, writable=not cdrom, cdrom=cdrom, format="raw")


def expect_install(domain: dict[str, Any], one: Guest) -> None:
    config = read_domain_config(domain)
    expect_machine(domain, one, config)
    assert config.memory == config.max_memory == Size(one.memory_for_install.mebibytes() << 20)
    assert config.vcpus == one.vcpus
    folder = f"{one.dom0_path}/{one.name}"
    system = disk("hda" if one.type == "hvm" else "xvda", f"/dev/{one.volume_group}/{one.disk_volume}")
    cd = disk("hdc" if one.type == "hvm" else "xvdz", f"{folder}/installer.iso", cdrom=True)
    assert config.disks == ((system, cd) if one.media == "iso" else (system,))
    if one.type == "hvm" and one.media == "iso":
        assert domain["b_info"]["type.hvm"]["boot"] == "d"
        assert (config.kernel, config.ramdisk, config.command_line) == ("", "", "")
    else:
        line = "priority=critical DEBIAN_FRONTEND=text TERM=dumb console=hvc0"
        assert (config.kernel, config.ramdisk, config.command_line) == (
            f"{folder}/vmlinuz",
            f"{folder}/initrd.gz",
            line,
        )
    assert (config.on_poweroff, config.on_reboot, config.on_crash) == ("destroy", "destroy", "preserve")


def expect_run(domain: dict[str, Any], one: Guest) -> None:
    config = read_domain_config(domain)
    expect_machine(domain, one, config)
    assert config.memory == Size(one.memory.mebibytes() << 20)
    assert config.max_memory == Size((one.max_memory or one.memory).mebibytes() << 20)
    assert config.vcpus == (one.max_vcpus or one.vcpus)
    boot, _why = boot_of(one)
    folder = f"{one.dom0_path}/{one.name}/installed"
    direct = boot.method == "direct"
    console = "ttyS0" if one.type == "hvm" else "hvc0"
    assert config.kernel == (f"{folder}/vmlinuz" if direct else boot.kernel)
    assert config.ramdisk == (f"{folder}/initrd.img" if direct else "")
    assert config.bootloader == boot.bootloader
    assert config.command_line == (" ".join([f"console={console}", *one.kernel_args]) if direct else "")
    group = f"/dev/{one.volume_group}"
    assert config.disks == (
        disk("hda" if one.type == "hvm" else "xvda", f"{group}/{one.disk_volume}"),
        *(
            disk(one.volume_device(volume).removeprefix("/dev/"), f"{group}/{one.volume_name(volume)}")
            for volume in one.volumes
        ),
    )
    assert (config.on_poweroff, config.on_reboot, config.on_crash) == (one.on_poweroff, one.on_reboot, one.on_crash)


@pytest.mark.parametrize("one", [one for _name, one in CASES], ids=[name for name, _one in CASES])
def test_xl_reads_what_the_profile_means(one: Guest, xl: Xl) -> None:
    expect_install(xl.parse(render_install_config(one)), one)
    expect_run(xl.parse(render_run_config(one)), one)


@given(one=GUESTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_xl_reads_what_any_profile_means(one: Guest, xl: Xl) -> None:
    if not list(check_boot(one)):
        expect_install(xl.parse(render_install_config(one)), one)
        expect_run(xl.parse(render_run_config(one)), one)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_string_comes_back_from_xl_as_it_was(kind: str, xl: Xl) -> None:
    """In a statement of its own, where xl puts no other meaning into it."""
    value = HOSTILE[kind]
    config = 'name = "x"\ntype = "pv"\nmemory = 64\nkernel = {}\n'
    if not value.isprintable():
        with pytest.raises(ValueError, match="not printable"):
            quoted(value)
    elif value:
        assert xl.parse(config.format(quoted(value)))["b_info"]["kernel"] == value


def hostile_configs() -> dict[str, Guest]:
    """Config text -> guest, for every hostile value that the model takes and that changes a config."""
    found: dict[str, Guest] = {}
    for path in texts(FULL):
        for value in HOSTILE.values():
            try:
                one = Guest.model_validate(changed(FULL, path, value))
            except ValueError:
                continue
            if not list(check_boot(one)):
                found[render_install_config(one) + render_run_config(one)] = one
    return found


def test_xl_takes_no_hostile_value_for_more_than_a_value(xl: Xl) -> None:
    found = hostile_configs()
    assert len(found) > 10
    for one in found.values():
        try:
            install, run = render_install_config(one), render_run_config(one)
        except BuilderError:
            continue
        expect_install(xl.parse(install), one)
        expect_run(xl.parse(run), one)


@pytest.mark.parametrize(
    "config",
    ['name = "x"\ntype = "nosuch"\nkernel = "/k"\n', 'name = "x"\nkernel = "/k"\ndisk = ["nosuch=1"]\n', 'name = "x\n'],
)
def test_xl_would_have_complained(config: str, xl: Xl) -> None:
    assert xl.run(config).returncode != 0
