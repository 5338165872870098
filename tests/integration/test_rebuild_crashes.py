"""A rebuild that is cut off goes on by the same command; a part of the crash table that meets every step's boundary.

All of it: make crash-test, which writes docs/rebuild-crashes.md.
"""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.plan.journal import parse_journal
from tests.lvm_reports import pool
from tests.stage import crashes
from tests.stage.crashes import AGAIN, INSTALL, UNWRITTEN, WRITTEN, Cut, Facts, Reference, Survived, survive
from tests.stage.domu import Zygote
from tests.stage.stage import PRECIOUS, PROFILE, Stage


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Stage:
    return Stage.lay(tmp_path_factory.mktemp("template") / "stage", zygote)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, template: Stage) -> Reference:
    return crashes.reference(template.copy(tmp_path_factory.mktemp("whole") / "stage"))


@pytest.fixture
def stage(template: Stage, tmp_path: Path) -> Stage:
    return template.copy(tmp_path / "stage")


def until(found: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_undisturbed_run(whole: Reference) -> None:
    assert whole.facts.journal == "done"
    assert whole.facts.volumes["vg0/web1-srv"][-1] == PRECIOUS
    assert not any("web1-srv" in line for line in whole.changes)
    assert whole.facts.removed == ("vg0/web1-disk", "vg0/web1-scratch")
    assert whole.facts.volumes["vg0/web1-disk"][-1] == "a system, installed"
    assert [one[0] for one in whole.facts.domains] == ["web1"]
    assert whole.changes.count(INSTALL) == 1


def survives(whole: Reference, template: Stage, folder: Path, cuts: Sequence[Cut]) -> list[Survived]:
    """Every cut on a stage of its own, some at once: they mostly wait."""

    def one(number: int) -> Survived:
        try:
            return survive(template.copy(folder / str(number)), cuts[number], whole)
        except AssertionError as error:
            place = crashes.place_of(whole, cuts[number])
            raise AssertionError(f"in step {place}: {cuts[number]}: {error}") from error

    with ThreadPoolExecutor(6) as pool:
        return list(pool.map(one, range(len(cuts))))


def test_killed_at_every_boundary(whole: Reference, template: Stage, tmp_path: Path) -> None:
    count = whole.points.count(WRITTEN)
    assert count >= 2 * whole.steps + 2
    cuts = [Cut(WRITTEN, number) for number in range(1, count + 1)]
    found = survives(whole, template, tmp_path, cuts)
    assert {crashes.place_of(whole, one.cut) for one in found if one.was_cut} == set(range(whole.steps + 1))
    assert {one.installs for one in found} == {1}


def test_killed_within_every_program(whole: Reference, template: Stage, tmp_path: Path) -> None:
    whens = itertools.cycle(("half", "after", "orphan"))
    cuts = [Cut(change=number, when=next(whens)) for number in range(1, len(whole.changes) + 1)]
    install = whole.changes.index(INSTALL) + 1
    cuts += [Cut(change=install, when=when) for when in ("half", "orphan")]
    found = survives(whole, template, tmp_path, cuts)
    assert all(one.was_cut for one in found)
    assert {one.installs for one in found} == {1}


@pytest.mark.parametrize("between", ["reboot", "reboot with xendomains"])
def test_dom0_goes_down_within_every_program(whole: Reference, template: Stage, tmp_path: Path, between: str) -> None:
    cuts = [Cut(change=number, when="after", between=between) for number in range(1, len(whole.changes) + 1)]
    found = survives(whole, template, tmp_path, cuts)
    again = [one.cut.change for one in found if one.installs == 2]
    assert again == [whole.changes.index(INSTALL) + 1]


@pytest.mark.parametrize("started", [(), ("web1",)], ids=["alone", "with what xendomains starts"])
def test_dom0_goes_down_in_the_middle_of_the_installation(
    whole: Reference, stage: Stage, started: tuple[str, ...]
) -> None:
    stage.order(installer=["stuck"])
    job = stage.start(*AGAIN)
    until(lambda: "Installing the base system" in stage.console("web1"))
    job.signal(signal.SIGKILL)
    assert job.wait().status == -9
    stage.reboot(*started)
    done = stage.domu(*AGAIN)
    assert done.status == 0, done
    assert Facts.of(stage) == whole.facts
    assert stage.state()["installs"] == {"web1": {"begun": 2, "finished": 1}}


@pytest.mark.parametrize("between", ["torn line", "lost line"])
def test_the_end_of_the_journal_is_lost(whole: Reference, template: Stage, tmp_path: Path, between: str) -> None:
    cuts = [Cut(UNWRITTEN, number, between=between) for number in range(1, whole.points.count(UNWRITTEN) + 1, 5)]
    assert all(one.was_cut for one in survives(whole, template, tmp_path, cuts))


def test_stopped_in_every_step(whole: Reference, template: Stage, tmp_path: Path) -> None:
    cuts = [Cut(WRITTEN, number, signal="stop") for number in range(3, whole.points.count(WRITTEN), 2)]
    assert {one.installs for one in survives(whole, template, tmp_path, cuts)} == {1}


def test_stopped_while_it_installs_it_leaves_the_installer_running(stage: Stage) -> None:
    job = stage.start(*AGAIN)
    until(lambda: INSTALL in stage.changes() and "Loading additional" in stage.console("web1"))
    job.signal(signal.SIGTERM)
    done = job.wait()
    assert done.status == 130
    assert "web1" in done.err
    assert [domain["installs"] for domain in stage.state()["domains"]] == [True]
    assert parse_journal(stage.journal())[-1].state == "unfinished"
    assert stage.domu(*AGAIN).status == 0
    assert stage.state()["installs"] == {"web1": {"begun": 1, "finished": 1}}


def test_two_runs_at_once_exclude_each_other(stage: Stage) -> None:
    jobs = [stage.start(*AGAIN) for _ in range(3)]
    done = [job.wait() for job in jobs]
    assert sorted(one.status for one in done) == [0, 1, 1]
    assert all("G111" in one.err or "G113" in one.err for one in done if one.status)
    assert stage.state()["installs"] == {"web1": {"begun": 1, "finished": 1}}
    assert stage.state()["removed"] == ["vg0/web1-disk", "vg0/web1-scratch"]


def test_a_run_that_is_cut_off_again_and_again_gets_to_its_end(whole: Reference, stage: Stage) -> None:
    """Each time it is killed once more, when it has done one step more."""
    ends = [stage.domu(*AGAIN, kill=(WRITTEN, 3)).status]
    while ends[-1] == -9 and len(ends) < 60:
        ends.append(stage.domu(*AGAIN, kill=(WRITTEN, 3)).status)
    assert ends[-1] == 0
    assert Facts.of(stage) == whole.facts
    assert stage.state()["installs"] == {"web1": {"begun": 1, "finished": 1}}


def new_and_thin(folder: Path, zygote: Zygote) -> Stage:
    """A guest that was never here, in a thin pool."""
    stage = Stage.lay(folder, zygote, profile=f"{PROFILE}thin_pool: thin\n", running=False)
    with stage.changed() as state:
        state["volumes"] = {
            "vg0/other": state["volumes"]["vg0/other"],
            "vg0/thin": {"row": pool("thin", 2000, data_percent="1.00"), "content": ""},
        }
    return stage


def wiped_and_grown(folder: Path, zygote: Zygote) -> Stage:
    """A guest that is to have more room for its data, on a site that wipes whole volumes."""
    more = PROFILE.replace("name: srv, size: 400M", "name: srv, size: 500M") + "wipe: zero\n"
    return Stage.lay(folder, zygote, profile=more)


@pytest.mark.parametrize("lay", [new_and_thin, wiped_and_grown])
def test_other_volumes_are_cut_off_in_every_program(
    zygote: Zygote, tmp_path: Path, lay: Callable[[Path, Zygote], Stage]
) -> None:
    template = lay(tmp_path / "template", zygote)
    whole = crashes.reference(template.copy(tmp_path / "whole"))
    before = whole.changes.index(INSTALL)
    cuts = [Cut(change=number, when="half") for number in range(1, before + 1)]
    assert all(one.was_cut for one in survives(whole, template, tmp_path, cuts))
