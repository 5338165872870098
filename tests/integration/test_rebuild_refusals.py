"""What a rebuild refuses, by the real command on the stage: each row changes nothing, on dom0 or in the site."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

import pytest

from builder.profile.model import derived_uuid
from tests.lvm_reports import lv, pool
from tests.stage.domu import Zygote
from tests.stage.hardware import State
from tests.stage.stage import PROFILE, PROFILE_PATH, Stage
from tests.xl import DOM0, LONG_HEAD

STRANGER = "3f0a3c5e-1111-4222-8333-0123456789ab"
DISK, SRV = "vg0/web1-disk", "vg0/web1-srv"
THIN = PROFILE + "thin_pool: thin\n"
YES = ("web1", "--yes", "web1")


@dataclass(frozen=True)
class Row:
    """`prepare` makes the dom0 one that is refused; `says` must stand in what domu prints, status 1 unless given."""

    says: tuple[str, ...]
    prepare: Callable[[Stage], object]
    words: tuple[str, ...] = YES
    status: int = 1


def profile(old: str, new: str, *, built: bool = True) -> Callable[[Stage], object]:
    """The profile says something else, and (unless not `built`) was built so."""

    def change(stage: Stage) -> None:
        text = (stage.site.root / PROFILE_PATH).read_text()
        assert old in text
        (stage.site.root / PROFILE_PATH).write_text(text.replace(old, new))
        if built:
            stage.build()

    return change


def hardware(change: Callable[[State], object]) -> Callable[[Stage], object]:
    def prepare(stage: Stage) -> None:
        with stage.changed() as state:
            change(state)

    return prepare


def row(path: str, **values: str) -> Callable[[Stage], object]:
    """What LVM says of a volume."""
    return hardware(lambda state: state["volumes"][path]["row"].update(values))


def domain(**values: Any) -> Callable[[Stage], object]:
    """The guest's domain is another way."""
    return hardware(lambda state: state["domains"][0].update(values))


def more_domains(*others: State) -> Callable[[Stage], object]:
    return hardware(lambda state: state["domains"].extend(others))


def says(command: str, out: str = "", *, status: int = 0, err: str = "") -> Callable[[Stage], object]:
    return lambda stage: stage.order(say={command: (status, out, err)})


def edited(path: str, text: str = "edited by hand\n") -> Callable[[Stage], object]:
    return lambda stage: (stage.folder / path).write_text(text)


def nothing(_stage: Stage) -> None:
    """The dom0 is well."""


def gone(path: str) -> Callable[[Stage], object]:
    return lambda stage: (stage.folder / path).unlink()


def both(*changes: Callable[[Stage], object]) -> Callable[[Stage], object]:
    return lambda stage: [change(stage) for change in changes]


def volumes(**found: State) -> Callable[[Stage], object]:
    """Volumes of vg0 beside those that are there."""

    def change(state: State) -> None:
        for name, one in found.items():
            state["volumes"][f"vg0/{name}"] = {"row": one, "content": f"of {name}"}

    return hardware(change)


def no_group(state: State) -> None:
    state["groups"], state["volumes"] = {}, {}


def too_few_extents(state: State) -> None:
    state["groups"]["vg0"]["vg"]["vg_extent_count"] = "200"
    del state["volumes"][DISK]
    state["domains"] = []


def full_pool(state: State) -> None:
    row = pool("thin", 1500, data_percent="79.90")
    state["volumes"]["vg0/thin"] = {"row": row, "content": ""}


def other(name: str = "db1", domid: int = 7, **more: Any) -> State:
    return Stage.domain(name, domid, **({"disks": []} | more))


