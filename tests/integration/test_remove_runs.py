"""`domu remove` as a process on the stage: whole, refused, cut off anywhere and asked for again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from builder.plan.journal import parse_journal
from tests.lvm_reports import lv
from tests.stage.domu import Zygote
from tests.stage.stage import PRECIOUS, Stage

REMOVE = ("remove", "web1", "--yes", "web1")
LINK, CONFIG = "etc/xen/auto/010-web1.cfg", "/var/lib/domu/web1/web1.cfg"


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Stage:
    """A dom0 where web1 runs, is started with dom0, and has its files."""
    stage = Stage.lay(tmp_path_factory.mktemp("remove") / "stage", zygote)
    folder = stage.root / "var/lib/domu/web1"
    (folder / "installed").mkdir(parents=True)
    (folder / "installed/vmlinuz").write_text("a kernel")
    for path in (stage.site.build / "web1").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (stage.root / LINK).unlink()
    (stage.root / LINK).symlink_to(CONFIG)
    return stage


@pytest.fixture
def stage(laid: Stage, tmp_path: Path) -> Stage:
    return laid.copy(tmp_path / "stage")


def contents(stage: Stage) -> dict[str, str]:
    return {path: volume["content"] for path, volume in stage.state()["volumes"].items()}


def is_removed(stage: Stage) -> bool:
    """All of it gone but its data, and nothing else touched."""
    assert contents(stage) == {"vg0/web1-srv": PRECIOUS, "vg0/other": "somebody else's"}
    assert stage.state()["domains"] == []
    assert not (stage.root / LINK).is_symlink()
    return [path.name for path in (stage.root / "var/lib/domu").iterdir()] == ["runs"]


def test_the_guest_goes_and_its_data_stays(stage: Stage) -> None:
    done = stage.domu(*REMOVE)
    assert done.status == 0, done
    assert is_removed(stage)
    (run,) = parse_journal(stage.journal())
    assert run.state == "done"
    assert "vg0/web1-disk" in done.out.partition("These stay as they are")[0].partition("DESTROY")[2]
    assert "vg0/web1-srv" in done.out.partition("These stay as they are")[2]
    again = stage.domu(*REMOVE)
    assert again.status == 0
    assert "nothing of web1 to remove" in again.out


def test_its_data_goes_by_its_own_word(stage: Stage) -> None:
    done = stage.domu(*REMOVE, "--data", "web1/srv")
    assert done.status == 0, done
    assert contents(stage) == {"vg0/other": "somebody else's"}


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("remove", "web1"), id="nobody said yes"),
        pytest.param(("remove", "web1", "--yes", "db1"), id="yes to another guest"),
        pytest.param((*REMOVE, "--data", "web1/src"), id="data that is not there"),
        pytest.param((*REMOVE, "--data", "srv"), id="data without its guest"),
        pytest.param((*REMOVE, "--data", "db1/srv"), id="another guest's data"),
        pytest.param(("remove", "web2", "--yes", "web2"), id="no such guest"),
        pytest.param((*REMOVE, "--dry-run"), id="a dry run"),
    ],
)
def test_nothing_is_touched(stage: Stage, words: tuple[str, ...]) -> None:
    before = (stage.files(), stage.state())
    done = stage.domu(*words)
    assert done.status == (0 if "--dry-run" in words else 1), done
    assert (stage.files(), stage.state()) == before
    assert stage.changes() == []


def test_a_foreign_volume_of_its_name_refuses_all(stage: Stage) -> None:
    with stage.changed() as state:
        state["volumes"]["vg0/web1-disk"]["row"]["lv_tags"] = "nightly"
    before = stage.files()
    done = stage.domu(*REMOVE)
    assert done.status == 1
    assert "V104" in done.out
    assert stage.changes() == []
    assert stage.files() == before


def test_what_is_orphaned_and_kept_is_told(stage: Stage) -> None:
    with stage.changed() as state:
        row = lv("web1-old", 10, lv_tags="domu,domu.guest=web1,domu.keep,domu.volume=old", lv_kernel_minor="9")
        state["volumes"]["vg0/web1-old"] = {"row": row, "content": "old letters"}
    done = stage.domu(*REMOVE, "--json")
    data = json.loads(done.out)
    assert [one["volume"] for one in data["left"]] == ["vg0/web1-old", "vg0/web1-srv"]
    assert contents(stage)["vg0/web1-old"] == "old letters"


EACH = 3  # all of them take minutes on a slow machine


def test_cut_off_at_any_point_and_asked_for_again_it_ends_the_same(laid: Stage, tmp_path: Path) -> None:
    whole = laid.copy(tmp_path / "whole").domu(*REMOVE)
    assert whole.status == 0
    times: Counter[str] = Counter()
    points = []
    for point in whole.points:
        times[point] += 1
        points += [(point, times[point])] if times[point] < 3 else []  # more often is polled
    chosen = points[::EACH]
    assert len(chosen) > 8
    for number, cut in enumerate(chosen):
        stage = laid.copy(tmp_path / f"cut-{number}")
        killed = stage.domu(*REMOVE, kill=cut)
        assert killed.status == -9, (cut, killed)
        again = stage.domu(*REMOVE)
        assert again.status == 0, (cut, again)
        assert is_removed(stage), cut


@pytest.mark.parametrize("when", ["before", "half", "after"])
def test_cut_off_inside_a_change_and_asked_for_again_it_ends_the_same(laid: Stage, tmp_path: Path, when: str) -> None:
    changes = _changes_of(laid, tmp_path / "whole")
    assert len(changes) >= 3
    for number, change in enumerate(changes, 1):
        stage = laid.copy(tmp_path / f"cut-{number}")
        stage.order(kill={"change": number, "when": when})
        # The last may be missing: whether xl destroy is needed depends on how quickly the domain went.
        assert stage.domu(*REMOVE).status == -9 or number == len(changes), change
        again = stage.domu(*REMOVE)
        assert again.status == 0, (change, when, again)
        assert is_removed(stage), (change, when)


def test_a_dom0_that_reboots_in_between_does_not_start_it_again(laid: Stage, stage: Stage, tmp_path: Path) -> None:
    """The link goes first: xendomains finds none."""
    changes = _changes_of(laid, tmp_path / "whole")
    change = next(number for number, line in enumerate(changes, 1) if "lvremove" in line)
    stage.order(kill={"change": change, "when": "before"})
    assert stage.domu(*REMOVE).status == -9
    assert not (stage.root / LINK).is_symlink()
    stage.reboot()
    assert stage.domu(*REMOVE).status == 0
    assert is_removed(stage)


@pytest.mark.parametrize("listing", range(1, 10))
def test_a_domain_that_ends_while_it_is_looked_at_is_no_obstacle(stage: Stage, listing: int) -> None:
    stage.order(leaves=listing)
    done = stage.domu(*REMOVE)
    assert done.status == 0, done
    assert is_removed(stage)


def _changes_of(laid: Stage, folder: Path) -> list[str]:
    whole = laid.copy(folder)
    assert whole.domu(*REMOVE).status == 0
    return whole.changes()
