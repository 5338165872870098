"""Wishes against facts: every refusal with its reason, every step with its order."""

from __future__ import annotations

from typing import Any

import pytest

from builder.errors import BuilderError
from builder.findings import Severity
from builder.profile.fields import Percent
from builder.storage.facts import StorageFacts, parse_report
from builder.storage.labels import DISK, KEEP, MARK, UNFINISHED
from builder.storage.plan import plan_volumes
from builder.storage.steps import (
    ActivateVolume,
    CreateVolume,
    FinishVolume,
    GrowVolume,
    RemoveVolume,
    TagVolume,
)
from builder.storage.storage_plan import StoragePlan, plan_storage
from builder.storage.wishes import VolumeWish, wishes_of
from builder.units import Size
from tests.guests import guest
from tests.lvm_reports import EXTENT, facts, lv, pool, pv, report, text, thin, vg

DISK_TAGS = "domu,domu.disk,domu.guest=web1"
SRV_TAGS = "domu,domu.guest=web1,domu.keep,domu.volume=srv"


def wish(volume: str = "", extents: int = 1000, **more: Any) -> VolumeWish:
    values: dict[str, Any] = {"keep": bool(volume)} | more
    who = values.pop("guest", "web1")
    return VolumeWish(
        who, values.pop("group", "vg0"), f"{who}-{volume or 'disk'}", volume, Size(extents * EXTENT), **values
    )


def disk(extents: int = 1000, **more: str) -> dict[str, str]:
    return lv("web1-disk", extents, **({"lv_tags": DISK_TAGS} | more))


def srv(extents: int = 1000, **more: str) -> dict[str, str]:
    return lv("web1-srv", extents, **({"lv_tags": SRV_TAGS} | more))


def codes(planned: StoragePlan) -> list[str]:
    return [finding.code for finding in planned.findings]


def actions(planned: StoragePlan) -> list[str]:
    return [decision.action for decision in planned.decisions]


FOREIGN = lv("web1-disk")
SNAPSHOT: dict[str, Any] = {"lv_attr": "owi-aos---", "lv_role": "public,origin,thickorigin"}
ENSURE = [
    pytest.param([], "create", [], id="missing"),
    pytest.param([disk()], "keep", [], id="as it is to be"),
    pytest.param([disk(999)], "grow", [], id="too small"),
    pytest.param([disk(999, lv_attr="-wi-ao----")], "grow", [], id="too small, and in use"),
    pytest.param([disk(1001)], "refuse", ["V109"], id="larger"),
    pytest.param([FOREIGN], "refuse", ["V104"], id="foreign"),
    pytest.param([lv("web1-disk", lv_tags="backup,nightly")], "refuse", ["V104"], id="foreign, with tags"),
    pytest.param([disk(lv_tags="domu,domu.disk,domu.guest=db1")], "refuse", ["V105"], id="another guest's"),
    pytest.param(
        [disk(lv_tags="domu,domu.volume=srv,domu.guest=web1")], "refuse", ["V105", "V117"], id="data, not disk"
    ),
    pytest.param([disk(lv_tags="domu")], "refuse", ["V106"], id="only the mark"),
    pytest.param([disk(lv_tags="domu.guest=web1,domu.disk")], "refuse", ["V106"], id="without the mark"),
    pytest.param([disk(lv_tags=DISK_TAGS + ",domu.future")], "refuse", ["V106"], id="a tag from the future"),
    pytest.param([disk(lv_tags=DISK_TAGS + ",domu.volume=srv")], "refuse", ["V106"], id="disk and data at once"),
    pytest.param([disk(lv_tags="domu,domu.disk,domu.guest=")], "refuse", ["V106"], id="nobody's"),
    pytest.param([lv("other", lv_tags=DISK_TAGS)], "refuse", ["V114"], id="under another name"),
    pytest.param([disk(), lv("other", lv_tags=DISK_TAGS)], "refuse", ["V115"], id="twice"),
    pytest.param([disk(lv_attr="-ri-a-----")], "refuse", ["V119"], id="read-only"),
    pytest.param([disk(lv_attr="-wi-s-----")], "refuse", ["V119"], id="suspended"),
    pytest.param([disk(lv_attr="rwi-a-r-p-", lv_layout="raid,raid1")], "refuse", ["V119"], id="a disk is missing"),
    pytest.param(
        [disk(lv_attr="swi-a-s---", lv_role="public,snapshot,thicksnapshot")], "refuse", ["V119"], id="a snapshot"
    ),
    pytest.param([disk(lv_attr="rwi-a-r---", lv_layout="raid,raid1")], "keep", [], id="RAID"),
    pytest.param([disk(999, lv_attr="rwi-a-r---", lv_layout="raid,raid1")], "refuse", ["V108"], id="RAID, too small"),
    pytest.param([disk(**SNAPSHOT)], "keep", [], id="with snapshots"),
    pytest.param([disk(999, **SNAPSHOT)], "refuse", ["V108"], id="with snapshots, too small"),
    pytest.param([pool("web1-disk", 1000)], "refuse", ["V119"], id="the pool itself"),
    pytest.param([disk(lv_tags=DISK_TAGS + ",domu.unfinished")], "finish", [], id="unfinished"),
    pytest.param(
        [disk(lv_tags=DISK_TAGS + ",domu.unfinished", lv_attr="-wi-ao----")], "refuse", ["V107"], id="unfinished, used"
    ),
    pytest.param([disk(), srv()], "keep", ["V117"], id="one more than the profile has"),
    pytest.param([disk(), lv("db1-disk", lv_tags="domu,domu.disk,domu.guest=db1")], "keep", [], id="other guests'"),
]


