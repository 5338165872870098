"""xl configs, read by xl itself: the domain that it would make is the one that the profile means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from builder.errors import BuilderError
from builder.profile.model import Guest, Static4
from builder.units import Size
from builder.xen.boot import boot_of, check_boot
from builder.xen.config import quoted, render_install_config, render_run_config
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
    "described": {"description": 'it\'s "quoted" # and \\not\\ [a, list] = 1; \u2603'},
}
CASES = [*((one.name, one) for one in sample_guests()), *((name, guest(changes)) for name, changes in VARIANTS.items())]


@pytest.fixture(scope="module")
def xl(tmp_path_factory: pytest.TempPathFactory) -> Xl:
    return find_xl(tmp_path_factory.mktemp("xl"))


def disks(domain: dict[str, Any]) -> list[tuple[str, str, bool, bool]]:
    """vdev, path, writable, and whether it is a CD."""
    found = domain.get("disks", [])
    return [(one["vdev"], one["pdev_path"], bool(one.get("readwrite")), bool(one.get("is_cdrom"))) for one in found]


def expect_common(domain: dict[str, Any], one: Guest, memory: Size) -> None:
    info = domain["b_info"]
    assert domain["c_info"]["type"] == one.type
    assert domain["c_info"]["name"] == one.name
    assert info["max_vcpus"] == one.vcpus
    assert info["max_memkb"] == info["target_memkb"] == memory.mebibytes() * 1024
    if one.cpus not in {"", "all"}:
        assert len(info["vcpu_hard_affinity"]) == one.vcpus
    for number, (nic, seen) in enumerate(zip(one.nics, domain["nics"], strict=True)):
        assert seen["mac"] == one.macs[number]
        assert seen.get("bridge") == nic.bridge
        routed = nic.mode == "routed" and isinstance(nic.ipv4, Static4)
        assert seen.get("script") == ("vif-route" if routed else None)
        assert seen.get("ip") == (str(nic.ipv4.address.ip) if isinstance(nic.ipv4, Static4) and routed else None)
        assert seen.get("nictype") == ("vif" if one.type == "hvm" else None)
        assert len(seen.get("ifname", "")) <= 11
    if one.type == "hvm":
        assert info["type.hvm"]["serial"] == "pty"
        assert info["type.hvm"]["vnc"]["enable"] == "False"


def expect_install(domain: dict[str, Any], one: Guest) -> None:
    expect_common(domain, one, one.memory_for_install)
    folder = f"{one.dom0_path}/{one.name}"
    system = ("hda" if one.type == "hvm" else "xvda", f"/dev/{one.volume_group}/{one.disk_volume}", True, False)
    cd = [("hdc" if one.type == "hvm" else "xvdz", f"{folder}/installer.iso", False, True)]
    assert disks(domain) == [system, *(cd if one.media == "iso" else [])]
    info = domain["b_info"]
    if one.type == "hvm" and one.media == "iso":
        assert info["type.hvm"]["boot"] == "d"
        assert not {"kernel", "ramdisk", "cmdline"} & info.keys()
    else:
        assert info["kernel"] == f"{folder}/vmlinuz"
        assert info["ramdisk"] == f"{folder}/initrd.gz"
        console = "ttyS0" if one.type == "hvm" else "hvc0"
        assert info["cmdline"] == f"priority=critical DEBIAN_FRONTEND=text TERM=dumb console={console}"
    # destroy is libxl's zero, which its JSON leaves out
    assert [domain.get(f"on_{event}", "destroy") for event in ("poweroff", "reboot", "crash")] == [
        "destroy",
        "destroy",
        "preserve",
    ]


def expect_run(domain: dict[str, Any], one: Guest) -> None:
    expect_common(domain, one, one.memory)
    boot, _why = boot_of(one)
    info = domain["b_info"]
    folder = f"{one.dom0_path}/{one.name}/installed"
    direct = boot.method == "direct"
    assert info.get("kernel") == (f"{folder}/vmlinuz" if direct else boot.kernel or None)
    assert info.get("ramdisk") == (f"{folder}/initrd.img" if direct else None)
    assert info.get("bootloader") == (boot.bootloader or None)
    assert info.get("cmdline") == (" ".join(["console=hvc0", *one.kernel_args]) if direct else None)
    group = f"/dev/{one.volume_group}"
    assert disks(domain) == [
        ("hda" if one.type == "hvm" else "xvda", f"{group}/{one.disk_volume}", True, False),
        *(
            (one.volume_device(volume).removeprefix("/dev/"), f"{group}/{one.volume_name(volume)}", True, False)
            for volume in one.volumes
        ),
    ]
    assert [domain.get(f"on_{event}", "destroy") for event in ("poweroff", "reboot", "crash")] == [
        "destroy",
        "restart",
        "restart",
    ]


@pytest.mark.parametrize("one", [one for _name, one in CASES], ids=[name for name, _one in CASES])
def test_xl_reads_what_the_profile_means(one: Guest, xl: Xl) -> None:
    expect_install(xl.parse(render_install_config(one)), one)
    expect_run(xl.parse(render_run_config(one)), one)


@given(one=GUESTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
