"""What lies in the stage's bin/: one program under many names, which logs its call, may kill who called it, and acts.

An order `kill` {"change": N, "when": "before" | "half" | "orphan" | "after"} is about the N-th call that changes
something: before it did anything; half done, and then never again ("half") or to its end while its caller is dead
("orphan"); or after all of it was done and before the caller heard of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

from tests.stage import lvm, xl
from tests.stage.hardware import State, opened
from tests.stage.lvm import Answer, Half

Program: TypeAlias = Callable[[Path, Sequence[str], Half], Answer]


def _df(stage: Path, words: Sequence[str], _half: Half) -> Answer:
    with opened(stage) as state:
        free = state["disk_free"]
    return Answer(out=f"   1B-blocks       Avail Mounted on\n{40 << 30} {free} /\n")


def _guest_answers(stage: Path, words: Sequence[str], _half: Half) -> Answer:
    """For `ready: {command: [guest-answers, NAME]}`: an installed system runs; it answers when asked a second time."""
    with opened(stage) as state:
        for domain in state["domains"]:
            if domain["name"] == words[0] and domain["made"] and not domain["installs"]:
                there = state["volumes"][domain["disks"][0]]["content"].startswith("a system")
                asleep = state["orders"].get("guest") == "silent"
                domain["asked"] += 1
                return Answer(0 if there and not asleep and domain["asked"] > 1 else 1)
    return Answer(1)


def _hook(stage: Path, words: Sequence[str], half: Half) -> Answer:
    half()
    with opened(stage) as state:
        state["hooks"].append([*words, os.environ.get("DOMU_AGAIN", "")])
    return Answer(int(state["orders"].get("hook", 0)))


READING: Mapping[tuple[str, ...], Program] = {
    ("xl", "list"): xl.list_domains,
    ("xl", "info"): xl.info,
    ("lvm", "fullreport"): lvm.report,
    ("mkfs.ext4", "-V"): lvm.make_filesystem,
    ("mkfs.xfs", "-V"): lvm.make_filesystem,
    ("df",): _df,
    ("guest-answers",): _guest_answers,
}
CHANGING: Mapping[tuple[str, ...], Program] = {
    ("xl", "create"): xl.create,
    ("xl", "shutdown"): xl.shutdown,
    ("xl", "destroy"): xl.destroy,
    ("lvcreate",): lvm.create,
    ("lvremove",): lvm.remove,
    ("lvchange",): lvm.change,
    ("lvextend",): lvm.extend,
    ("wipefs",): lvm.wipe,
    ("blkdiscard",): lvm.wipe,
    ("mkfs.ext4",): lvm.make_filesystem,
    ("mkfs.xfs",): lvm.make_filesystem,
    ("after-hook",): _hook,
}
NAMES = sorted({words[0] for words in (*READING, *CHANGING)})


def main(stage: Path, argv: Sequence[str]) -> NoReturn:
    """Be the program argv[0]."""
    said = _ordered_words(stage, argv)
    reading = READING.get(tuple(argv[:2])) or READING.get(tuple(argv[:1]))
    changing = CHANGING.get(tuple(argv[:2])) or CHANGING.get(tuple(argv[:1]))
    if said is not None:
        _log(stage, argv, 0)
        _leave(said)
    if reading:
        _log(stage, argv, 0)
        _leave(reading(stage, _arguments(argv), lambda: None))
    if changing is None:
        _log(stage, argv, -1)
        _leave(Answer(127, err=f"the stage has no such program: {' '.join(argv)}"))
    order = _count(stage, argv)
    _kill_if(order == "before", and_end=True)

    def half() -> None:
        _kill_if(order == "half", and_end=True)
        if order == "orphan":
            _kill_if(True)
            time.sleep(0.1)

    answer = changing(stage, _arguments(argv), half)
    _kill_if(order == "after", and_end=True)
    _leave(answer)


def _arguments(argv: Sequence[str]) -> Sequence[str]:
    return argv[1:]


def _kill_if(wanted: bool, *, and_end: bool = False) -> None:
    if wanted:
        os.kill(os.getppid(), signal.SIGKILL)
        if and_end:
            os._exit(1)


def _count(stage: Path, argv: Sequence[str]) -> str:
    """When the caller is to die in this call; empty when it is not."""
    with opened(stage) as state:
        state["changes"] += 1
        number: int = state["changes"]
        order: State = state["orders"].get("kill", {})
    _log(stage, argv, number)
    return str(order["when"]) if order.get("change") == number else ""


def _log(stage: Path, argv: Sequence[str], change: int) -> None:
    with (stage / "calls").open("a") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.write(json.dumps([change, list(argv)]) + "\n")


def _ordered_words(stage: Path, argv: Sequence[str]) -> Answer | None:
    """What a test ordered this command line to say instead."""
    orders = json.loads((stage / "state.json").read_text())["orders"].get("say", {})
    line = " ".join(argv)
    for begin, (status, out, err) in orders.items():
        if line.startswith(begin):
            return Answer(status, out, err)
    return None


def _leave(answer: Answer) -> NoReturn:
    sys.stdout.write(answer.out)
    sys.stderr.write(answer.err and f"{answer.err}\n")
    sys.stdout.flush()
    os._exit(answer.status)
