"""Adopting what domu itself built gives back an equal profile, of all that can be known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from builder.errors import BuilderError
from builder.preseed.partitions import recipe_of
from builder.profile.load import load_site
from builder.profile.model import Guest
from builder.profile.show import yaml_lines
from builder.workflows.render import context_of
from builder.xen.adopt.adoption import Adoption, adopt
from builder.xen.adopt.evidence import Certainty, Evidence
from builder.xen.adopt.text import adopted_text
from builder.xen.boot import check_boot, method_of
from builder.xen.xlcfg import Setting, Value, XlConfig
from tests.adoption import evidence_of
from tests.guests import FULL, GUESTS, MIRROR, artefacts, guest, sample_guests, secrets_of
from tests.lvm_reports import facts, lv
from tests.profiles import source

built_of = lru_cache(maxsize=8)(artefacts)

# What the profile's word is not, but what it comes to.
MEANT: Mapping[str, Callable[[Guest], Any]] = {
    "packages": lambda one: context_of(one, secrets=secrets_of(one), mirror=MIRROR).packages,
    "disk": lambda one: (
        one.disk_volume,
        built_of(one).volumes.volumes[0].size,
        one.label,
        one.disk.method,
        recipe_of(one).lines,
        one.pool_of(one.disk),
    ),
    "volumes": lambda one: [
        (one.volume_name(it), it.name, it.keep, it.filesystem, it.mount, one.pool_of(it), built_of(one).volumes.volumes[number].size)
        for number, it in enumerate(one.volumes, 1)
    ],
    "bootloader": lambda one: built_of(one).run_config.partition("# Boot method ")[2].partition(":")[0],
    "memory": lambda one: one.memory.mebibytes(),
    "max_memory": lambda one: (one.max_memory or one.memory).mebibytes(),
    "max_vcpus": lambda one: one.max_vcpus or one.vcpus,
    "uuid": lambda one: one.domain_uuid,
    "kernel_args": lambda one: [word for word in dict.fromkeys(one.kernel_args) if word not in {"console=hvc0", "console=ttyS0"}],
    "users": lambda one: [(user.name, user.full_name) for user in one.users[:1]],
    "vnc": lambda one: one.vnc if one.type == "hvm" else None,
    "components": lambda one: sorted({"main", *one.components}),
    "nics": lambda one: [
        (nic.mode if nic.mode != "nat" else "bridge", nic.bridge, one.macs[number], nic.rate, nic.ipv4 if nic.mode == "routed" or number == 0 else None)
        for number, nic in enumerate(one.nics)
    ],
    "dom0_reads_disk": lambda one: one.dom0_reads_disk and method_of(one) == "pygrub",
    "thin_pool": lambda one: one.pool_of(one.disk) or None,
}  # fmt: skip
# Seen in the installer's answers of NICs with a fixed address only.
WITH_ADDRESS = frozenset({"dns"})


def adopted(one: Guest) -> tuple[Adoption, Guest]:
    """The adoption, and the guest that its text loads as, on a site that says nothing."""
    adoption = adopt(evidence_of(one, gateway="192.0.2.1"))
    text = adopted_text(adoption, adoption.profile(resolved), "test")
    loaded = load_site([source(one.name, text)])
    assert [finding for finding in loaded.findings if finding.severity.word == "error"] == [], text
    return adoption, loaded.guests[0]


def resolved(values: Mapping[str, Any]) -> Guest | None:
    found = load_site([source("x", "\n".join([*yaml_lines(values), "name: x"]) + "\n")]).guests
    return found[0] if found else None


def expect_equal(one: Guest) -> None:
    adoption, again = adopted(one)
    for row in adoption.rows:
        if row.certainty is Certainty.KNOWN or row.field in {"users", "suite", "description"}:
            meant = MEANT.get(row.field, lambda it, field=row.field: getattr(it, field))
            assert meant(again) == meant(one), (row, again)
    assert [str(row) for row in adoption.rows if row.certainty is Certainty.UNKNOWN and row.value is not None] == []


@pytest.mark.parametrize("one", sample_guests(), ids=lambda one: one.name)
def test_the_sample_guests_come_back(one: Guest) -> None:
    expect_equal(one)


def test_every_field_has_a_row_and_its_reason() -> None:
    adoption, _again = adopted(guest())
    assert [row.field for row in adoption.rows] == list(Guest.model_fields)
    assert all(row.source for row in adoption.rows)


def test_a_guest_with_every_field_comes_back() -> None:
    one = Guest.model_validate({**FULL, "media": "netboot", "dom0_path": "/srv/domu"})
    adoption, _again = adopted(one)
    expect_equal(one)
    known = {row.field for row in adoption.rows if row.certainty is Certainty.KNOWN}
    assert known >= {"memory", "max_memory", "vcpus", "cpus", "cpu_cap", "vnc", "on_crash", "nics", "disk", "volumes"}
    assert known >= {"locale", "keyboard", "timezone", "ntp", "tasks", "packages", "components", "dns", "kernel_args"}
    assert "canary" not in str(adoption)


def is_sound(one: Guest) -> bool:
    """The rules find no error: else nobody could have built it."""
    text = "\n".join(yaml_lines(one.model_dump(mode="json", exclude_none=True)))
    return bool(load_site([source(one.name, text + "\n")]).guests)


PARTITIONS = st.lists(
    st.fixed_dictionaries(
        {
            "mount": st.sampled_from(["/srv", "/var", "/home", "swap", "/boot"]),
            "minimum": st.integers(300, 900).map("{}MB".format),
        },
        optional={"maximum": st.sampled_from(["unlimited", "2GB", "100%"])},
    ),
    max_size=3,
    unique_by=lambda partition: partition["mount"],
).map(lambda more: [{"mount": "/", "minimum": "2GB"}, *more])
DISKS = st.fixed_dictionaries(
    {},
    optional={
        "partitions": PARTITIONS,
        "label": st.sampled_from(["msdos", "gpt"]),
        "method": st.sampled_from(["regular", "lvm"]),
        "volume": st.sampled_from(["system", "a.b_c"]),
        "size": st.integers(30, 90).map("{}G".format),
    },
)


@given(one=GUESTS, disk=DISKS, pool=st.sampled_from([None, "pool"]))
# Not shrunk: each turn renders a guest.
@settings(
    max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True
)
def test_any_guest_that_domu_builds_comes_back(one: Guest, disk: dict[str, Any], pool: str | None) -> None:
    data = {**one.model_dump(mode="json", exclude_none=True), "disk": disk, "thin_pool": pool}
    built = Guest.model_validate({key: value for key, value in data.items() if value is not None})
    if not list(check_boot(built)) and is_sound(built):
        expect_equal(built)


STORAGE = facts(lv("web1-disk"), lv("web1--"))
ODD = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "-1", "0", "99999999999", "192.0.2.1", "::1", "fe80::1%x", "1.2.3.4/99", "/dev/vg0/x", "a,b", "x y", "'", "%"]),
)  # fmt: skip
NAMES = [
    "name",
    "uuid",
    "maxmem",
    "vcpus",
    "maxvcpus",
    "cpus",
    "cpu_weight",
    "cap",
    "tsc_mode",
    "vnc",
    "vnclisten",
    "vncdisplay",
    "kernel",
    "bootloader",
]
GOOD_DISK = "phy:/dev/vg0/web1-disk,xvda,w"
MORE_DISKS = st.sampled_from(["phy:/dev/vg0/web1--,xvdb,w", "/dev/v+g/d,raw,xvdb,rw", "file:/x,xvdc,w", ",hdc:cdrom,r"])
DISK_TEXTS = st.lists(MORE_DISKS, max_size=2).map(lambda more: [GOOD_DISK, *more]) | st.lists(ODD, max_size=2)
NIC_TEXTS = st.lists(
    st.lists(st.tuples(st.sampled_from(["mac", "bridge", "ip", "script", "rate", "vlan"]), ODD), max_size=3).map(
        lambda pairs: ",".join(f"{key}={value}" for key, value in pairs)
    )
    | st.sampled_from(["bridge=xenbr0", "script=vif-route,ip=203.0.113.7"]),
    min_size=1,
    max_size=2,
)
QUESTIONS = [
    "netcfg/get_ipaddress",
    "netcfg/get_netmask",
    "netcfg/get_gateway",
    "netcfg/get_nameservers",
    "netcfg/get_domain",
    "mirror/suite",
    "passwd/username",
    "passwd/user-fullname",
    "tasksel/first",
    "pkgsel/include",
    "partman-auto/expert_recipe",
    "time/zone",
    "debian-installer/locale",
    "debian-installer/add-kernel-opts",
    "keyboard-configuration/xkb-keymap",
]


@given(
    settings_=st.dictionaries(st.sampled_from(NAMES), ODD, max_size=4),
    disks=DISK_TEXTS,
    nics=NIC_TEXTS,
    answers=st.none() | st.dictionaries(st.sampled_from(QUESTIONS), ODD, max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_whatever_stands_there_ends_in_a_profile_that_loads_or_in_words(
    settings_: dict[str, str], disks: list[str], nics: list[str], answers: dict[str, str] | None
) -> None:
    values: dict[str, Value] = {"memory": "1024", **settings_, "disk": tuple(disks), "vif": tuple(nics)}
    config = XlConfig({name: Setting(name, value, 1) for name, value in values.items()})
    try:
        adoption = adopt(
            Evidence("web1", config, storage=STORAGE, answers=answers, suite="trixie", gateway="192.0.2.1")
        )
    except BuilderError:
        return
    limits = {"memory", "max_memory", "vcpus", "max_vcpus", "cpu_weight", "cpu_cap"}  # numbers, which the model judges
    told = {name: value for name, value in adoption.values().items() if name not in limits}
    loaded = load_site([source("x", "\n".join([*yaml_lines(told), "memory: 1G", "name: x"]) + "\n")])
    assert [str(one) for one in loaded.findings if one.code.startswith("P0")] == []
