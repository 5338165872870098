"""The crash table: a rebuild that is cut off at every point, then asked for again, must end as if nothing had been.

A point is one of domu's own (tests/stage/domu.py) or one of a program that it started (tests/stage/programs.py). Run as
a program it goes through all of them, two at a time, and writes docs/rebuild-crashes.md.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from builder.plan.journal import parse_journal
from tests.stage.domu import Ended
from tests.stage.hardware import State
from tests.stage.stage import PRECIOUS, Stage

AGAIN = ("rebuild", "web1", "--yes", "web1")
WHENS = ("before", "half", "orphan", "after")
_JOURNAL = "/root/var/lib/domu/runs/web1/journal"
INSTALL, RUN = (f"xl create /var/lib/domu/web1/web1{kind}.cfg" for kind in (".install", ""))
# What happens between the crash and the same command again.
Between = Callable[[Stage], object]


@dataclass(frozen=True)
class Cut:
    """Where a run is cut off. One of: `point` and which time it is passed, or a `change` and when in it."""

    point: str = ""
    time: int = 1
    change: int = 0
    when: str = ""
    signal: str = "kill"
    between: str = "nothing"

    def __str__(self) -> str:
        where = f"{self.point} ({self.time})" if self.point else f"change {self.change}, {self.when}"
        return f"{self.signal}: {where}; then {self.between}"


@dataclass(frozen=True)
class Facts:
    """How a dom0 is left: volumes, domains, files of the guest, and how its journal ends."""

    volumes: Mapping[str, tuple[str, ...]]
    domains: tuple[tuple[str, ...], ...]
    files: Mapping[str, bytes]
    journal: str

    @classmethod
    def of(cls, stage: Stage) -> Facts:
        state = stage.state()
        runs = parse_journal(stage.journal())
        top = stage.root / "var/lib/domu"
        paths = [path for path in sorted(top.rglob("*")) if top / "runs" not in (path, *path.parents)]
        return cls(
            {path: _volume(one) for path, one in sorted(state["volumes"].items())},
            tuple(_domain(one) for one in state["domains"]),
            {str(path.relative_to(top)): path.read_bytes() for path in paths if path.is_file()},
            runs[-1].state if runs else "",
        )


def _volume(volume: State) -> tuple[str, ...]:
    row = volume["row"]
    uuid = re.sub("made[0-9]+", "made", row["lv_uuid"])
    content = re.sub(r"installation \d+", "installed", volume["content"])
    return (uuid, row["lv_size"], row["lv_tags"], row["lv_attr"], content)


def _domain(domain: State) -> tuple[str, ...]:
    return (domain["name"], domain["uuid"], domain["state"], str(domain["installs"]), *domain["disks"])


@dataclass(frozen=True)
class Reference:
    """The undisturbed run: its points in order, the changes, and how it leaves the dom0."""

    points: tuple[str, ...]
    changes: tuple[str, ...]
    facts: Facts


@dataclass(frozen=True)
class Survived:
    """What a case showed: how often the installer was started, and the hook."""

    cut: Cut
    was_cut: bool
    installs: int
    creates: int
    hooks: int
    said: Ended = field(compare=False)


def reference(stage: Stage) -> Reference:
    """Run it whole, on a stage of its own."""
    done = stage.domu(*AGAIN)
    assert done.status == 0, done
    assert stage.state()["installs"] == {"web1": {"begun": 1, "finished": 1}}
    return Reference(done.points, tuple(stage.changes()), Facts.of(stage))


def cuts(found: Reference) -> Iterator[Cut]:
    """Every place at which the run can be cut off by SIGKILL; what is polled, a few times only."""
    seen: Counter[str] = Counter()
    for point in found.points:
        seen[point] += 1
        if seen[point] <= _times(point):
            yield Cut(point, seen[point])
    for number in range(1, len(found.changes) + 1):
        yield from (Cut(change=number, when=when) for when in WHENS)


def _times(point: str) -> int:
    """How many passings of a point are looked at: all of the journal's, few of what only looks."""
    if _JOURNAL in point:
        return 10_000
    return 6 if point.startswith(("start xl", "start lvm")) else 3


def torn(stage: Stage) -> None:
    """The last line of the journal is on the disk by half."""
    path = stage.folder / _JOURNAL.lstrip("/")
    if path.exists():
        text = path.read_text()
        last = len(text) - (text.rstrip("\n").rfind("\n") + 1)
        path.write_text(text[: len(text) - max(1, last // 2)] if text else "")


def lost(stage: Stage) -> None:
    """The last line of the journal has not reached the disk."""
    path = stage.folder / _JOURNAL.lstrip("/")
    if path.exists():
        text = path.read_text()
        path.write_text(text[: text.rstrip("\n").rfind("\n") + 1])


def nothing(_stage: Stage) -> None:
    """Somebody types the command again at once."""


BETWEEN: Mapping[str, Between] = {
    "nothing": nothing,
    "reboot": lambda stage: stage.reboot(),
    "reboot with xendomains": lambda stage: stage.reboot("web1"),
    "torn line": torn,
    "lost line": lost,
}


def survive(stage: Stage, cut: Cut, wanted: Facts) -> Survived:
    """Cut a run off, ask for it again, and hold the end against the undisturbed one; AssertionError tells what is not so."""
    job: dict[str, Any] = {cut.signal: (cut.point, cut.time)} if cut.point else {}
    if cut.change:
        stage.order(kill={"change": cut.change, "when": cut.when})
    first = stage.domu(*AGAIN, **job)
    was_cut = first.status in {-9, 130}
    assert was_cut or first.status == 0, first
    stage.order(kill={})
    ended = first
    if Facts.of(stage).journal != "done" or cut.between == "torn line":
        BETWEEN[cut.between](stage)
        ended = stage.domu(*AGAIN)
        assert ended.status == 0, (first, ended, stage.journal())
    _judge(stage, cut, wanted)
    installs = stage.state()["installs"]["web1"]
    creates = sum(line == INSTALL for line in stage.changes())
    return Survived(cut, was_cut, installs["begun"], creates, len(stage.state()["hooks"]), ended)


def _judge(stage: Stage, cut: Cut, wanted: Facts) -> None:
    state, facts = stage.state(), Facts.of(stage)
    assert facts == wanted, _difference(facts, wanted)
    assert state["volumes"]["vg0/web1-srv"]["content"] == PRECIOUS
    assert sorted(set(state["removed"])) == ["vg0/web1-disk", "vg0/web1-scratch"]
    installs = state["installs"]["web1"]
    assert installs["finished"] == 1, installs
    may_be_cut_short = cut.between.startswith("reboot")
    assert installs["begun"] <= (2 if may_be_cut_short else 1), installs
    kept = [line for line in stage.changes() if "web1-srv" in line or "vg0/other" in line]
    assert kept == [], kept
    unknown = [call.line for call in stage.calls() if call.change < 0]
    assert unknown == [], unknown


def _difference(facts: Facts, wanted: Facts) -> str:
    return json.dumps(
        {
            name: [repr(getattr(facts, name)), repr(getattr(wanted, name))]
            for name in ("volumes", "domains", "files", "journal")
            if getattr(facts, name) != getattr(wanted, name)
        },
        indent=1,
    )
