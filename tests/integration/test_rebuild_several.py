"""Several guests in one rebuild: their order, how many at once, one that fails, a stop, a crash; on the stage."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.plan.journal import parse_journal
from tests.stage.domu import Zygote
from tests.stage.stage import Stage

PROFILE = """\
suite: trixie
memory: 512M
volume_group: vg0
nics: [{{bridge: xenbr0}}]
mirror: http://mirror.example.org/debian
proxy: none
disk: {{size: 1000M, partitions: [{{mount: /, minimum: 500M}}]}}
ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfW8EuEKb2VCqmubrN/ACJB7LqwB5FhML94uNY4n39i nobody@example.org]
ready: {{command: [guest-answers, {name}], limit: 3600}}
autostart: true
start_after: {after}
"""


@pytest.fixture
def lay(tmp_path: Path, zygote: Zygote) -> Callable[..., Stage]:
    """A stage with these new guests (name -> those that it starts after), and so many installations at once."""

    def laid(at_once: int, **guests: list[str]) -> Stage:
        stage = Stage.lay(tmp_path / "stage", zygote, running=False)
        (stage.site.profiles / "web1.yaml").unlink()
        (stage.site.profiles / "dom0.yaml").write_text(f"installs_at_once: {at_once}\n")
        for name, after in guests.items():
            (stage.site.profiles / f"{name}.yaml").write_text(PROFILE.format(name=name, after=json.dumps(after)))
        stage.build()
        return stage

    return laid


def rebuild(*names: str) -> list[str]:
    return ["rebuild", *names, *(word for name in names for word in ("--yes", name))]


def until(found: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def creations(stage: Stage) -> list[tuple[str, str]]:
    """Guests and which config they were started from, in order."""
    calls = [call.argv[-1] for call in stage.calls() if call.argv[:2] == ("xl", "create")]
    return [(Path(path).parent.name, "install" if ".install." in path else "run") for path in calls]


def most_at_once(stage: Stage) -> int:
    """From the start of a guest's installer to that of what it installed."""
    under_way: set[str] = set()
    most = 0
    for name, config in creations(stage):
        (under_way.add if config == "install" else under_way.discard)(name)
        most = max(most, len(under_way))
    return most


def states(stage: Stage) -> dict[str, list[str]]:
    """Of every guest's runs."""
    names = sorted(path.stem for path in stage.site.profiles.glob("*.yaml") if path.stem != "dom0")
    return {name: [run.state for run in parse_journal(stage.journal(name))] for name in names}


def once_each(stage: Stage) -> bool:
    return all(one == {"begun": 1, "finished": 1} for one in stage.state()["installs"].values())


def test_four_guests_two_at_a_time(lay: Callable[..., Stage]) -> None:
    stage = lay(2, a=[], b=[], c=[], d=[])
    done = stage.domu("rebuild", "--all", *(word for name in "abcd" for word in ("--yes", name)))
    assert done.status == 0, done.err
    assert states(stage) == {name: ["done"] for name in "abcd"}
    assert len({run.id for name in "abcd" for run in parse_journal(stage.journal(name))}) == 1
    assert most_at_once(stage) == 2
    assert once_each(stage)
    assert {name for name, config in creations(stage)[:2] if config == "install"} == {"a", "b"}


def test_a_chain_whose_middle_fails_and_is_mended(lay: Callable[..., Stage]) -> None:
    stage = lay(3, db1=[], mid1=["db1"], app1=["mid1"])
    stage.order(installer=["well", "question", "well"])
    failed = stage.domu(*rebuild("app1", "db1", "mid1"))
    assert failed.status == 1
    assert creations(stage) == [("db1", "install"), ("db1", "run"), ("mid1", "install")]
    assert "app1: error G130: is left as it is: it starts after mid1, which failed" in failed.out
    assert states(stage) == {"app1": ["given up"], "db1": ["done"], "mid1": ["failed"]}

    mended = stage.domu(*rebuild("app1", "db1", "mid1"))
    assert mended.status == 0, mended.err
    assert "db1: ready since" in mended.out
    assert [name for name, _ in creations(stage)[3:]] == ["mid1", "mid1", "app1", "app1"]
    assert states(stage) == {"app1": ["given up", "done"], "db1": ["done"], "mid1": ["done"]}

    shown = json.loads(stage.domu("rebuild", "app1", "db1", "mid1", "--dry-run", "--json").out)
    assert [one["guest"] for one in shown["guests"]] == ["db1", "mid1", "app1"], "what came to its end begins anew"
    assert shown["done"] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda one: one.name)
def test_a_run_that_is_ended_is_gone_on_with(lay: Callable[..., Stage], number: signal.Signals) -> None:
    stage = lay(2, a=[], b=["a"], c=["a"], d=["b"])
    job = stage.start(*rebuild("a", "b", "c", "d"))
    until(lambda: {("b", "install"), ("c", "install")} <= set(creations(stage)))
    job.signal(number)
    ended = job.wait()
    assert states(stage) == {"a": ["done"], "b": ["unfinished"], "c": ["unfinished"], "d": ["unfinished"]}, ended
    if number != signal.SIGKILL:
        assert ended.status == 130
        assert all("stopped" in stage.journal(name).splitlines()[-1] for name in "bcd")
    assert "d" not in stage.state()["installs"]

    again = stage.domu(*rebuild("a", "b", "c", "d"))
    assert again.status == 0, again.err
    assert states(stage) == {"a": ["done"], "b": ["done"], "c": ["done"], "d": ["given up", "done"]}
    assert once_each(stage)
    assert most_at_once(stage) == 2


def test_a_run_that_waits_in_vain_is_still_gone_on_with(lay: Callable[..., Stage]) -> None:
    """b was under way when all was cut off; before it goes on, a is rebuilt with another profile, and fails."""
    stage = lay(1, a=[], b=["a"])
    job = stage.start(*rebuild("a", "b"))
    until(lambda: ("b", "install") in creations(stage))
    job.signal(signal.SIGKILL)
    job.wait()
    profile = stage.site.profiles / "a.yaml"
    profile.write_text(profile.read_text().replace("512M", "600M"))
    stage.build("a")
    stage.order(installer=["question", "well"])
    failed = stage.domu(*rebuild("a", "b"))
    assert failed.status == 1
    assert "b: error G130" in failed.out
    assert states(stage) == {"a": ["done", "failed"], "b": ["unfinished"]}
    assert stage.domu(*rebuild("a", "b")).status == 0
    assert states(stage) == {"a": ["done", "done"], "b": ["done"]}
    assert stage.state()["installs"]["b"] == {"begun": 1, "finished": 1}