@pytest.mark.parametrize(("rows", "action", "expected"), ENSURE)
def test_ensure(rows: list[dict[str, str]], action: str, expected: list[str]) -> None:
    planned = plan_storage([wish()], facts(*rows))
    assert (actions(planned), codes(planned)) == ([action], expected)


REBUILD = [
    pytest.param([], wish(), "create", [], id="missing"),
    pytest.param([disk()], wish(), "recreate", [], id="the disk"),
    pytest.param([disk(2000)], wish(), "recreate", [], id="the disk, larger"),
    pytest.param([disk(lv_attr="-wi-------")], wish(), "recreate", [], id="not active"),
    pytest.param([disk(lv_attr="-wi-ao----")], wish(), "refuse", ["V107"], id="in use"),
    pytest.param([disk(lv_attr="-wi-XX----")], wish(), "refuse", ["V107"], id="nobody knows"),
    pytest.param([disk(**SNAPSHOT)], wish(), "refuse", ["V108"], id="with snapshots"),
    pytest.param([disk(lv_role="public,origin,thinorigin")], wish(), "refuse", ["V108"], id="with thin snapshots"),
    pytest.param([disk(lv_layout="striped")], wish(), "refuse", ["V108"], id="stripes"),
    pytest.param([disk(lv_tags=DISK_TAGS + ",domu.keep")], wish(), "refuse", ["V116"], id="made to be kept"),
    pytest.param([FOREIGN], wish(), "refuse", ["V104"], id="foreign"),
    pytest.param([srv()], wish("srv"), "keep", [], id="data"),
    pytest.param([srv(lv_attr="-wi-ao----")], wish("srv"), "keep", [], id="data, in use"),
    pytest.param([srv(999)], wish("srv"), "grow", [], id="data, too small"),
    pytest.param([srv(2000)], wish("srv"), "keep", ["V109"], id="data, larger"),
    pytest.param([srv()], wish("srv", keep=False), "refuse", ["V116"], id="data, no longer kept"),
    pytest.param(
        [srv(lv_tags="domu,domu.guest=web1,domu.volume=srv")], wish("srv", keep=False), "recreate", [], id="not kept"
    ),
]


@pytest.mark.parametrize(("rows", "wanted", "action", "expected"), REBUILD)
def test_rebuild(rows: list[dict[str, str]], wanted: VolumeWish, action: str, expected: list[str]) -> None:
    planned = plan_storage([wanted], facts(*rows), purpose="rebuild")
    assert (actions(planned), codes(planned)) == ([action], expected)