def at_work(stage: Stage) -> IO[str]:
    """Somebody has the guest's lock, until what is returned is closed."""
    folder = stage.root / "var/lib/domu/runs/web1"
    folder.mkdir(parents=True)
    lock = (folder / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def begun(stage: Stage) -> None:
    """A run was cut off behind its second step."""
    stage.order(kill={"change": 2, "when": "after"})
    assert stage.domu("rebuild", *YES).status == -9
    stage.order(kill={})


def journal(text: str) -> Callable[[Stage], object]:
    def write(stage: Stage) -> None:
        path = stage.root / "var/lib/domu/runs/web1/journal"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


ODD = f"{LONG_HEAD}{DOM0}web1 is running\n"
ROWS: dict[str, Row] = {
    # Volumes
    "the disk is open, and not by the guest": Row(
        ("V107", DISK), both(hardware(lambda s: s["domains"].clear()), lambda s: s.order(held=[DISK]))
    ),
    "the disk is another's": Row(("V104", DISK), row(DISK, lv_tags="")),
    "the disk is another guest's": Row(("V105", "db1"), row(DISK, lv_tags="domu,domu.disk,domu.guest=db1")),
    "the disk's tags make no sense": Row(("V106", DISK), row(DISK, lv_tags="domu,domu.disk")),
    "the disk has a snapshot": Row(
        ("V108", "snapshot"), row(DISK, lv_attr="owi-aos---", lv_role="public,origin,thickorigin")
    ),
    "the disk is kept by its tags": Row(("V1",), row(DISK, lv_tags="domu,domu.disk,domu.guest=web1,domu.keep")),
    "the disk is not well": Row(("V119",), row(DISK, lv_attr="-wi-a---p-")),
    "the disk is under another name": Row(
        ("V114", "lvrename"),
        both(
            volumes(**{"web1-old": lv("web1-old", 1000, lv_tags="domu,domu.disk,domu.guest=web1")}),
            hardware(lambda s: s["volumes"].pop(DISK)),
        ),
    ),
    "two volumes are tagged as the disk": Row(
        ("V11",), volumes(**{"web1-two": lv("web1-two", 1000, lv_tags="domu,domu.disk,domu.guest=web1")})
    ),
    "the data volume is another's": Row(("V104", SRV), row(SRV, lv_tags="")),
    "the data volume is under another name": Row(
        ("V114", "lvrename"),
        both(
            volumes(**{"old-srv": lv("old-srv", 100, lv_tags="domu,domu.guest=web1,domu.keep,domu.volume=srv")}),
            hardware(lambda s: s["volumes"].pop(SRV)),
        ),
    ),
    "the data volume is not to be kept any more": Row(
        ("V116", "domu.keep"), profile("mount: /srv}", "mount: /srv, keep: false}")
    ),
    "the data volume is read-only": Row(("V119", "read-only"), row(SRV, lv_attr="-ri-a-----")),
    "what holds the disk cannot be known": Row(
        ("V107",), both(hardware(lambda s: s["domains"].clear()), row(DISK, lv_attr="-wi-XX----"))
    ),
    "there is no such volume group": Row(("V101", "vg1"), profile("volume_group: vg0", "volume_group: vg1")),
    "there is no volume group at all": Row(("V101", "vg0"), hardware(no_group)),
    "the volume group misses a disk": Row(
        ("V102",), hardware(lambda s: s["groups"]["vg0"]["pv"].update(pv_attr="a-m"))
    ),
    "the volume group is exported": Row(
        ("V102",), hardware(lambda s: s["groups"]["vg0"]["vg"].update(vg_attr="wzx-n-"))
    ),
    "too few extents": Row(("V110", "extents"), hardware(too_few_extents)),
    "the thin pool is not there": Row(("V103", "thin"), profile(PROFILE, THIN)),
    "the thin pool would be too full": Row(("V111", "thin"), both(profile(PROFILE, THIN), hardware(full_pool))),
    "lvm fails": Row(("LVM could not be read", "no locks"), says("lvm fullreport", status=5, err="  no locks")),
    "lvm says what is not understood": Row(("LVM's report",), says("lvm fullreport", "no JSON")),
    "lvm knows an attribute that domu does not": Row(("web1-disk",), row(DISK, lv_attr="?wi-a-----")),
    # Domains
    "the name is a stranger's": Row(("G103", STRANGER), domain(uuid=STRANGER)),
    "the UUID is a stranger's": Row(("G103",), both(domain(name="other", disks=[]))),
    "paused": Row(("G104", "paused"), domain(state="--p---")),
    "dying": Row(("G104",), domain(state="---s-d")),
    "crashed, and kept": Row(
        ("G105", "web1-20261123T0300Z"), more_domains(other("web1-20261123T0300Z", uuid=STRANGER, state="---sc-"))
    ),
    "its disk is another domain's, too": Row(
        ("G106", "db1"), both(domain(disks=[]), more_domains(other(disks=[DISK])))
    ),
    "its data is another domain's, too": Row(
        ("G106", "db1"), both(domain(disks=[DISK]), more_domains(other(disks=[SRV])))
    ),
    "no memory": Row(("G107", "memory"), hardware(lambda s: s.update(memory=1024))),
    "an unknown state": Row(("a state that is not known", "--x---"), domain(state="--x---")),
    "xl list is not understood": Row(("xl list", "not understood"), says("xl list --verbose", ODD)),
    "xl list is cut": Row(("xl list",), says("xl list --verbose", "Name")),
    "xl list --long is no JSON": Row(("xl list --long",), says("xl list --long", "[")),
    "xl may not": Row(("xl works for root only",), says("xl list", status=1, err="xencall: error: Permission denied")),
    "xl info has a line less": Row(("xl info",), says("xl info", "host : dom0\n")),
    # Builds
    "not built": Row(("G101", "domu build web1"), gone("site/build/web1/manifest.json")),
    "built before the profile changed": Row(
        ("G102", "domu build web1"), profile("memory: 1G", "memory: 900M", built=False)
    ),
    "the kernel was edited": Row(("G102", "vmlinuz"), edited("site/build/web1/vmlinuz")),
    "the install config was edited": Row(("G102", "web1.install.cfg"), edited("site/build/web1/web1.install.cfg")),
    "the run config was edited": Row(("G102", "web1.cfg"), edited("site/build/web1/web1.cfg")),
    "the initrd is missing": Row(("G102", "initrd.gz"), gone("site/build/web1/initrd.gz")),
    "the manifest was edited": Row(("manifest",), edited("site/build/web1/manifest.json")),
    "the profile is unsound": Row(("P1",), profile("memory: 1G", "memory: 1G\nmax_memory: 512M", built=False)),
    "the profile is no YAML": Row(("web1.yaml",), edited(f"site/{PROFILE_PATH}", "suite: [\n")),
    "the boot method cannot be": Row(("X105",), profile("memory: 1G", "memory: 1G\nbootloader: pygrub", built=False)),
    # dom0
    "the disk of dom0 is full": Row(("G109", "free"), hardware(lambda s: s.update(disk_free=1000))),
    "how full it is cannot be known": Row(("df",), says("df", status=1, err="df: no file systems processed")),
    "no bridge": Row(("G108", "xenbr7"), profile("bridge: xenbr0", "bridge: xenbr7")),
    "no dom0": Row(("this machine is no dom0",), edited("root/proc/xen/capabilities", "\n")),
    "no Xen": Row(("this machine is no dom0",), gone("root/sys/hypervisor/type")),
    "consoles are not kept": Row(
        ("G110", "console"), edited("root/proc/101/cmdline", "/usr/lib/xen-4.17/bin/xenconsoled\0")
    ),
    # Runs
    "another run is at work": Row(("G111",), at_work),
    "a run of another build was cut off": Row(("G112", "--anew"), both(begun, profile("memory: 1G", "memory: 900M"))),
    "a run was cut off, and its build is gone": Row(("G112",), both(begun, gone("site/build/web1/vmlinuz"))),
    "the journal is none": Row(("journal", "line 1"), journal("hello\n")),
    "the journal begins in the middle": Row(
        ("journal", "line 1"),
        journal('{"record": "done", "step": 0, "at": "2026-11-23T03:00:00.000+00:00", "note": {}}\n'),
    ),
    "the journal is of a later domu": Row(
        ("journal", "line 1"), journal('{"record": "paused", "at": "2026-11-23T03:00:00.000+00:00"}\n')
    ),
    # Words
    "nobody says yes": Row(("--yes web1",), nothing, ("web1",)),
    "another guest's name": Row(("web2",), nothing, ("web1", "--yes", "web2")),
    "no such guest": Row(("there is no guest 'web7'",), nothing, ("web7", "--yes", "web7")),
    "no guest is named": Row(("--all",), nothing, ("--yes", "web1"), status=2),
    "no such option": Row(("--force",), nothing, ("web1", "--force"), status=2),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Stage:
    return Stage.lay(tmp_path_factory.mktemp("stage") / "stage", zygote)


@pytest.mark.parametrize("name", ROWS)
def test_a_refusal_changes_nothing(name: str, template: Stage, tmp_path: Path) -> None:
    row = ROWS[name]
    stage = template.copy(tmp_path / "stage")
    held = row.prepare(stage)
    before = (stage.files(), stage.state(), stage.changes())
    done = stage.domu("rebuild", *row.words)
    assert done.status == row.status, done
    for words in row.says:
        assert words in done.out + done.err
    assert (stage.files(), stage.state(), stage.changes()) == before
    if isinstance(held, TextIOWrapper):
        held.close()


def test_the_rows_are_enough() -> None:
    assert len(ROWS) >= 25


def test_what_no_row_changes_is_not_refused(template: Stage) -> None:
    done = template.domu("rebuild", "web1", "--dry-run")
    assert done.status == 0, done
    assert template.changes() == []
    assert json.loads(template.domu("rebuild", "web1", "--dry-run", "--json").out)["ok"] is True
    assert derived_uuid("web1") == template.state()["domains"][0]["uuid"]
