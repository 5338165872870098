"""From a profile to volumes: sizes in extents, what the disk will hold, and refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builder.errors import BuilderError
from builder.preseed.layout import predict
from builder.preseed.partitions import machine_of, recipe_of
from builder.preseed.recipe import parse_recipe, render_recipe
from builder.preseed.recipe_lint import lint_recipe
from builder.profile.model import Guest
from builder.storage.plan import VolumePlan, plan_volumes, render_volumes_json, render_volumes_table
from builder.units import Size

OWN = [{"mount": "/", "minimum": "3G"}, {"mount": "swap", "minimum": "512M", "maximum": "1G"}]


def guest(**fields: Any) -> Guest:
    small = {"name": "db1", "suite": "trixie", "memory": "2G", "volume_group": "vg0", "nics": [{"bridge": "xenbr0"}]}
    return Guest.model_validate(small | fields)


def planned(**fields: Any) -> VolumePlan:
    plan, findings = plan_volumes(guest(**fields))
    assert plan is not None, list(map(str, findings))
    return plan


def codes(**fields: Any) -> list[str]:
    return [finding.code for finding in plan_volumes(guest(**fields))[1]]


def text(**fields: Any) -> str:
    return render_recipe(recipe_of(guest(**fields)), one_line=True)


def test_the_disk_is_sized_by_its_recipe_with_headroom_in_whole_extents() -> None:
    plan = planned(disk={"partitions": OWN, "headroom": "10%"})
    disk = plan.volumes[0]
    assert plan.least == Size(3_759_000_000)  # 3222 + 537 MB
    assert (disk.name, disk.role, disk.keep, disk.device) == ("db1-disk", "disk", False, "/dev/xvda")
    assert disk.extents == -(-plan.least.bytes * 11 // 10 // (4 << 20))
    assert disk.size.bytes == disk.extents * (4 << 20) == plan.least.bytes + plan.headroom.bytes
    assert plan.layout == predict(plan.recipe, plan.machine, disk.size)


def test_a_size_given_is_rounded_up_to_extents_as_lvcreate_does() -> None:
    plan, _ = plan_volumes(guest(disk={"partitions": OWN, "size": "10001M"}), Size.parse("32M"))
    assert plan is not None
    assert (plan.volumes[0].size, plan.volumes[0].extents) == (Size.parse("10016M"), 313)


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
@pytest.mark.parametrize("recipe", ["atomic", "home", "multi", None])
@pytest.mark.parametrize("method", ["regular", "lvm"])
@pytest.mark.parametrize("label", ["msdos", "gpt"])
def test_auto_without_headroom_is_enough_also_with_less_memory(
    suite: str, recipe: str, method: str, label: str
) -> None:
    disk = {"recipe": recipe, "method": method, "label": label, "headroom": "0B"}
    plan = planned(suite=suite, disk=disk)
    assert plan.layout.is_sound
    for part in (99, 95, 90):
        machine = machine_of(guest(suite=suite, disk=disk, memory=f"{2048 * part // 100}M"))
        assert predict(plan.recipe, machine, plan.volumes[0].size).is_sound


def test_data_volumes_follow_the_disk() -> None:
    volumes = [{"name": "srv", "size": "10G", "mount": "/srv"}, {"name": "tmp", "size": "1M", "keep": False}]
    plan = planned(disk={"partitions": OWN}, volumes=volumes)
    rows = [(it.name, it.role, it.extents, it.keep, it.device, it.filesystem, it.mount) for it in plan.volumes[1:]]
    assert rows == [
        ("db1-srv", "data", 2560, True, "/dev/xvdb", "ext4", "/srv"),
        ("db1-tmp", "data", 1, False, "/dev/xvdc", "ext4", ""),
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"disk": {"partitions": OWN, "size": "3G"}}, ["R303"], id="too small"),
        pytest.param({"disk": {"size": "4G"}}, ["R303"], id="stock recipe does not fit"),
        pytest.param({"suite": "bookworm", "disk": {"recipe": "server"}}, ["R301"], id="no such stock recipe"),
        pytest.param({"disk": {"partitions": OWN, "size": "3T"}}, ["R307"], id="beyond a msdos label"),
        pytest.param({"disk": {"partitions": OWN, "size": "3T", "label": "gpt"}}, [], id="gpt reaches further"),
        pytest.param({"disk": {"partitions": OWN, "method": "lvm"}}, ["R306"], id="LVM without /boot"),
        pytest.param(
            {"disk": {"partitions": [{"mount": "/", "minimum": "3G", "maximum": "4G"}], "size": "9G"}},
            ["R305"],
            id="the last ignores its maximum",
        ),
        pytest.param(
            {"disk": {"partitions": [{"mount": "/", "minimum": "3G", "maximum": "2G"}]}},
            ["R107", "R305"],
            id="max < min",
        ),
    ],
)
def test_findings(fields: dict[str, Any], expected: list[str]) -> None:
    assert codes(**fields) == expected


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        ({"partitions": OWN, "size": "3G"}, "silently take the stock recipe 'small_disk'"),
        ({"partitions": OWN, "size": "2G"}, "stop at the error partman-auto/no_recipe"),
    ],
)
def test_a_refusal_says_what_would_happen_and_the_least_size_that_would_do(disk: dict[str, Any], said: str) -> None:
    plan, findings = plan_volumes(guest(disk=disk))
    assert plan is None
    (finding,) = findings
    assert said in finding.message
    assert (finding.hint, finding.guest) == ("write disk.size: 3759MB or more, or auto", "db1")
    assert plan_volumes(guest(disk=disk | {"size": "3759MB"}))[0] is not None


def test_a_recipe_of_partitions() -> None:
    assert text(disk={"partitions": OWN}) == (
        "db1 :: 3222 4222 -1 ext4 $primary{ } $bootable{ } method{ format } format{ } use_filesystem{ }"
        " filesystem{ ext4 } mountpoint{ / } ."
        " 537 1074 1074 linux-swap method{ swap } format{ } ."
    )


@pytest.mark.parametrize(("kind", "expected"), [("pv", False), ("pvh", True), ("hvm", True)])
def test_grub_of_a_gpt_disk_gets_its_partition(kind: str, *, expected: bool) -> None:
    assert ("biosgrub" in text(type=kind, disk={"partitions": OWN, "label": "gpt"})) is expected


def test_an_lvm_recipe_keeps_boot_outside() -> None:
    partitions = [
        {"mount": "/boot", "minimum": "512M", "maximum": "512M"},
        {"mount": "/", "minimum": "3G", "name": "system"},
        {"mount": "swap", "minimum": "20%", "priority": "50%", "maximum": "100%"},
    ]
    plan = planned(disk={"partitions": partitions, "method": "lvm"})
    assert [it.method for it in plan.layout.partitions] == ["format", "lvm"]
    assert [it.name for it in plan.layout.lvs] == ["system", "swap_1"]
    assert "20% 50% 100% linux-swap $lvmok{ }" in render_recipe(plan.recipe, one_line=True)


def test_limited_partitions_fill_up_before_the_unlimited_takes_the_rest() -> None:
    partitions = [*OWN, {"mount": "/var", "minimum": "1G", "maximum": "20G"}]
    layout = planned(disk={"partitions": partitions, "size": "100G"}).layout
    assert layout.expanded_mb is not None
    assert layout.expanded_mb[1:] == (1074, 21475)


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
@pytest.mark.parametrize("filesystem", ["ext2", "ext3", "ext4", "xfs"])
def test_our_own_recipes_are_read_back_without_a_finding(suite: str, filesystem: str) -> None:
    partitions = [*OWN, {"mount": "/srv", "minimum": "1G", "filesystem": filesystem}]
    rendered = text(suite=suite, disk={"partitions": partitions})
    recipe, findings = parse_recipe(rendered)
    findings.extend(lint_recipe(recipe, guest(suite=suite).suite))
    assert list(findings) == []


def test_a_recipe_that_the_suite_lacks_is_an_error_for_who_renders() -> None:
    with pytest.raises(BuilderError, match="no stock recipe 'small_disk'"):
        recipe_of(guest(suite="bookworm", disk={"recipe": "small_disk"}))


def test_volumes_json_is_the_same_every_time_and_holds_the_plan() -> None:
    plan = planned(disk={"partitions": OWN}, volumes=[{"name": "srv", "size": "10G", "mount": "/srv"}])
    data = json.loads(render_volumes_json(plan))
    assert render_volumes_json(
        planned(disk={"partitions": OWN}, volumes=[{"name": "srv", "size": "10G", "mount": "/srv"}])
    ) == (json.dumps(data, indent=2, sort_keys=True) + "\n")
    assert [volume["extents"] * data["extent_bytes"] for volume in data["volumes"]] == [
        volume["size_bytes"] for volume in data["volumes"]
    ]
    assert [partition["mount"] for partition in data["disk"]["partitions"]] == ["/", ""]


def test_the_table_names_volumes_and_partitions() -> None:
    table = render_volumes_table(planned(disk={"partitions": OWN}, volumes=[{"name": "srv", "size": "10G"}]))
    for shown in ("vg0/db1-disk", "vg0/db1-srv", "10.0 GiB", "/dev/xvda1", "/dev/xvda5", "swap", "beyond that"):
        assert shown in table