def test_a_volume_of_a_domain_that_is_stopped_first_is_not_in_the_way() -> None:
    there = facts(disk(lv_attr="-wi-ao----"))
    assert actions(plan_storage([wish()], there, purpose="rebuild", released=["vg0/web1-disk"])) == ["recreate"]
    unknown = facts(disk(lv_attr="-wi-XX----"))
    assert codes(plan_storage([wish()], unknown, purpose="rebuild", released=["vg0/web1-disk"])) == ["V107"]


def test_who_holds_a_volume_is_said() -> None:
    there = facts(disk(lv_attr="-wi-ao----")).with_uses({"253:0": ("mounted on /mnt",)})
    (finding,) = plan_storage([wish()], there, purpose="rebuild").findings
    assert finding.message == "vg0/web1-disk is in use: mounted on /mnt"


def steps(rows: list[dict[str, str]], *wanted: VolumeWish, **more: Any) -> list[type]:
    return [type(step) for step in plan_storage(wanted, facts(*rows), **more).steps]


def test_steps_come_in_their_order() -> None:
    asleep = {"lv_attr": "-wi-------", "lv_kernel_major": "-1"}
    untagged = "domu,domu.guest=web1,domu.volume=srv"
    assert steps([srv(999, lv_tags=untagged, **asleep)], wish("srv")) == [ActivateVolume, TagVolume, GrowVolume]
    unfinished = f"{untagged},{UNFINISHED}"
    row = srv(999, lv_tags=unfinished, **asleep)
    assert steps([row], wish("srv")) == [ActivateVolume, TagVolume, GrowVolume, FinishVolume]
    assert steps([disk()], wish(), purpose="rebuild") == [RemoveVolume, CreateVolume]


def test_a_refusal_stops_all_guests() -> None:
    there = facts(lv("db1-disk"))
    planned = plan_storage([wish(), wish(guest="db1")], there)
    assert actions(planned) == ["create", "refuse"]
    assert planned.steps == ()


def test_what_is_destroyed_is_listed_and_what_is_kept_is_not() -> None:
    planned = plan_storage([wish(), wish("srv")], facts(disk(), srv()), purpose="rebuild")
    assert [(one.guest, one.path, one.size) for one in planned.destroyed] == [
        ("web1", "vg0/web1-disk", Size(1000 * EXTENT))
    ]


GROUPS = [
    pytest.param(vg("other"), "V101", "there is no volume group vg0", id="missing"),
    pytest.param(vg(vg_attr="rz--n-"), "V102", "read-only", id="read-only"),
    pytest.param(vg(vg_attr="wzx-n-"), "V102", "exported", id="exported"),
    pytest.param(vg(vg_attr="wz-pn-"), "V102", "misses a disk", id="partial"),
    pytest.param(vg(vg_attr="wz--ns"), "V102", "shared", id="shared"),
    pytest.param(vg(vg_attr="wz--c-"), "V102", "contiguously", id="contiguous"),
]


@pytest.mark.parametrize(("row", "code", "said"), GROUPS)
def test_groups_that_cannot_be_used(row: dict[str, str], code: str, said: str) -> None:
    planned = plan_storage([wish(), wish("srv"), wish(guest="db1")], facts(group=row))
    assert [(finding.code, finding.guest) for finding in planned.findings] == [(code, "db1"), (code, "web1")]
    assert said in planned.findings[0].message
    assert planned.steps == ()


def test_two_groups_of_one_name() -> None:
    there = parse_report(text(report(), report(group=vg(vg_uuid="another"))))
    (finding,) = plan_storage([wish()], there).findings
    assert (finding.code, finding.message) == ("V101", "there are two volume groups vg0")


@pytest.mark.parametrize(("free", "expected"), [(2000, []), (1999, ["V110"])])
def test_extents_are_counted_over_all_guests(free: int, expected: list[str]) -> None:
    there = facts(pvs=[pv(pv_pe_alloc_count=str(5000 - free))])
    assert codes(plan_storage([wish(), wish(guest="db1")], there)) == expected


