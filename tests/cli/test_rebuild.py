"""`domu rebuild` as a process of its own, on a stage with scripted xl and LVM."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli.app import FINDINGS, FINE, INTERRUPTED, USAGE
from builder.host.rebuild.journal import open_journal
from builder.plan.journal import Run, Stopped, parse_journal
from tests.stage.domu import Zygote
from tests.stage.stage import PRECIOUS, PROFILE, Stage

# Time runs faster on the stage, and the machine of the tests may be slow.
IMPATIENT = PROFILE.replace("guest-answers, web1], limit: 3600", "guest-answers, web1], limit: 60")


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


def last_run(stage: Stage) -> Run:
    return parse_journal(stage.journal())[-1]


def kept(stage: Stage, name: str) -> str:
    return (stage.root / f"var/lib/domu/runs/web1/{last_run(stage).id}/{name}.txt").read_text()


def test_a_question_ends_it_and_its_console_is_kept(stage: Stage) -> None:
    stage.order(installer=["question"])
    status, out, _err = rebuild(stage, "--yes", "web1")
    assert status == FINDINGS
    assert "failed at step 7 of 10, install" in out
    assert "the installer waits at" in out
    assert f"kept: {stage.root}/var/lib/domu/runs/web1/" in out
    assert last_run(stage).state == "failed"
    assert "Debian archive mirror:" in kept(stage, "console")
    assert [one["installs"] for one in stage.state()["domains"]] == [True]  # left as it is, to be looked at


def test_what_failed_is_begun_again_once_its_profile_was_mended(stage: Stage) -> None:
    stage.order(installer=["question", "well"])
    assert rebuild(stage, "--yes", "web1")[0] == FINDINGS
    profile = stage.site.profiles / "web1.yaml"
    profile.write_text(profile.read_text() + "timezone: Europe/Berlin\n")
    assert "G102" in rebuild(stage, "--yes", "web1")[2]
    stage.build()
    status, out, err = rebuild(stage, "--yes", "web1")
    assert status == FINE, (out, err)
    assert [run.state for run in parse_journal(stage.journal())] == ["given up", "done"]
    assert stage.state()["volumes"]["vg0/web1-srv"]["content"] == PRECIOUS


def test_what_failed_goes_on_where_nothing_was_changed(stage: Stage) -> None:
    stage.order(hook=3)
    status, out, _err = rebuild(stage, "--yes", "web1")
    assert status == FINDINGS
    assert "failed at step 10 of 10, run after-hook" in out
    assert "after-hook ended with status 3" in out
    assert not list(stage.root.glob("var/lib/domu/runs/web1/*/xen.txt"))  # no domain was at fault
    stage.order(hook=0)
    status, out, _err = rebuild(stage)  # nothing is left to be destroyed, so nobody needs to confirm
    assert status == FINE
    assert "goes on at step 10 of 10" in out
    assert stage.state()["hooks"] == [["restore", ""], ["restore", "1"]]
    assert stage.state()["installs"]["web1"] == {"begun": 1, "finished": 1}


def test_a_domain_that_is_taken_away_from_it_is_installed_once_more(stage: Stage) -> None:
    stage.order(installer=["no end", "well"])
    status, out, err = rebuild(stage, "--yes", "web1")
    assert status == FINE, out
    assert "it is tried again" in err
    assert stage.state()["installs"]["web1"] == {"begun": 2, "finished": 1}
    assert last_run(stage).state == "done"


def test_an_installer_that_crashed_is_not_tried_again(stage: Stage) -> None:
    stage.order(installer=["crash"])
    status, out, _err = rebuild(stage, "--yes", "web1")
    assert status == FINDINGS
    assert "the domain crashed" in out
    assert "Xen version 4.17.5" in kept(stage, "xen")
    assert stage.state()["installs"]["web1"] == {"begun": 1, "finished": 0}


def test_without_xens_log_a_failure_is_told_all_the_same(stage: Stage) -> None:
    stage.order(installer=["crash"], say={"xl dmesg": [1, "", "cannot be read"]})
    status, out, err = rebuild(stage, "--yes", "web1")
    assert status == FINDINGS
    assert "the domain crashed" in out
    assert "Xen's log was not kept" in err
    assert last_run(stage).state == "failed"


def test_a_guest_that_does_not_answer(stage: Stage) -> None:
    (stage.site.profiles / "web1.yaml").write_text(IMPATIENT)
    stage.build()
    stage.order(guest="silent")
    status, out, _err = rebuild(stage, "--yes", "web1")
    assert status == FINDINGS
    assert "did not answer within 1 minute" in out
    assert "web1 login:" in kept(stage, "boot")
    stage.order(guest="")
    assert "goes on at step 9 of 10" in rebuild(stage)[1]
    assert stage.state()["installs"]["web1"]["begun"] == 1


def test_a_run_that_is_stopped_leaves_the_installer_and_goes_on_with_it(stage: Stage) -> None:
    install = "start xl create /var/lib/domu/web1/web1.install.cfg"
    done = stage.domu("rebuild", "web1", "--yes", "web1", stop=(install, 1))
    assert done.status == INTERRUPTED
    assert last_run(stage).state == "unfinished"
    assert isinstance(last_run(stage).records[-1], Stopped)
    assert not [line for line in stage.changes() if line.startswith("xl destroy")]
    status, out, err = rebuild(stage)
    assert status == FINE, (out, err)
    assert "goes on at step 7 of 10" in out
    assert stage.state()["installs"]["web1"] == {"begun": 1, "finished": 1}


def test_a_run_that_was_cut_off_is_not_mixed_with_another_build(stage: Stage) -> None:
    stage.order(kill={"change": 9, "when": "after"})
    assert stage.domu("rebuild", "web1", "--yes", "web1").status == -9
    stage.order(kill={})
    profile = stage.site.profiles / "web1.yaml"
    profile.write_text(profile.read_text() + "timezone: Europe/Berlin\n")
    stage.build()
    before = stage.changes()
    status, _out, err = rebuild(stage, "--yes", "web1")
    assert status == FINDINGS
    assert "G112" in err
    assert stage.changes() == before
    assert rebuild(stage, "--anew", "--yes", "web1")[0] == FINE
    assert [run.state for run in parse_journal(stage.journal())] == ["given up", "done"]


@pytest.mark.parametrize("listing", range(1, 6))
def test_a_domain_that_ends_while_it_is_looked_at_is_no_obstacle(stage: Stage, listing: int) -> None:
    stage.order(leaves=listing)
    status, _out, err = rebuild(stage, "--yes", "web1")
    assert status == FINE, err
    assert stage.state()["installs"]["web1"] == {"begun": 1, "finished": 1}


def test_two_runs_at_once_exclude_each_other(stage: Stage) -> None:
    with open_journal(stage.root, "web1"):
        before = stage.changes()
        status, _out, err = rebuild(stage, "--yes", "web1")
    assert status == FINDINGS
    assert "G111" in err
    assert stage.changes() == before


def test_a_journal_that_is_not_ours_is_left_alone(stage: Stage) -> None:
    folder = stage.root / "var/lib/domu/runs/web1"
    folder.mkdir(parents=True)
    (folder / "journal").write_text("something else\n")
    status, _out, err = rebuild(stage, "--yes", "web1")
    assert status == FINDINGS
    assert "line 1, is not what domu writes" in err
    assert stage.changes() == []
    assert stage.journal() == "something else\n"
