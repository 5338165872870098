"""The command lines of each step, and when a step no longer fits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builder.storage.labels import Label
from builder.storage.names import TAG, device_name, name_problem
from builder.storage.stale import why_stale
from builder.storage.steps import (
    ActivateVolume,
    CreateVolume,
    FinishVolume,
    GrowVolume,
    RemoveVolume,
    Step,
    TagVolume,
    Target,
    commands_of,
    describe,
    path_of,
)
from builder.units import Size
from tests.lvm_reports import EXTENT, facts, lv, pv

TAGS = frozenset({"domu", "domu.disk", "domu.guest=web1"})
ROW = lv("web1-disk", 10, lv_tags=",".join(sorted(TAGS)), lv_uuid="U")
TARGET = Target("vg0", "web1-disk", "U", Size(10 * EXTENT), TAGS)
UNFINISHED = replace(TARGET, tags=TAGS | {"domu.unfinished"})
CREATE = CreateVolume("web1", "vg0", "web1-disk", 10, Size(10 * EXTENT), TAGS)
GROW = GrowVolume("web1", TARGET, 12, Size(12 * EXTENT), thin=False)
FINISH = FinishVolume("web1", UNFINISHED, thin=False, filesystem="xfs")
REMOVE = RemoveVolume("web1", TARGET)
ACTIVATED = "lvchange --activate y --ignoreactivationskip vg0/web1-disk"
FINISHED = "lvchange --deltag domu.unfinished vg0/web1-disk"
NEW = "--addtag domu --addtag domu.disk --addtag domu.guest=web1 --addtag domu.unfinished --name web1-disk vg0"
THICK = f"lvcreate --yes --wipesignatures y --zero y --extents 10 {NEW}"
LINES: list[tuple[Step, list[str]]] = [
    (CREATE, [THICK, FINISHED]),
    (replace(CREATE, wipe="discard"), [THICK, "blkdiscard /dev/vg0/web1-disk", FINISHED]),
    (
        replace(CREATE, wipe="zero", filesystem="ext4"),
        [THICK, "blkdiscard --zeroout /dev/vg0/web1-disk", "mkfs.ext4 -q /dev/vg0/web1-disk", FINISHED],
    ),
    (
        replace(CREATE, pool="thin", wipe="zero"),
        [f"lvcreate --type thin --thinpool thin --virtualsize 41943040b {NEW}", FINISHED],
    ),
    (FINISH, [ACTIVATED, "wipefs --all /dev/vg0/web1-disk", "mkfs.xfs -q /dev/vg0/web1-disk", FINISHED]),
    (
        replace(FINISH, wipe="zero", filesystem=""),
        [ACTIVATED, "wipefs --all /dev/vg0/web1-disk", "blkdiscard --zeroout /dev/vg0/web1-disk", FINISHED],
    ),
    (GROW, ["lvextend --extents 12 vg0/web1-disk"]),
    (
        replace(GROW, wipe="discard"),
        [
            "lvextend --extents 12 vg0/web1-disk",
            "blkdiscard --force --offset 41943040 --length 8388608 /dev/vg0/web1-disk",
        ],
    ),
    (replace(GROW, wipe="zero", thin=True), ["lvextend --extents 12 vg0/web1-disk"]),
    (REMOVE, ['lvremove --yes --select lv_uuid="U" && lv_tags={"domu"} vg0']),
    (
        TagVolume("web1", TARGET, add=frozenset({"b", "a"}), remove=frozenset({"c"})),
        ["lvchange --addtag a --addtag b --deltag c vg0/web1-disk"],
    ),
    (ActivateVolume("web1", TARGET), [ACTIVATED]),
]


@pytest.mark.parametrize(("step", "lines"), LINES, ids=lambda value: type(value).__name__)
def test_command_lines(step: Step, lines: list[str]) -> None:
    assert [" ".join(command) for command in commands_of(step)] == lines
    assert path_of(step) == "vg0/web1-disk"
    assert "vg0/web1-disk" in describe(step)


USED = {"lv_attr": "-wi-ao----"}
LATER: list[tuple[Step, dict[str, str], str]] = [
    (CREATE, {}, "vg0/web1-disk is there now"),
    (CREATE, {"lv_name": "other"}, ""),
    (REMOVE, {}, ""),
    (REMOVE, {"lv_name": "other"}, "vg0/web1-disk is gone"),
    (REMOVE, {"lv_uuid": "V"}, "vg0/web1-disk is another volume now: V instead of U"),
    (REMOVE, {"lv_tags": ""}, "the tags of vg0/web1-disk are none now"),
    (REMOVE, {"lv_size": "1"}, "vg0/web1-disk has 1 B now, not 40.0 MiB"),
    (REMOVE, USED, "vg0/web1-disk is in use now: by a domain or a program"),
    (REMOVE, {"lv_attr": "-wi-XX----"}, "whether vg0/web1-disk is in use cannot be known"),
    (REMOVE, {"lv_role": "public,origin,thickorigin"}, "vg0/web1-disk has snapshots now"),
    (GROW, {}, ""),
    (GROW, USED, ""),
    (GROW, {"lv_size": str(12 * EXTENT)}, "vg0/web1-disk has 48.0 MiB now, not 40.0 MiB"),
    (replace(GROW, size=Size(10 * EXTENT)), {}, "vg0/web1-disk is larger already"),
    (FINISH, {"lv_tags": ",".join(sorted(UNFINISHED.tags))}, ""),
    (
        FINISH,
        {"lv_tags": ",".join(sorted(UNFINISHED.tags))} | USED,
        "vg0/web1-disk is in use now: by a domain or a program",
    ),
    (FINISH, {}, "the tags of vg0/web1-disk are domu, domu.disk, domu.guest=web1 now"),
    (replace(FINISH, target=TARGET), {}, "vg0/web1-disk is finished"),
    (TagVolume("web1", TARGET), USED, ""),
    (ActivateVolume("web1", TARGET), {"lv_uuid": "V"}, "vg0/web1-disk is another volume now: V instead of U"),
]


@pytest.mark.parametrize(("step", "change", "said"), LATER)
def test_a_step_that_no_longer_fits(step: Step, change: dict[str, str], said: str) -> None:
    assert why_stale(step, facts(ROW | change)) == said


@pytest.mark.parametrize("step", [CREATE, GROW, replace(GROW, thin=True)])
def test_extents_that_went_elsewhere(step: Step) -> None:
    full = facts(*([] if step is CREATE else [ROW]), pvs=[pv(pv_pe_alloc_count="4999")])
    said = {
        CREATE: "vg0 has 1 free extents now, and vg0/web1-disk needs 10",
        GROW: "vg0 has 1 free extents now, and vg0/web1-disk needs 2 more",
    }
    assert why_stale(step, full) == said.get(step, "")
    other = facts(group={"vg_name": "other"} | {key: value for key, value in VG.items() if key != "vg_name"})
    assert why_stale(step, other).endswith("is gone")


VG = {
    "vg_uuid": "W",
    "vg_attr": "wz--n-",
    "vg_extent_size": str(EXTENT),
    "vg_extent_count": "5000",
    "vg_free_count": "5000",
    "vg_tags": "",
}


@pytest.mark.parametrize("tags", [{"domu.disk", "domu.guest=web1"}, TAGS | {"domu.keep"}])
def test_the_last_gate_before_lvremove(tags: set[str]) -> None:
    """Whatever the plan says: without the mark, or kept, nothing is removed."""
    row = ROW | {"lv_tags": ",".join(sorted(tags))}
    step = RemoveVolume("web1", replace(TARGET, tags=frozenset(tags)))
    assert why_stale(step, facts(row)).startswith("vg0/web1-disk is not one that may be removed")


@pytest.mark.parametrize(
    "label", [Label("web1"), Label("web1", "srv"), Label("a-b", "A.b_c-d"), Label("x" * 63, "y" * 100)]
)
def test_labels_are_read_back_from_their_tags(label: Label) -> None:
    assert Label.read({*label.tags, "backup", "domu.keep"}) == label
    assert all(TAG.fullmatch(tag) for tag in label.tags)


@pytest.mark.parametrize("tags", [set[str](), {"backup"}, {"domuX"}, {"xdomu.guest=web1"}])
def test_tags_of_others_are_no_label(tags: set[str]) -> None:
    assert Label.read(tags) is None


def test_the_device_mappers_names() -> None:
    assert device_name("vg-0", "web1-disk") == "vg--0-web1--disk"
    assert name_problem("vg0", "x" * 118) is None
    assert name_problem("vg0", "x" * 119) == (
        f"vg0/{'x' * 119} is too long for the device mapper: 123 signs",
        "122 are possible; hyphens count twice",
    )
    assert name_problem("vg 0", "disk") == (
        "'vg 0' is no name for LVM",
        "use letters, digits and _ + . -, no hyphen in front",
    )