@pytest.mark.parametrize(("free", "expected"), [(10, []), (9, ["V110"])])
def test_growing_takes_the_difference(free: int, expected: list[str]) -> None:
    there = facts(srv(990), pvs=[pv(pv_pe_alloc_count=str(5000 - free))])
    assert codes(plan_storage([wish("srv")], there)) == expected


@pytest.mark.parametrize(("first", "expected"), [("web1", []), ("db1", ["V110"])])
def test_there_is_room_at_every_moment_not_only_at_the_end(first: str, expected: list[str]) -> None:
    """web1's disk gets 10 smaller, db1's 10 larger; nothing is free before."""
    there = facts(
        disk(1010), lv("db1-disk", 990, lv_tags="domu,domu.disk,domu.guest=db1"), pvs=[pv(pv_pe_alloc_count="5000")]
    )
    wanted = sorted([wish(), wish(guest="db1")], key=lambda one: one.guest != first)
    planned = plan_storage(wanted, there, purpose="rebuild")
    assert codes(planned) == expected
    assert [(use.free, use.after) for use in planned.groups] == [(0, 0)]


POOL_ROWS = [
    pytest.param([], ["V103"], id="missing"),
    pytest.param([lv("thin")], ["V103"], id="no pool"),
    pytest.param([pool(data_percent="")], ["V103"], id="not active"),
    pytest.param([pool(lv_attr="twi-aotzM-")], ["V103"], id="not well"),
    pytest.param([pool()], [], id="well"),
    pytest.param([pool(lv_attr="twi-aot---")], ["V113"], id="hands out old data"),
    pytest.param([pool(data_percent="75.00")], [], id="80% afterwards"),
    pytest.param([pool(data_percent="75.01")], ["V111"], id="more than 80% afterwards"),
    pytest.param([pool(metadata_percent="79.00")], ["V111"], id="metadata"),
    pytest.param([pool(extents=900)], ["V111", "V112"][1:], id="promised more than it has"),
]


@pytest.mark.parametrize(("rows", "expected"), POOL_ROWS)
def test_pools(rows: list[dict[str, str]], expected: list[str]) -> None:
    wanted = wish(pool="thin", wipe="zero", soon=Size(100 * EXTENT))
    assert codes(plan_storage([wanted], facts(*rows))) == expected


def test_a_pool_is_measured_for_all_guests_and_by_the_lowest_watermark() -> None:
    wanted = [
        wish(pool="thin", soon=Size(100 * EXTENT)),
        wish(guest="db1", pool="thin", soon=Size(300 * EXTENT), watermark=Percent(29)),
    ]
    planned = plan_storage(wanted, facts(pool()))
    (use,) = planned.pools
    assert [use.data, use.data_after, use.watermark] == [10, 30, 29]
    (finding,) = planned.findings
    assert finding.message == "vg0/thin would fill up for db1, web1, data from 10.0% to 30.0%; thin_watermark is 29%"


def test_metadata_is_counted_by_blocks() -> None:
    (use,) = plan_storage([wish(pool="thin", soon=Size(1000 * EXTENT))], facts(pool())).pools
    # 4 GiB of 64 KiB blocks are 64,000, 48 bytes each, of 8 MiB.
    assert use.metadata_after == 11 + 100 * 64_000 * 48 / Size.parse("8M").bytes


def test_a_thin_disk_made_anew_gives_back_what_it_held() -> None:
    there = facts(pool(data_percent="60.00"), thin("web1-disk", 1000, lv_tags=DISK_TAGS, data_percent="80.00"))
    (use,) = plan_storage([wish(pool="thin", soon=Size(200 * EXTENT))], there, purpose="rebuild").pools
    assert [use.data, use.data_after] == [60, 60 - 40 + 10]
    assert use.promised == Size(1000 * EXTENT)


def test_thin_volumes_take_no_extents_of_the_group() -> None:
    there = facts(pool(), pvs=[pv(pv_pe_alloc_count="5000")])
    planned = plan_storage([wish(pool="thin")], there)
    assert (codes(planned), actions(planned)) == ([], ["create"])


