"""The volumes of a guest taken away by the real LVM tools: its own go, its data by its word, all others stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from builder.errors import RefusalError
from builder.host.lvm import carry_out, read_storage
from builder.profile.model import Guest
from builder.progress import Silence
from builder.storage.removal import Removal, plan_removal
from builder.storage.steps import RemoveVolume, TagVolume
from tests.guests import guest
from tests.volume_groups import LoopGroup, loop_group

HELD = b"ten years of letters" * 100
TAGGED = {
    "web1-disk": ("domu", "domu.disk", "domu.guest=web1"),
    "web1-srv": ("domu", "domu.guest=web1", "domu.volume=srv", "domu.keep"),
    "web1-tmp": ("domu", "domu.guest=web1", "domu.volume=tmp"),
    "db1-disk": ("domu", "domu.disk", "domu.guest=db1"),
    "backup": ("nightly",),
}


@pytest.fixture
def group(tmp_path: Path) -> Iterator[LoopGroup]:
    with loop_group(tmp_path / "group") as made:
        for name, tags in TAGGED.items():
            words = [word for tag in tags for word in ("--addtag", tag)]
            made.lvm("lvcreate", "--yes", "--extents", "3", *words, "--name", name, made.name)
            made.write(name, HELD)
        yield made


def web1(group: LoopGroup) -> Guest:
    volumes = [{"name": "srv", "size": "12M"}, {"name": "tmp", "size": "12M", "keep": False}]
    disk = {"size": "12M", "partitions": [{"mount": "/", "minimum": "8M"}]}
    return guest({"volume_group": group.name, "disk": disk, "volumes": volumes})


def removed(group: LoopGroup, named: Sequence[str] = ()) -> Removal:
    plan = plan_removal(web1(group), read_storage(group.run), named=named)
    carry_out(plan.steps, progress=Silence(), runner=group.run)
    return plan


def names(group: LoopGroup) -> set[str]:
    return {volume.name for volume in group.facts().volumes()}


def test_its_own_go_and_everything_else_keeps_its_bytes(group: LoopGroup) -> None:
    plan = removed(group)
    assert [one.path for one in plan.left] == [f"{group.name}/web1-srv"]
    assert names(group) == {"web1-srv", "db1-disk", "backup"}
    assert all(group.read(name, len(HELD)) == HELD for name in names(group))
    assert removed(group).steps == ()


def test_data_goes_when_it_is_named(group: LoopGroup) -> None:
    removed(group, named=["srv"])
    assert names(group) == {"db1-disk", "backup"}
    assert all(group.read(name, len(HELD)) == HELD for name in names(group))


def test_cut_off_between_the_tag_and_the_volume_it_still_needs_its_word(group: LoopGroup) -> None:
    plan = plan_removal(web1(group), read_storage(group.run), named=["srv"])
    tag = next(step for step in plan.steps if isinstance(step, TagVolume))
    carry_out([tag], progress=Silence(), runner=group.run)
    assert [one.path for one in plan_removal(web1(group), read_storage(group.run)).left] == [f"{group.name}/web1-srv"]
    removed(group, named=["srv"])
    assert "web1-srv" not in names(group)


def test_a_volume_that_became_somebody_elses_meanwhile_stays(group: LoopGroup) -> None:
    plan = plan_removal(web1(group), read_storage(group.run))
    group.lvm("lvchange", "--deltag", "domu", f"{group.name}/web1-disk")
    with pytest.raises(RefusalError):
        carry_out(plan.steps, progress=Silence(), runner=group.run)
    assert group.read("web1-disk", len(HELD)) == HELD
    assert names(group) == set(TAGGED)


def test_lvm_itself_does_not_remove_what_lost_our_mark(group: LoopGroup) -> None:
    """Were the tag taken away in the instant between the last look and lvremove."""
    plan = plan_removal(web1(group), read_storage(group.run))
    step = next(step for step in plan.steps if isinstance(step, RemoveVolume))
    chosen = f'lv_uuid="{step.target.uuid}" && lv_tags={{"domu"}}'
    group.lvm("lvchange", "--deltag", "domu", f"{group.name}/web1-disk")
    group.lvm("lvremove", "--yes", "--select", chosen, group.name)
    assert group.read("web1-disk", len(HELD)) == HELD
