"""Drills on the stage: the guest itself is not touched, the stand-in comes and goes, whatever happens in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from builder.errors import RefusalError
from builder.host.clock import Clock
from builder.host.drills import marked, read_records
from builder.plan.recovery import parse_records
from builder.workflows.bench import Bench
from builder.workflows.drill import clear_away, propose_drill
from builder.workflows.report import make_report
from tests.drill_stage import answering, bench_of, drilled, lay
from tests.lvm_reports import lv
from tests.stage.domu import PROJECT, Zygote
from tests.stage.stage import PRECIOUS, Stage

STRANGER = "3f0a3c5e-1111-4222-8333-0123456789ab"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with answering() as found:
        yield found


@pytest.fixture
def stage(tmp_path: Path, zygote: Zygote, port: int, monkeypatch: pytest.MonkeyPatch) -> Stage:
    found = lay(tmp_path / "stage", zygote, port)
    monkeypatch.setenv("PATH", str(found.folder / "bin"))
    return found


def left(stage: Stage) -> dict[str, Any]:
    """Everything on dom0 but what a drill may leave: its record, its journal with what was kept, and consoles."""
    state = stage.state()
    files = [name for name in stage.files() if "/runs/" not in name and "xen/console" not in name]
    bridges = sorted(path.name for path in (stage.root / "sys/class/net").iterdir())
    return {key: state[key] for key in ("volumes", "domains", "groups")} | {"files": files, "bridges": bridges}


def test_a_guest_is_drilled_and_nothing_of_it_is_left(stage: Stage) -> None:
    before = left(stage)
    end = drilled(stage, "web1")
    assert left(stage) == before
    assert end.left == ()
    (record,) = end.records
    assert record.guest == "web1"
    assert record.outcome == "unasked"  # the stage has no ssh
    assert [text[:4] for text in record.findings] == ["W102"]
    assert [what for what, _ in record.steps][-3:] == ["install", "start", "wait until it answers"]
    assert record.seconds == pytest.approx(sum(took for _, took in record.steps))
    assert any("web1-drill" in text for text in record.differs)
    assert stage.state()["installs"] == {"web1-drill": {"begun": 1, "finished": 1}}
    assert stage.state()["hooks"] == []


def test_the_bridge_comes_and_goes(stage: Stage) -> None:
    drilled(stage, "web1")
    lines = (stage.folder / "network").read_text().splitlines()
    assert lines.index("link add name domu-drill type bridge") < lines.index("link set dev domu-drill up")
    assert "sysctl --quiet --write net/ipv4/conf/domu-drill/forwarding=0" in lines
    assert lines[-1] == "link delete dev domu-drill"


def test_the_record_is_kept_and_reported(stage: Stage) -> None:
    end = drilled(stage, "web1")
    assert parse_records(read_records(stage.root)["web1"])[0].steps == end.records[0].steps
    report, under_way = make_report(stage.site, root=stage.root)
    assert under_way == ()
    assert report.never == ()
    assert report.seconds == end.records[0].seconds
    said = stage.domu("report")
    assert said.status == 0, said
    assert "all guests of this host would be back after about" in said.out


def test_a_second_drill_follows_the_first(stage: Stage) -> None:
    drilled(stage, "web1")
    assert len(drilled(stage, "web1").records) == 1
    assert len(parse_records(read_records(stage.root)["web1"])) == 2


@pytest.mark.parametrize("installer", ["question", "crash", "no end"])
def test_a_drill_that_fails_is_told_and_cleared_away(stage: Stage, installer: str) -> None:
    before = left(stage)
    stage.order(installer=[installer])
    end = drilled(stage, "web1", bench=quick(stage))
    assert left(stage) == before
    (record,) = end.records
    assert record.outcome == "failed"
    assert any("kept: " in text for text in record.findings)
    report, _ = make_report(stage.site, root=stage.root)
    assert report.never == ("web1",)


def quick(stage: Stage) -> Bench:
    """Ten minutes of silence, and pauses between attempts, pass at once."""

    class Hasty(Clock):
        def seconds(self) -> float:
            return 200 * time.monotonic()

        def pause(self, seconds: float) -> None:
            super().pause(seconds / 200)

    return bench_of(stage, Hasty())


REFUSED: dict[str, tuple[str, Callable[[Stage], None]]] = {}


def refused(code: str) -> Callable[[Callable[[Stage], None]], None]:
    def keep(change: Callable[[Stage], None]) -> None:
        REFUSED[change.__name__] = (code, change)

    return keep


@refused("V104")
def a_foreign_volume_has_its_name(stage: Stage) -> None:
    with stage.changed() as state:
        state["volumes"]["vg0/web1-drill-disk"] = {"row": lv("web1-drill-disk", 10), "content": "somebody else's"}


@refused("G103")
def a_foreign_domain_has_its_name(stage: Stage) -> None:
    with stage.changed() as state:
        state["domains"].append(stage.domain("web1-drill", 9, uuid=STRANGER, disks=[]))


@refused("G143")
def its_folder_holds_something(stage: Stage) -> None:
    folder = stage.root / "var/lib/domu/web1-drill"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")


@refused("G149")
def the_bridge_is_there(stage: Stage) -> None:
    (stage.root / "sys/class/net/domu-drill/brif").mkdir(parents=True)


@refused("G149")
def the_subnet_is_somebodys(stage: Stage) -> None:
    (stage.folder / "routes").write_text('[{"dst":"127.77.0.0/16","dev":"tun0"}]')


@refused("G107")
def there_is_no_memory(stage: Stage) -> None:
    with stage.changed() as state:
        state["memory"] = 1200


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_leaves_all_as_it_was(stage: Stage, name: str) -> None:
    code, change = REFUSED[name]
    change(stage)
    before = left(stage)
    with pytest.raises(RefusalError) as caught:
        drilled(stage, "web1")
    assert code in {finding.code for finding in caught.value.findings}
    assert all(finding.hint for finding in caught.value.findings)
    assert left(stage) == before
    assert read_records(stage.root) == {}
    assert marked(stage.root) == ()


def killed(stage: Stage, when: Callable[[], bool]) -> None:
    """A drill in a process of its own, killed by SIGKILL once `when` is so."""
    words = [sys.executable, "-m", "tests.drill_stage", str(stage.folder)]
    child = subprocess.Popen(words, cwd=PROJECT, env=os.environ, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not when():
        assert child.poll() is None, "it ended before"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.kill()
    child.wait()


MOMENTS: dict[str, Callable[[Stage], bool]] = {
    "marked": lambda stage: marked(stage.root) != (),
    "bridge made": lambda stage: (stage.root / "sys/class/net/domu-drill").exists(),
    "built": lambda stage: (stage.site.build / "web1-drill/manifest.json").exists(),
    "a volume made": lambda stage: "vg0/web1-drill-disk" in stage.state()["volumes"],
    "installing": lambda stage: any(one["name"] == "web1-drill" for one in stage.state()["domains"]),
    "recorded": lambda stage: read_records(stage.root) != {},
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_drill_that_was_killed_left_is_cleared_away(stage: Stage, moment: str) -> None:
    before = left(stage)
    killed(stage, lambda: MOMENTS[moment](stage))
    assert marked(stage.root) == ("web1",)
    assert clear_away(stage.site, bench_of(stage)) == ()
    assert left(stage) == before
    assert marked(stage.root) == ()
    assert clear_away(stage.site, bench_of(stage)) == ()


def test_the_next_drill_clears_away_and_goes_on(stage: Stage) -> None:
    before = left(stage)
    killed(stage, lambda: MOMENTS["installing"](stage))
    assert drilled(stage, "web1").left == ()
    assert left(stage) == before


def test_what_is_not_a_drills_is_not_cleared_away(stage: Stage) -> None:
    """Somebody put a volume of his own where the drill had one."""
    killed(stage, lambda: MOMENTS["a volume made"](stage))
    with stage.changed() as state:
        state["volumes"]["vg0/web1-drill-disk"]["row"]["lv_tags"] = "mine"
    (said,) = clear_away(stage.site, bench_of(stage))
    assert "web1-drill" in said
    assert "vg0/web1-drill-disk" in stage.state()["volumes"]
    assert marked(stage.root) == ("web1",)


def test_a_guests_data_is_where_it_was_after_all_of_it(stage: Stage) -> None:
    drilled(stage, "web1")
    assert stage.state()["volumes"]["vg0/web1-srv"]["content"] == PRECIOUS
    assert not any("web1-srv" in line or "web1-disk" in line for line in stage.changes())
    assert [one["name"] for one in stage.state()["domains"]] == ["web1"]


def test_proposing_touches_nothing(stage: Stage) -> None:
    before = (stage.files(), stage.state())
    proposal = propose_drill(stage.site, ("web1",), bench_of(stage))
    assert not proposal.refused
    assert (stage.files(), stage.state()) == before
    assert stage.changes() == []


def test_the_command_says_what_a_drill_does_not_show_and_does_nothing_when_dry(stage: Stage) -> None:
    before = (stage.files(), stage.state())
    said = stage.domu("rebuild", "--drill", "web1", "--dry-run")
    assert said.status == 0, said
    assert "rebuilt as web1-drill; nothing of web1's own is touched" in said.out
    assert "data volumes are new and empty: srv, scratch" in said.out
    assert (stage.files(), stage.state()) == before


def test_the_command_refuses_what_cannot_be_drilled(stage: Stage) -> None:
    a_volume = lv("web1-drill-disk", 10)
    with stage.changed() as state:
        state["volumes"]["vg0/web1-drill-disk"] = {"row": a_volume, "content": "somebody else's"}
    said = stage.domu("rebuild", "--drill", "web1")
    assert said.status == 1
    assert "V104" in said.err
    assert stage.changes() == []


def test_the_next_rebuild_clears_away_before_it_looks(stage: Stage) -> None:
    before = left(stage)
    killed(stage, lambda: MOMENTS["installing"](stage))
    said = stage.domu("rebuild", "web1")
    assert "not confirmed" in said.err
    assert "a drill was cut off, and is cleared away: web1" in said.err
    assert left(stage) == before
    assert marked(stage.root) == ()


def test_two_guests_are_drilled_in_their_order(stage: Stage) -> None:
    text = (stage.site.profiles / "web1.yaml").read_text()
    (stage.site.profiles / "db1.yaml").write_text(text)
    (stage.site.profiles / "web1.yaml").write_text(f"{text}autostart: true\nstart_after: [db1]\n")
    (stage.site.profiles / "db1.yaml").write_text(f"{text}autostart: true\n".replace("192.0.2.10", "192.0.2.11"))
    before = left(stage)
    end = drilled(stage)
    assert left(stage) == before
    assert {record.guest: record.outcome for record in end.records} == {"db1": "unasked", "web1": "unasked"}
    assert stage.state()["installs"] == {f"{name}-drill": {"begun": 1, "finished": 1} for name in ("db1", "web1")}
    report, _ = make_report(stage.site, root=stage.root)
    assert report.seconds == pytest.approx(sum(record.seconds for record in end.records))


def test_a_drill_that_is_stopped_is_cleared_away_and_leaves_no_record(stage: Stage) -> None:
    before = left(stage)
    bench = bench_of(stage)

    def stop() -> None:
        while not MOMENTS["installing"](stage):
            time.sleep(0.01)
        bench.clock.stop.set()

    stopping = Thread(target=stop)
    stopping.start()
    end = drilled(stage, "web1", bench=bench)
    stopping.join()
    assert (end.stopped, end.ok, end.records, end.left) == (True, False, (), ())
    assert left(stage) == before
    assert read_records(stage.root) == {}
    assert marked(stage.root) == ()


def test_the_report_for_programs(stage: Stage) -> None:
    assert json.loads(stage.domu("report", "--json").out)["never"] == ["web1"]
    drilled(stage, "web1")
    data = json.loads(stage.domu("report", "web1", "--json").out)
    (web1,) = data["guests"]
    assert web1["age_seconds"] >= 0
    assert web1["last"] == web1["last_good"]
    assert web1["last"]["steps"][-1]["what"] == "wait until it answers"
    assert data["recovery_seconds"] == web1["last"]["seconds"]
    assert (data["never"], data["under_way"], data["at_once"]) == ([], [], 1)
