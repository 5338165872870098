"""Storage plans carried out by the real LVM tools, on a volume group of their own on a loop device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.errors import BuilderError, RefusalError
from builder.host.lvm import carry_out, read_storage
from builder.host.run import LIMIT, Completed, run
from builder.host.site import Site
from builder.progress import Silence
from builder.storage.labels import UNFINISHED
from builder.storage.names import name_problem
from builder.storage.steps import RemoveVolume, Target, commands_of
from builder.storage.storage_plan import StoragePlan
from builder.units import Size
from builder.workflows.volumes import VolumeOrder, apply, plan
from tests.profiles import as_yaml
from tests.volume_groups import EXTENT, LoopGroup, loop_group

RECIPE = [{"mount": "/", "minimum": "40MB"}]
OLD = b"bytes of an old guest" * 100


@pytest.fixture
def group(tmp_path: Path) -> Iterator[LoopGroup]:
    with loop_group(tmp_path / "group") as made:
        yield made


class House:
    """A site whose guests live in the group."""

    def __init__(self, folder: Path, group: LoopGroup) -> None:
        self.site, self.group = Site(folder), group
        self.site.profiles.mkdir(parents=True)
        shared = {"suite": "trixie", "memory": "1G", "nics": [{"bridge": "xenbr0"}], "volume_group": group.name}
        self.write("site", **shared)

    def write(self, stem: str, **fields: Any) -> None:
        (self.site.profiles / f"{stem}.yaml").write_text(as_yaml(fields))

    def guest(self, name: str = "web1", size: str = "48M", **fields: Any) -> None:
        self.write(name, **{"disk": {"size": size, "partitions": RECIPE}} | fields)

    def plan(self, **order: Any) -> StoragePlan:
        return plan(self.site, VolumeOrder(**order), runner=self.group.run)

    def apply(self, **order: Any) -> StoragePlan:
        shown = self.plan(**order)
        apply(self.site, VolumeOrder(**order), shown, progress=Silence(), runner=self.group.run)
        return shown


@pytest.fixture
def house(tmp_path: Path, group: LoopGroup) -> House:
    return House(tmp_path / "site", group)


def actions(planned: StoragePlan) -> dict[str, str]:
    return {decision.wish.name: decision.action for decision in planned.decisions}


def codes(planned: StoragePlan) -> list[str]:
    return [finding.code for finding in planned.findings]


SRV = {"name": "srv", "size": "40M"}


def test_volumes_are_made_with_their_tags_and_then_nothing_is_to_be_done(house: House) -> None:
    house.guest("web1", volumes=[SRV])
    house.guest("db1", size="50M")
    made = house.apply()
    assert actions(made) == {"db1-disk": "create", "web1-disk": "create", "web1-srv": "create"}
    assert house.group.volume("db1-disk").size == Size(13 * EXTENT)
    assert house.group.volume("web1-disk").tags == {"domu", "domu.disk", "domu.guest=web1"}
    srv = house.group.volume("web1-srv")
    assert srv.tags == {"domu", "domu.guest=web1", "domu.volume=srv", "domu.keep"}
    assert house.group.read("web1-srv", 2, at=1024 + 56) == b"\x53\xef"  # ext4's magic
    assert house.plan().steps == ()


def test_all_guests_have_room_or_none_is_touched(house: House) -> None:
    house.guest("web1")
    house.guest("db1", size="440M")
    with pytest.raises(RefusalError) as caught:
        house.apply()
    assert [finding.code for finding in caught.value.findings] == ["V110"]
    assert "db1, web1" in caught.value.findings[0].message
    assert list(house.group.facts().volumes()) == []


def test_a_volume_grows_and_keeps_what_it_holds(house: House) -> None:
    house.guest(volumes=[SRV])
    house.apply()
    before = house.group.volume("web1-srv")
    held = house.group.read("web1-srv", before.size.bytes)
    house.guest(volumes=[SRV | {"size": "64M"}])
    assert actions(house.apply()) == {"web1-disk": "keep", "web1-srv": "grow"}
    after = house.group.volume("web1-srv")
    assert (after.uuid, after.size, after.tags) == (before.uuid, Size(16 * EXTENT), before.tags)
    assert house.group.read("web1-srv", before.size.bytes) == held
    assert house.plan().steps == ()


def test_nothing_is_made_smaller(house: House) -> None:
    house.guest(volumes=[SRV])
    house.apply()
    house.guest(volumes=[SRV | {"size": "20M"}])
    with pytest.raises(RefusalError) as caught:
        house.apply()
    assert [finding.code for finding in caught.value.findings] == ["V109"]
    assert house.group.volume("web1-srv").size == Size(10 * EXTENT)


@pytest.mark.parametrize(("wipe", "left"), [("signatures", True), ("discard", False), ("zero", False)])
def test_a_new_guest_reads_no_old_bytes_where_that_is_wished(house: House, wipe: str, *, left: bool) -> None:
    house.guest("web1", size="80M")
    house.apply()
    for at in (5 * EXTENT, 19 * EXTENT):
        house.group.write("web1-disk", OLD, at)
    house.group.lvm("lvremove", "--yes", f"{house.group.name}/web1-disk")
    (house.site.profiles / "web1.yaml").unlink()
    house.guest("db1", size="80M", wipe=wipe)
    house.apply()
    assert (OLD in house.group.read("db1-disk", 20 * EXTENT)) is left


@pytest.mark.parametrize("wipe", ["discard", "zero"])
def test_what_a_volume_grows_by_holds_no_old_bytes(house: House, wipe: str) -> None:
    house.guest("db1", volumes=[SRV], wipe=wipe)
    house.apply()
    neighbour = house.group.lvm("lvcreate", "--yes", "--name", "old", "--extents", "10", house.group.name)
    assert "created" in neighbour
    house.group.write("old", OLD, 7 * EXTENT)
    house.group.lvm("lvremove", "--yes", f"{house.group.name}/old")
    mine = b"what db1 keeps" * 1000
    house.group.write("db1-srv", mine, 9 * EXTENT)
    house.guest("db1", volumes=[SRV | {"size": "80M"}], wipe=wipe)
    house.apply()
    held = house.group.read("db1-srv", 20 * EXTENT)
    assert OLD not in held
    assert held[9 * EXTENT :].startswith(mine)


def test_a_rebuild_makes_the_disk_anew_and_leaves_the_data(house: House) -> None:
    house.guest(volumes=[SRV, {"name": "tmp", "size": "8M", "keep": False}])
    house.apply()
    house.group.write("web1-srv", OLD, at=8 * EXTENT)
    before = {volume.name: volume for volume in house.group.facts().volumes()}
    kept = house.group.read("web1-srv", before["web1-srv"].size.bytes)
    house.guest(size="56M", volumes=[SRV, {"name": "tmp", "size": "4M", "keep": False}])
    shown = house.apply(names=("web1",), purpose="rebuild")
    assert [one.path for one in shown.destroyed] == [f"{house.group.name}/{name}" for name in ("web1-disk", "web1-tmp")]
    after = {volume.name: volume for volume in house.group.facts().volumes()}
    assert after["web1-srv"] == before["web1-srv"]
    assert house.group.read("web1-srv", len(kept)) == kept
    assert after["web1-disk"].uuid != before["web1-disk"].uuid
    assert (after["web1-disk"].size, after["web1-tmp"].size) == (Size(14 * EXTENT), Size(EXTENT))


def test_a_foreign_volume_is_refused_and_can_be_adopted(house: House) -> None:
    house.group.lvm("lvcreate", "--yes", "--name", "web1-disk", "--extents", "12", house.group.name)
    foreign = house.group.volume("web1-disk")
    house.guest()
    assert codes(house.plan()) == codes(house.plan(purpose="rebuild")) == ["V104"]
    path = f"{house.group.name}/web1-disk"
    assert codes(house.plan(purpose="rebuild", adopt=(path,))) == ["V104"]
    house.apply(adopt=(path,))
    mine = house.group.volume("web1-disk")
    assert mine.uuid == foreign.uuid
    assert mine.tags == {"domu", "domu.disk", "domu.guest=web1"}
    assert codes(house.plan(purpose="rebuild")) == []


def test_the_lvchange_of_the_hint_adopts_too(house: House) -> None:
    house.group.lvm("lvcreate", "--yes", "--name", "web1-disk", "--extents", "12", house.group.name)
    house.guest()
    (finding,) = house.plan().findings
    words = finding.hint.split("(or: ")[1].split(")")[0].split()
    house.group.lvm(*words)
    assert house.plan().steps == ()
    assert codes(house.plan()) == []


CHANGES = {
    "renamed": ("lvrename", "{group}/web1-disk", "{group}/other"),
    "tagged": ("lvchange", "--addtag", "domu.keep", "{group}/web1-disk"),
    "grown": ("lvextend", "--extents", "+1", "{group}/web1-disk"),
    "gone": ("lvremove", "--yes", "{group}/web1-disk"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_plan_made_from_stale_facts_is_refused(house: House, change: str) -> None:
    house.guest()
    house.apply()
    shown = house.plan(purpose="rebuild")
    house.group.lvm(*(word.format(group=house.group.name) for word in CHANGES[change]))
    with pytest.raises(RefusalError):
        apply(house.site, VolumeOrder(purpose="rebuild"), shown, progress=Silence(), runner=house.group.run)
    before = house.group.facts()
    with pytest.raises(RefusalError) as caught:
        carry_out(shown.steps, progress=Silence(), runner=house.group.run)
    assert [finding.code for finding in caught.value.findings] == ["V120"]
    assert house.group.facts() == before


def test_a_volume_that_took_the_name_is_not_removed(house: House) -> None:
    """lvremove is told UUID and tag, so that LVM itself looks once more under its lock."""
    house.guest()
    house.apply()
    there = house.group.volume("web1-disk")
    for target in (replace(Target.of(there), uuid="A" * 6 + there.uuid[6:]), Target.of(there)):
        removal = RemoveVolume("web1", target)
        house.group.lvm("lvchange", "--deltag", "domu", f"{house.group.name}/web1-disk")
        (command,) = commands_of(removal)
        assert house.group.run(command).status == 0
        assert house.group.volume("web1-disk").uuid == there.uuid
        house.group.lvm("lvchange", "--addtag", "domu", f"{house.group.name}/web1-disk")


class Failing:
    """The runner, with one program that fails."""

    def __init__(self, group: LoopGroup, program: str) -> None:
        self.group, self.program = group, program

    def __call__(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        if argv[0] == self.program:
            return Completed(tuple(argv), 1, b"", b"it failed here")
        return self.group.run(argv, stdin=stdin, limit=limit, env=env)


@pytest.mark.parametrize("program", ["blkdiscard", "mkfs.ext4"])
def test_what_a_run_did_not_finish_is_finished_by_the_next(house: House, program: str) -> None:
    house.guest(volumes=[SRV], wipe="zero")
    shown = house.plan()
    with pytest.raises(BuilderError, match="it failed here"):
        apply(house.site, VolumeOrder(), shown, progress=Silence(), runner=Failing(house.group, program))
    half = [volume for volume in house.group.facts().volumes() if UNFINISHED in volume.tags]
    assert len(half) == 1
    house.group.write(half[0].name, OLD, at=4096)
    again = house.plan()
    assert actions(again)[half[0].name] == "finish"
    assert [one.path for one in again.destroyed] == [half[0].path]
    house.apply()
    assert house.group.volume(half[0].name).uuid == half[0].uuid
    assert OLD not in house.group.read(half[0].name, 4 * EXTENT)
    assert house.plan().steps == ()
    assert house.group.read("web1-srv", 2, at=1024 + 56) == b"\x53\xef"


NAMES = (
    *("a", "A9", "a+b", ".a", "_a", "a.b-c_d", "lvol0", "pvmov", "a_tdat", "snap"),
    *("snapshot", "snapshots", "pvmove0", "a_tdata", "a_tmeta_b", "a_mlog", "a_cvol", "a_rimage_0", "a_vorigin"),
    *("_pmspare", "a_imeta", "a_iorig", "a_wcorig", "a_cpool", "a_vdata", "a_corig", "a_cdata", "a_cmeta", "a_rmeta"),
    *(".", "..", "-a", "a b", "a/b", "a:b", "ä", "", "a" * 128),
)


def test_names_are_refused_as_the_tools_refuse_them(group: LoopGroup) -> None:
    taken = []
    for name in NAMES:
        done = group.run(("lvcreate", "--yes", "--extents", "1", f"--name={name}", group.name))
        taken += [name] if done.status == 0 else []
    assert taken == [name for name in NAMES if name_problem(group.name, name) is None]


def test_the_longest_name_that_is_allowed_is_taken_by_the_tools(group: LoopGroup) -> None:
    room = 122 - len(group.name) - 1
    for name in ("x" * room, "x-" * (room // 3)):
        assert name_problem(group.name, name) is None
        group.lvm("lvcreate", "--yes", "--extents", "1", "--name", name, group.name)
        assert name_problem(group.name, name + "x-") is not None


def test_without_a_device_mapper_nothing_is_destroyed(house: House) -> None:
    if house.group.mapper:
        pytest.skip("this kernel has one")
    house.guest()
    house.apply()

    def plain(argv: Sequence[str], **more: Any) -> Completed:
        return run(argv, **more | {"env": {"LVM_SYSTEM_DIR": str(house.group.folder / "lvm")}})

    shown = plan(house.site, VolumeOrder(purpose="rebuild"), runner=plain)
    assert codes(shown) == ["V107"]
    assert codes(plan(house.site, VolumeOrder(), runner=plain)) == []


POOL = """
        thin {
            id = "AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAA1"
            status = ["READ", "WRITE", "VISIBLE"]
            segment_count = 1
            segment1 {
                start_extent = 0
                extent_count = 40
                type = "thin-pool"
                metadata = "thin_tmeta"
                pool = "thin_tdata"
                transaction_id = 1
                chunk_size = 128
                discards = "passdown"
                zero_new_blocks = 1
            }
        }
        web1-disk {
            id = "AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAA2"
            status = ["READ", "WRITE", "VISIBLE"]
            tags = ["domu", "domu.disk", "domu.guest=web1"]
            segment_count = 1
            segment1 {
                start_extent = 0
                extent_count = 12
                type = "thin"
                thin_pool = "thin"
                transaction_id = 0
                device_id = 1
            }
        }
        thin_tmeta {
            id = "AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAA3"
            status = ["READ", "WRITE"]
            segment_count = 1
            segment1 {
                start_extent = 0
                extent_count = 2
                type = "striped"
                stripe_count = 1
                stripes = ["pv0", 0]
            }
        }
        thin_tdata {
            id = "AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAA4"
            status = ["READ", "WRITE"]
            segment_count = 1
            segment1 {
                start_extent = 0
                extent_count = 40
                type = "striped"
                stripe_count = 1
                stripes = ["pv0", 2]
            }
        }
