"""The stage itself: its programs say what domu understands, and do what they are asked, half or whole."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from builder.host.lvm import read_storage
from builder.host.run import Completed, run
from builder.host.xl import list_domains, xen_info
from builder.plan.watch import marker_line
from builder.profile.model import derived_uuid
from builder.workflows.plan import plan
from tests.stage.domu import Zygote
from tests.stage.stage import PRECIOUS, Stage

INSTALL, RUN = (f"/var/lib/domu/web1/web1{kind}.cfg" for kind in (".install", ""))


@pytest.fixture
def stage(tmp_path: Path, zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage whose programs are those of this process."""
    found = Stage.lay(tmp_path / "stage", zygote)
    monkeypatch.setenv("PATH", str(found.folder / "bin"))
    return found


def place(stage: Stage) -> None:
    folder = stage.root / "var/lib/domu/web1"
    folder.mkdir()
    for path in (stage.site.build / "web1").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())


def until_gone(name: str) -> None:
    deadline = time.monotonic() + 60
    while any(domain.name == name for domain in list_domains(run)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def shell(*words: str) -> Completed:
    return run(words)


def test_domu_understands_what_its_programs_say(stage: Stage) -> None:
    dom0, web1 = list_domains(run)
    assert dom0.is_dom0
    assert (web1.name, web1.uuid, web1.state.word) == ("web1", derived_uuid("web1"), "idle")
    assert web1.config
    assert [disk.target for disk in web1.config.disks] == [
        f"/dev/vg0/web1-{name}" for name in ("disk", "srv", "scratch")
    ]
    assert xen_info(run).unclaimed.mebibytes() == 3072
    disk = read_storage(run, stage.root).find("vg0", "web1-disk")
    assert disk
    assert disk.is_open


def test_a_plan_looks_and_touches_nothing(stage: Stage) -> None:
    before = (stage.files(), stage.state())
    planned = plan(stage.site, (), environment={}, runner=run, root=stage.root)
    assert planned.findings == ()
    assert (stage.files(), stage.state()) == before
    assert stage.calls()
    assert stage.changes() == []


def test_an_installation_from_create_to_its_end(stage: Stage) -> None:
    place(stage)
    assert shell("xl", "create", INSTALL).status == 1, "its name and its disk are taken"
    shell("xl", "shutdown", "-w", "3")
    assert shell("xl", "create", RUN).status == 0
    assert shell("guest-answers", "web1").status == 1, "it takes a moment"
    shell("xl", "destroy", "web1")
    assert shell("xl", "create", INSTALL).status == 0
    until_gone("web1")
    assert marker_line("web1") in stage.console("web1")
    state = stage.state()
    assert state["installs"] == {"web1": {"begun": 1, "finished": 1}}
    assert state["volumes"]["vg0/web1-disk"]["content"] == "a system, installation 1"
    assert state["volumes"]["vg0/web1-srv"]["content"] == PRECIOUS


@pytest.mark.parametrize(
    ("order", "content", "is_there"),
    [
        pytest.param("question", "half a system", True, id="waits at a question"),
        pytest.param("stuck", "half a system", True, id="says no more"),
        pytest.param("crash", "half a system", True, id="crashes and is kept"),
        pytest.param("no end", "half a system", False, id="ends without its last word"),
    ],
)
def test_an_installation_that_does_not_end_well(stage: Stage, order: str, content: str, is_there: bool) -> None:
    place(stage)
    shell("xl", "shutdown", "-w", "3")
    stage.order(installer=[order])
    shell("xl", "create", INSTALL)
    deadline = time.monotonic() + 60
    while "Prompt: " not in stage.console("web1") and "base system  ... 20%... 60%... 100%" not in stage.console(
        "web1"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if order == "no end":
        until_gone("web1")
    elif order == "crash":
        until_gone("web1")
        assert [domain.preserved for domain in list_domains(run)] == ["", "web1"]
    assert (len(list_domains(run)) == 2) is is_there
    state = stage.state()
    assert state["volumes"]["vg0/web1-disk"]["content"] == content
    assert state["installs"]["web1"]["finished"] == 0


def test_volumes_are_made_and_removed_as_lvm_does(stage: Stage) -> None:
    disk = stage.state()["volumes"]["vg0/web1-disk"]["row"]
    removal = ("lvremove", "--yes", "--select", f'lv_uuid="{disk["lv_uuid"]}" && lv_tags={{"domu"}}', "vg0")
    assert "in use" in shell(*removal).complaint
    shell("xl", "destroy", "3")
    assert shell(*removal).status == 0
    assert shell(*removal).status == 0, "nothing is selected, and that is well"
    assert read_storage(run, stage.root).find("vg0", "web1-disk") is None
    making = ("lvcreate", "--yes", "--extents", "1000", "--addtag", "domu", "--name", "web1-disk", "vg0")
    assert shell(*making).status == 0
    assert "already exists" in shell(*making).complaint
    made = read_storage(run, stage.root).find("vg0", "web1-disk")
    assert made
    assert made.uuid != disk["lv_uuid"]
    assert "insufficient free space" in shell(*making[:3], "4001", *making[4:-2], "more", "vg0").complaint


def test_who_is_killed_dies_and_his_program_may_end(stage: Stage, zygote: Zygote) -> None:
    points = zygote.start(stage.folder, ["--run", "true"]).wait().points
    assert points == ("start true",)
    assert zygote.start(stage.folder, ["--run", "true"], kill=(points[0], 1)).wait().status == -9
    assert zygote.start(stage.folder, ["--run", "true"], kill=(points[0], 2)).wait().status == 0
    for when, is_made, content in (
        ("before", False, ""),
        ("half", True, "what was on the disk before"),
        ("orphan", True, "wiped"),
        ("after", True, "wiped"),
    ):
        stage.order(kill={"change": stage.state()["changes"] + 1, "when": when})
        words = ("lvcreate", "--yes", "--extents", "1", "--name", when, "vg0")
        done = zygote.start(stage.folder, ["--run", *words]).wait()
        assert done.status == -9
        until = time.monotonic() + 60
        while when == "orphan" and stage.state()["volumes"][f"vg0/{when}"]["content"] != content:
            assert time.monotonic() < until
            time.sleep(0.02)
        volumes = stage.state()["volumes"]
        assert (f"vg0/{when}" in volumes) is is_made
        assert not is_made or volumes[f"vg0/{when}"]["content"] == content


def test_after_a_reboot_only_what_xendomains_starts_runs(stage: Stage) -> None:
    place(stage)
    stage.reboot()
    assert len(list_domains(run)) == 1
    boot = (stage.root / "proc/sys/kernel/random/boot_id").read_text()
    stage.reboot("web1")
    assert [domain.name for domain in list_domains(run)] == ["Domain-0", "web1"]
    assert (stage.root / "proc/sys/kernel/random/boot_id").read_text() != boot


def test_what_is_not_on_the_stage_is_not_there(stage: Stage) -> None:
    path = os.environ["PATH"]
    assert path == str(stage.folder / "bin")
    assert run(["xl", "migrate", "web1"]).status == 127
    assert stage.calls()[-1].change == -1
