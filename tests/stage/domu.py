"""`domu` as a process that can be killed at a chosen point: started by a process that has loaded it once (the zygote).

Points are counted: every file that domu opens to write, renames, makes or removes, every fsync (before it and after
it), every program that it starts. Time goes faster for it, so that a poll each second is no second here.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from threading import Lock
from typing import IO, Any, NoReturn, Self, SupportsIndex, TypeAlias

PROJECT = Path(__file__).parent.parent.parent
SPEED = 20
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_EVENTS = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "subprocess.Popen"}

# A point by its words, and which time it is passed, from 1.
Point: TypeAlias = tuple[str, int]
_CHANGING = (
    (re.compile(r"/tmp/[^ ]*"), "/tmp/..."),
    (re.compile(r"staged-[0-9a-f]+"), "staged-..."),
    (re.compile(r"(/runs/[a-z0-9]+/)20[0-9A-Za-z.-]+"), r"\1RUN"),
)


@dataclass(frozen=True)
class Ended:
    """How a process of domu ended; `status` is negative for a signal. `points`: what could have been its last."""

    status: int
    out: str
    err: str
    points: tuple[str, ...]


@dataclass
class Job:
    """A process of domu."""

    pid: int
    folder: Path
    zygote: Zygote

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> Ended:
        handle = os.pidfd_open(self.pid)  # its parent has better things to do than to wait for it
        try:
            select([handle], [], [])
        finally:
            os.close(handle)
        status = self.zygote.wait(self.pid)
        said = [(self.folder / name).read_text() for name in ("out", "err", "points")]
        return Ended(status, said[0], said[1], tuple(said[2].splitlines()))


@dataclass
class Zygote:
    """The process that has loaded domu and starts it again and again by fork; and one that plays the programs."""

    process: subprocess.Popen[str] = field(init=False)
    programs: subprocess.Popen[str] = field(init=False)
    lock: AbstractContextManager[Any] = field(default_factory=Lock)
    port: int = 0
    numbers: int = 0

    def __enter__(self) -> Self:
        self.programs, self.process = _module("tests.stage.programs"), _module("tests.stage.domu")
        assert self.programs.stdout
        self.port = int(self.programs.stdout.readline())
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.communicate()
        self.programs.communicate()

    def _ask(self, **words: Any) -> int:
        assert self.process.stdin
        assert self.process.stdout
        with self.lock:
            print(json.dumps(words), file=self.process.stdin, flush=True)
            return int(self.process.stdout.readline())

    def start(
        self,
        stage: Path,
        argv: Sequence[str],
        *,
        kill: Point = ("", 0),
        stop: Point = ("", 0),
        env: Mapping[str, str] | None = None,
        speed: int = SPEED,
    ) -> Job:
        """domu with these arguments; behind `--run` a program that it starts.

        `kill`, `stop`: SIGKILL, SIGTERM when it passes this point for the n-th time.
        """
        with self.lock:
            self.numbers += 1
            folder = stage / f"jobs/{self.numbers}"
            folder.mkdir(parents=True)
        job = {"argv": list(argv), "stage": str(stage), "folder": str(folder), "kill": kill, "stop": stop}
        pid = self._ask(start=job | {"env": dict(env or {}), "speed": speed})
        return Job(pid, folder, self)

    def wait(self, pid: int) -> int:
        """The exit status of one that has ended."""
        return self._ask(wait=pid)

    def run(self, stage: Path, argv: Sequence[str]) -> None:
        """Any program on the stage."""
        subprocess.run(argv, env=_environment(stage), check=False, capture_output=True)


def _module(name: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", name]
    return subprocess.Popen(words, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _environment(stage: Path) -> dict[str, str]:
    for name in ("home", "tmp"):
        (stage / name).mkdir(exist_ok=True)
    names = {"PATH": str(stage / "bin"), "HOME": str(stage / "home"), "TMPDIR": str(stage / "tmp")}
    return {**names, "TERM": "dumb", "COLUMNS": "200"}


def _main() -> None:
    """Be the zygote."""
    from builder.cli import app

    app.load_commands()
    _load_all()
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            _pid, status = os.waitpid(asked["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if not answer:
                _be_domu(asked["start"], app.call)
        print(answer, flush=True)


def _load_all() -> None:
    """What the commands of the stage import when they run."""
    import builder.report.findings
    import builder.report.plan
    import builder.report.rebuild
    import builder.report.stages
    import builder.workflows.bench
    import builder.workflows.plan
    import builder.workflows.rebuild  # noqa: F401


def _be_domu(job: Mapping[str, Any], call: Callable[[list[str]], int]) -> NoReturn:
    status = 70  # sysexits.h, EX_SOFTWARE: this driver's own fault
    try:
        folder, stage = Path(job["folder"]), Path(job["stage"])
        os.environ.clear()
        os.environ.update(_environment(stage) | job["env"])
        os.setsid()
        for number, name in ((0, os.devnull), (1, folder / "out"), (2, folder / "err")):
            handle = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
            os.dup2(handle, number)
            os.close(handle)
        os.chdir(stage)
        _hurry(job["speed"])
        _Points(folder / "points", stage, job["kill"], job["stop"]).watch()
        status = _run(job["argv"][1:]) if job["argv"][0] == "--run" else call(job["argv"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _run(argv: list[str]) -> int:
    """A program as domu runs them, and no more."""
    from builder.host.run import run

    return run(argv).status


def _hurry(speed: int) -> None:
    """To sleep is quicker for it, and its clock takes a sleep for what was asked; what it does takes its time."""
    sleep, monotonic, gained = time.sleep, time.monotonic, [0.0]

    def nap(seconds: float | SupportsIndex) -> None:
        sleep(float(seconds) / speed)
        gained[0] += float(seconds) * (1 - 1 / speed)

    time.sleep = nap
    time.monotonic = lambda: monotonic() + gained[0]


class _Points:
    """Counts where domu may be killed, and does it."""

    def __init__(self, path: Path, stage: Path, kill: Point, stop: Point) -> None:
        self.log: IO[str] = path.open("a", buffering=1)
        self.stage = str(stage)
        self.orders = {tuple(kill): signal.SIGKILL, tuple(stop): signal.SIGTERM}
        self.times: Counter[str] = Counter()
        self.pid = os.getpid()

    def watch(self) -> None:
        fsync = os.fsync

        def slow_fsync(handle: int) -> None:
            path = Path(f"/proc/self/fd/{handle}").readlink()
            self.pass_by(f"before fsync {path}")
            fsync(handle)
            self.pass_by(f"after fsync {path}")

        os.fsync = slow_fsync  # type: ignore[assignment]  # takes what has a fileno(), too; domu gives it numbers
        sys.addaudithook(self.look)

    def look(self, event: str, words: tuple[Any, ...]) -> None:
        if event == "open":
            path, _mode, flags = words
            if isinstance(path, str) and path.startswith(self.stage) and flags & _WRITES:
                self.pass_by(f"open {path}")
        elif event == "subprocess.Popen":
            self.pass_by(f"start {' '.join(map(str, words[1]))}")
        elif event in _EVENTS and str(words[0]).startswith(self.stage):
            self.pass_by(f"{event} {words[0]}")

    def pass_by(self, what: str) -> None:
        if os.getpid() != self.pid:
            return
        point = plain(what, self.stage)
        self.times[point] += 1
        self.log.write(f"{point}\n")
        if order := self.orders.get((point, self.times[point])):
            os.kill(self.pid, order)


def plain(what: str, stage: str) -> str:
    """The point without what is another in every run: the stage's folder, numbers of runs, random names."""
    text = " ".join(what.replace(stage, "").split())
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return text[:200]


if __name__ == "__main__":
    _main()
