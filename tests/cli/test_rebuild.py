"""`domu rebuild` as a process of its own, on a stage with scripted xl and LVM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.cli.app import FINDINGS, FINE, USAGE
from builder.plan.journal import parse_journal
from tests.stage.domu import Zygote
from tests.stage.stage import PRECIOUS, Stage


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as found:
        yield found


@pytest.fixture
def stage(tmp_path: Path, zygote: Zygote) -> Stage:
    return Stage.lay(tmp_path / "stage", zygote)


def rebuild(stage: Stage, *words: str) -> tuple[int, str, str]:
    done = stage.domu("rebuild", "web1", *words)
    return done.status, done.out, done.err


def test_a_guest_is_installed_again_and_keeps_its_data(stage: Stage) -> None:
    status, out, err = rebuild(stage, "--yes", "web1")
    assert status == FINE, err
    assert "web1: rebuilt in" in out
    state = stage.state()
    assert state["volumes"]["vg0/web1-srv"]["content"] == PRECIOUS
    assert state["volumes"]["vg0/web1-disk"]["content"] == "a system, installation 1"
    assert state["installs"]["web1"] == {"begun": 1, "finished": 1}
    assert [one["name"] for one in state["domains"]] == ["web1"]
    assert state["hooks"] == [["restore", ""]]
    (run,) = parse_journal(stage.journal())
    assert run.state == "done"


def test_nothing_happens_unless_the_guest_is_named_once_more(stage: Stage) -> None:
    before = stage.files()
    status, out, err = rebuild(stage)
    assert status == FINDINGS
    assert "This would DESTROY what is on:\n  vg0/web1-disk" in out
    assert "say so: --yes web1" in err
    assert stage.changes() == []
    assert stage.files() == before


def test_a_name_that_is_not_in_the_run_confirms_nothing(stage: Stage) -> None:
    status, _out, err = rebuild(stage, "--yes", "web1", "--yes", "db1")
    assert status == FINDINGS
    assert "db1: confirmed, and not in this run" in err
    assert stage.changes() == []


def test_a_dry_run_does_nothing(stage: Stage) -> None:
    status, out, _err = rebuild(stage, "--dry-run", "--yes", "web1")
    assert status == FINE
    assert "e. install" in out or "install with" in out
    assert stage.changes() == []
    assert stage.journal() == ""


def test_guests_are_named_or_all(stage: Stage) -> None:
    assert stage.domu("rebuild").status == USAGE
    assert stage.domu("rebuild", "web1", "--all").status == USAGE
    assert stage.domu("rebuild", "--all", "--dry-run").status == FINE


def test_what_is_printed_for_programs(stage: Stage) -> None:
    status, out, _err = rebuild(stage, "--yes", "web1", "--json")
    data = json.loads(out)
    assert (status, data["ok"], data["stopped"]) == (FINE, True, False)
    (one,) = data["guests"]
    assert (one["guest"], one["state"]) == ("web1", "done")
    assert all(step["seconds"] is not None for step in one["steps"])
