"""Which volumes of a guest go with it, which stay, and what refuses all of it."""

from __future__ import annotations

from typing import Any

import pytest

from builder.storage.removal import Removal, plan_removal
from builder.storage.steps import RemoveVolume, TagVolume, commands_of, path_of
from tests.guests import guest
from tests.lvm_reports import facts, lv, vg

DISK = {"size": "4000M", "partitions": [{"mount": "/", "minimum": "1G"}]}
WEB1 = guest(
    {
        "disk": DISK,
        "volumes": [{"name": "srv", "size": "400M"}, {"name": "tmp", "size": "400M", "keep": False}],
    }
)
OWN_DISK = lv("web1-disk", 1000, lv_tags="domu,domu.disk,domu.guest=web1")
SRV = lv("web1-srv", 100, lv_tags="domu,domu.guest=web1,domu.keep,domu.volume=srv")
TMP = lv("web1-tmp", 100, lv_tags="domu,domu.guest=web1,domu.volume=tmp")
OLD = lv("web1-old", 100, lv_tags="domu,domu.guest=web1,domu.volume=old")
DB1 = lv("db1-disk", 100, lv_tags="domu,domu.disk,domu.guest=db1")


def removal(*rows: dict[str, str], named: tuple[str, ...] = (), **more: Any) -> Removal:
    return plan_removal(WEB1, facts(*rows, **more), named=named)


def gone(plan: Removal) -> list[str]:
    return [path_of(step) for step in plan.steps if isinstance(step, RemoveVolume)]


def test_the_disk_and_what_every_rebuild_makes_anew_go_and_data_stays() -> None:
    plan = removal(OWN_DISK, SRV, TMP, OLD, DB1, lv("root"))
    assert plan.findings == ()
    assert gone(plan) == ["vg0/web1-disk", "vg0/web1-tmp"]
    assert [one.path for one in plan.destroyed] == gone(plan)
    assert [(one.path, one.why) for one in plan.left] == [
        ("vg0/web1-old", "it is kept; to remove it, too: --data web1/old"),
        ("vg0/web1-srv", "it is kept; to remove it, too: --data web1/srv"),
    ]


def test_data_goes_by_its_own_word_and_each_needs_its_own() -> None:
    plan = removal(OWN_DISK, SRV, OLD, named=("srv",))
    assert gone(plan) == ["vg0/web1-disk", "vg0/web1-srv"]
    assert [one.path for one in plan.left] == ["vg0/web1-old"]
    assert gone(removal(SRV, OLD, named=("srv", "old"))) == ["vg0/web1-old", "vg0/web1-srv"]


def test_what_was_made_to_be_kept_stays_whatever_the_profile_says_now() -> None:
    tagged = lv("web1-tmp", 100, lv_tags="domu,domu.guest=web1,domu.keep,domu.volume=tmp")
    assert [one.path for one in removal(tagged).left] == ["vg0/web1-tmp"]
    untagged = lv("web1-srv", 100, lv_tags="domu,domu.guest=web1,domu.volume=srv")
    assert [one.path for one in removal(untagged).left] == ["vg0/web1-srv"]


def test_the_tag_that_keeps_it_goes_first_and_lvm_is_asked_by_uuid_and_mark() -> None:
    tag, remove = removal(SRV, named=("srv",)).steps
    assert isinstance(tag, TagVolume)
    assert commands_of(tag) == (("lvchange", "--deltag", "domu.keep", "vg0/web1-srv"),)
    assert isinstance(remove, RemoveVolume)
    assert "domu.keep" not in remove.target.tags
    assert 'lv_tags={"domu"}' in commands_of(remove)[0][3]


def test_a_guest_without_volumes_has_none_to_remove() -> None:
    plan = removal(DB1, lv("root"))
    assert (plan.steps, plan.left, plan.findings) == ((), (), ())


def test_a_disk_that_the_stopped_domain_has_open_goes() -> None:
    rows = facts(OWN_DISK | {"lv_attr": "-wi-ao----"})
    assert plan_removal(WEB1, rows, released=["vg0/web1-disk"]).steps
    assert plan_removal(WEB1, rows).refused


REFUSED = [
    pytest.param([lv("web1-disk")], "V104", id="a foreign volume has its name"),
    pytest.param([lv("web1-srv")], "V104", id="a foreign volume has the name of its data"),
    pytest.param([lv("web1-disk", lv_tags="domu,domu.disk,domu.guest=db1")], "V105", id="another guest's"),
    pytest.param([lv("web1-disk", lv_tags="domu,domu.disk")], "V106", id="tags without a guest"),
    pytest.param([lv("x", lv_tags="domu,domu.guest=web1")], "V106", id="tags without a kind, under another name"),
    pytest.param([OWN_DISK | {"lv_attr": "-wi-ao----"}], "V107", id="in use"),
    pytest.param([OWN_DISK | {"lv_attr": "-wi-XX----"}], "V107", id="a state that nobody knows"),
    pytest.param(
        [OWN_DISK | {"lv_attr": "owi-aos---", "lv_role": "public,origin,thickorigin"}], "V108", id="snapshots"
    ),
    pytest.param([OWN_DISK | {"lv_layout": "striped"}], "V108", id="another layout"),
    pytest.param([OWN_DISK | {"lv_name": "web1-before"}], "V114", id="renamed"),
    pytest.param([OWN_DISK, OWN_DISK | {"lv_name": "web1-copy"}], "V115", id="twice"),
    pytest.param([OWN_DISK | {"lv_attr": "-ri-a-----"}], "V119", id="read-only"),
    pytest.param([OWN_DISK | {"lv_tags": OWN_DISK["lv_tags"] + ",domu.keep"}], "G142", id="a disk to be kept"),
]


@pytest.mark.parametrize(("rows", "code"), REFUSED)
def test_what_is_refused_touches_nothing(rows: list[dict[str, str]], code: str) -> None:
    plan = removal(*rows, TMP)
    assert code in {finding.code for finding in plan.findings}
    assert plan.refused
    assert plan.steps == ()
    assert all(finding.hint for finding in plan.findings)


def test_a_word_for_what_is_not_there_is_refused_and_told_what_there_is() -> None:
    plan = removal(OWN_DISK, SRV, named=("src",))
    (finding,) = plan.findings
    assert (finding.code, finding.hint) == ("G141", "its data volumes here are: srv")
    assert plan.steps == ()


def test_a_group_that_is_not_fit_is_refused() -> None:
    assert removal(OWN_DISK, group=vg(vg_attr="rz--n-")).refused