@pytest.mark.parametrize(("row", "in_pool"), [(disk(), "thin"), (thin("web1-disk", 1000, lv_tags=DISK_TAGS), "")])
def test_thick_and_thin_are_not_changed_into_each_other_but_anew(row: dict[str, str], in_pool: str) -> None:
    there = facts(pool(), row)
    planned = plan_storage([wish(pool=in_pool)], there)
    assert (actions(planned), codes(planned)) == (["keep"], ["V118"])
    assert not planned.refused
    anew = plan_storage([wish(pool=in_pool)], there, purpose="rebuild")
    assert (actions(anew), codes(anew)) == (["recreate"], [])


def test_adoption_tags_and_changes_nothing_else() -> None:
    planned = plan_storage([wish()], facts(lv("web1-disk", lv_tags="backup")), adopt=["vg0/web1-disk"])
    (step,) = planned.steps
    assert isinstance(step, TagVolume)
    assert step.add == {MARK, DISK, "domu.guest=web1"}
    assert planned.decisions[0].adopted


@pytest.mark.parametrize(
    ("rows", "more", "expected"),
    [
        pytest.param([FOREIGN], {"adopt": ["vg0/other"]}, ["V104", "V104"], id="a volume that nobody wishes for"),
        pytest.param([FOREIGN], {"adopt": ["vg0/web1-disk"], "purpose": "rebuild"}, ["V104"], id="for a rebuild"),
        pytest.param([pool("web1-disk", 1000)], {"adopt": ["vg0/web1-disk"]}, ["V119"], id="a pool"),
        pytest.param(
            [lv("web1-disk", lv_tags="domu,domu.disk,domu.guest=db1")],
            {"adopt": ["vg0/web1-disk"]},
            ["V105"],
            id="db1's",
        ),
    ],
)
def test_what_cannot_be_adopted(rows: list[dict[str, str]], more: dict[str, Any], expected: list[str]) -> None:
    planned = plan_storage([wish()], facts(*rows), **more)
    assert codes(planned) == expected
    assert planned.steps == ()


def test_one_volume_cannot_be_wished_for_twice() -> None:
    with pytest.raises(BuilderError, match="vg0/web1-disk is wished for twice"):
        plan_storage([wish(), wish()], facts())


def test_every_finding_says_what_to_do() -> None:
    for rows in ([], [disk()], [FOREIGN], [disk(2000)], [srv(2000), disk(**SNAPSHOT)], [pool(), disk(lv_tags="domu")]):
        planned = plan_storage([wish(), wish("srv")], facts(*rows), purpose="rebuild")
        assert all(finding.hint for finding in planned.findings)
        assert planned.refused == any(finding.severity is Severity.ERROR for finding in planned.findings)


def test_the_wishes_of_a_guest() -> None:
    one = guest(
        thin_pool="thin",
        wipe="zero",
        thin_watermark="70%",
        disk={"thin": False, "size": "10G"},
        volumes=[{"name": "srv", "size": "10000M"}, {"name": "tmp", "size": "1G", "keep": False, "filesystem": "xfs"}],
    )
    sized, _ = plan_volumes(one, Size.parse("32M"))
    assert sized is not None
    system, data, scratch = wishes_of(one, sized)
    assert (system.path, system.volume, system.pool, system.keep) == ("vg0/web1-disk", "", "", False)
    assert system.soon == sized.least
    assert (data.path, data.pool, data.size) == ("vg0/web1-srv", "thin", Size.parse("10016M"))
    assert data.tags == {MARK, KEEP, "domu.guest=web1", "domu.volume=srv"}
    assert (scratch.filesystem, scratch.watermark, scratch.wipe) == ("xfs", Percent(70), "zero")
    assert scratch.tags == {MARK, "domu.guest=web1", "domu.volume=tmp"}


def test_facts_without_groups() -> None:
    assert codes(plan_storage([wish()], StorageFacts())) == ["V101"]
    assert plan_storage([], StorageFacts()).steps == ()
