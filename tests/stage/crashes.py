"""The crash table: a rebuild that is cut off at every point, then asked for again, must end as if nothing had been.

A point is one of domu's own (tests/stage/domu.py) or one of a program that it started (tests/stage/programs.py). Run as
a program it goes through all of them, two at a time, and writes docs/rebuild-crashes.md.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from builder.plan.journal import parse_journal
from builder.plan.steps import describe
from tests.stage.domu import Ended, plain
from tests.stage.hardware import State
from tests.stage.stage import Stage

AGAIN = ("rebuild", "web1", "--yes", "web1")
WHENS = ("before", "half", "orphan", "after")
_JOURNAL = "/root/var/lib/domu/runs/web1/journal"
UNWRITTEN, WRITTEN = f"before fsync {_JOURNAL}", f"after fsync {_JOURNAL}"
INSTALL, RUN = (f"xl create /var/lib/domu/web1/web1{kind}.cfg" for kind in (".install", ""))
# What is left of the making of a data volume where a run was cut off in it.
FINISHING = {
    "lvchange --activate y --ignoreactivationskip vg0/web1-srv",
    "wipefs --all /dev/vg0/web1-srv",
}
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


@dataclass(frozen=True, slots=True)
class Facts:
    """How a dom0 is left: volumes, domains, files of the guest, what was removed, and how the journal ends."""

    volumes: Mapping[str, tuple[str, ...]]
    domains: tuple[tuple[str, ...], ...]
    files: Mapping[str, bytes]
    removed: tuple[str, ...]
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
            tuple(sorted(state["removed"])),
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
    """The undisturbed run: its points in order, the changes, its steps in words, and how it leaves the dom0.

    `places`: for each point the number of the step that it is in, 0 before the first.
    """

    points: tuple[str, ...]
    changes: tuple[str, ...]
    words: tuple[str, ...]
    places: tuple[int, ...]
    facts: Facts

    @property
    def steps(self) -> int:
        return len(self.words)


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
    (run,) = parse_journal(stage.journal())
    marks = {0: 0} | dict(enumerate(_steps_by_line(stage.journal()), 1))
    lines, places = 0, []
    for point in done.points:
        lines += point == WRITTEN
        places.append(marks[max(0, lines - 1)])  # the first is of the empty journal
    words = tuple(describe(step) for step in run.begun.steps)
    return Reference(done.points, tuple(stage.changes()), words, tuple(places), Facts.of(stage))


def _steps_by_line(journal: str) -> Iterator[int]:
    """For each line of a journal, the number of the step that has been started by then."""
    step = 0
    for line in journal.splitlines():
        step = json.loads(line)["step"] + 1 if '"record": "started"' in line else step
        yield step


def cuts(found: Reference) -> Iterator[Cut]:
    """Every place at which the run can be cut off by SIGKILL; what is polled, a few times only."""
    for point, number in _passed(found):
        yield Cut(point, number)
    for number in range(1, len(found.changes) + 1):
        yield from (Cut(change=number, when=when) for when in WHENS)


def rough_cuts(found: Reference) -> Iterator[Cut]:
    """The rest: dom0 goes down too, the journal loses its end, somebody stops domu."""
    for between in ("torn line", "lost line"):
        yield from (Cut(point, number, between=between) for point, number in _passed(found) if point == UNWRITTEN)
    for between in ("reboot", "reboot with xendomains"):
        for point, number in _passed(found):
            if point == WRITTEN or "/RUN" in point:  # what is kept of a step that is over, and not yet written down so
                yield Cut(point, number, between=between)
        for change in range(1, len(found.changes) + 1):
            yield from (Cut(change=change, when=when, between=between) for when in ("before", "half", "after"))
    yield from (Cut(point, number, signal="stop") for point, number in _passed(found))


def _passed(found: Reference) -> Iterator[tuple[str, int]]:
    seen: Counter[str] = Counter()
    for point in found.points:
        seen[point] += 1
        if seen[point] <= _times(point):
            yield point, seen[point]


def _times(point: str) -> int:
    """How many passings of a point are looked at: all of the journal's, few of what only looks."""
    if _JOURNAL in point:
        return 10_000
    return 6 if point.startswith(("start xl", "start lvm")) else 3


def place_of(found: Reference, cut: Cut) -> int:
    """The number of the step in which the cut is, 0 before the first."""
    if cut.change:
        starts = iter(enumerate(found.points))
        at = 0
        for change in found.changes[: cut.change]:
            at = next(number for number, point in starts if point == plain(f"start {change}", ""))
        return found.places[at]
    passed = [number for number, point in enumerate(found.points) if point == cut.point]
    return found.places[passed[cut.time - 1]]


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


def survive(stage: Stage, cut: Cut, whole: Reference) -> Survived:
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
    _judge(stage, cut, whole)
    installs = stage.state()["installs"]["web1"]
    creates = sum(line == INSTALL for line in stage.changes())
    return Survived(cut, was_cut, installs["begun"], creates, len(stage.state()["hooks"]), ended)


def _judge(stage: Stage, cut: Cut, whole: Reference) -> None:
    state, facts = stage.state(), Facts.of(stage)
    assert facts == whole.facts, _difference(facts, whole.facts)
    installs = state["installs"]["web1"]
    assert installs["finished"] == 1, installs
    may_be_cut_short = cut.between.startswith("reboot")
    assert installs["begun"] <= (2 if may_be_cut_short else 1), installs
    about_data = {line for line in stage.changes() if any(name in line for name in ("web1-srv", "vg0/other"))}
    assert about_data <= set(whole.changes) | FINISHING, about_data
    unknown = [call.line for call in stage.calls() if call.change < 0]
    assert unknown == [], unknown
    assert all(hook[-1] == "1" for hook in state["hooks"][1:]), state["hooks"]


def _difference(facts: Facts, wanted: Facts) -> str:
    return json.dumps(
        {
            name: [repr(getattr(facts, name)), repr(getattr(wanted, name))]
            for name in Facts.__slots__
            if getattr(facts, name) != getattr(wanted, name)
        },
        indent=1,
    )


def table(found: Reference, survived: Iterable[Survived]) -> str:
    """Counts by step and by kind of crash."""
    kinds = ("kill", "reboot", "journal", "stop")
    counts: Counter[tuple[int, str]] = Counter()
    for one in survived:
        place = place_of(found, one.cut)
        kind = "journal" if one.cut.between.endswith("line") else one.cut.between.partition(" ")[0]
        counts[place, one.cut.signal if kind == "nothing" else kind] += 1
        counts[place, "again"] += one.installs - 1
        counts[place, "hook"] += one.hooks - 1
    head = "| step | SIGKILL | and reboot | and the journal's end lost | SIGTERM | again | hook |\n|---|--:|--:|--:|--:|--:|--:|\n"
    lines = []
    for number, words in enumerate(("before the first", *found.words)):
        cells = [str(counts[number, kind] or "") for kind in (*kinds, "again", "hook")]
        lines.append(f"| {number or ''} {words} | {' | '.join(cells)} |\n".replace("|  ", "| "))
    sums = [
        str(sum(value for (_, kind), value in counts.items() if kind == wanted)) for wanted in (*kinds, "again", "hook")
    ]
    return f"{head}{''.join(lines)}| all | {' | '.join(sums)} |"