"""


def restored(group: LoopGroup, volumes: str) -> None:
    """Give the group these volumes, as its metadata has them: what only a device mapper could make is there, too."""
    saved = group.folder / "saved.vg"
    group.lvm("vgcfgbackup", "--file", str(saved), group.name)
    text = saved.read_text()
    end = text.rindex("}")
    saved.write_text(f"{text[:end]}\tlogical_volumes {{\n{volumes}\n\t}}\n{text[end:]}")
    group.lvm("vgcfgrestore", "--force", "--yes", "--file", str(saved), group.name)


def test_thin_volumes_of_real_metadata_are_known(house: House) -> None:
    restored(house.group, POOL)
    facts = read_storage(house.group.run)
    pool, volume = house.group.volume("thin"), house.group.volume("web1-disk")
    assert (pool.is_pool, pool.chunk, pool.state.zeroes) == (True, Size.parse("64K"), True)
    assert (volume.is_thin, volume.pool) == (True, "thin")
    assert volume.roles == {"public"}
    assert {one.name for one in facts.volumes() if one.hidden} == {"thin_tdata", "thin_tmeta"}
    house.guest(thin_pool="thin", volumes=[SRV])
    # Nobody measures the pool where it is not active: nothing is made in it.
    assert codes(house.plan()) == ["V103"]
    house.guest(thin_pool="thin")
    assert (actions(house.plan()), codes(house.plan())) == ({"web1-disk": "keep"}, [])
    # A thick volume does not need the pool.
    house.guest(disk={"size": "48M", "partitions": RECIPE, "thin": False}, thin_pool="thin")
    assert codes(house.plan()) == ["V118"]
    house.group.lvm("lvremove", "--force", "--yes", "--config", "global { activation = 0 }", f"{house.group.name}/thin")


def test_two_runs_at_once_do_not_make_a_volume_twice(house: House) -> None:
    house.guest()
    shown = house.plan()
    house.apply()
    with pytest.raises(RefusalError) as caught:
        carry_out(shown.steps, progress=Silence(), runner=house.group.run)
    assert caught.value.findings[0].message == f"{house.group.name}/web1-disk is there now"
