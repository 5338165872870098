"""What lies in the stage's bin/: one program under many names, which logs its call, may kill who called it, and acts.

The program itself is a few lines of bash that ask a process which plays them all: started often, it has to be quick.

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
from contextlib import suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import TypeAlias

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
        state["hooks"].append(list(words))
    return Answer(int(state["orders"].get("hook", 0)))


READING: Mapping[tuple[str, ...], Program] = {
    ("xl", "list"): xl.list_domains,
    ("xl", "info"): xl.info,
    ("xl", "dmesg"): xl.dmesg,
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


def play(stage: Path, argv: Sequence[str], caller: int, env: Mapping[str, str]) -> Answer:
    """Be the program argv[0], which the process `caller` started with `env`."""
    said = _ordered_words(stage, argv)
    reading = READING.get(tuple(argv[:2])) or READING.get(tuple(argv[:1]))
    changing = CHANGING.get(tuple(argv[:2])) or CHANGING.get(tuple(argv[:1]))
    if said is not None or reading:
        _log(stage, argv, 0)
        return said or (reading or _nobody)(stage, argv[1:], lambda: None)
    if changing is None:
        _log(stage, argv, -1)
        return _nobody(stage, argv, lambda: None)
    order = _count(stage, argv)
    if order == "before":
        raise CutOffError(caller)

    def half() -> None:
        if order == "half":
            raise CutOffError(caller)
        if order == "orphan":
            os.kill(caller, signal.SIGKILL)
            time.sleep(0.1)

    words = [*argv[1:], env.get("DOMU_AGAIN", "")] if changing is _hook else argv[1:]
    answer = changing(stage, words, half)
    if order == "after":
        raise CutOffError(caller)
    return answer


class CutOffError(Exception):
    """The program ends here, and its caller is killed."""

    def __init__(self, caller: int) -> None:
        super().__init__(str(caller))
        os.kill(caller, signal.SIGKILL)


def _nobody(_stage: Path, argv: Sequence[str], _half: Half) -> Answer:
    return Answer(127, err=f"the stage has no such program: {' '.join(argv)}")


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
    with opened(stage) as state:
        orders = state["orders"].get("say", {})
    line = " ".join(argv)
    for begin, (status, out, err) in orders.items():
        if line.startswith(begin):
            return Answer(status, out, err)
    return None


class _Call(StreamRequestHandler):
    """One program: its caller, environment and arguments, each with a NUL behind it; then its status, errors, output."""

    def handle(self) -> None:
        count, caller, again, stage, *argv = (self._word() for _ in range(5))
        argv += [self._word() for _ in range(int(count))]
        try:
            answer = play(Path(stage), argv, int(caller), {"DOMU_AGAIN": again})
        except CutOffError:
            answer = Answer(1)
        said = " ".join(answer.err.split("\n"))
        with suppress(ConnectionError):  # the program was killed, too
            self.wfile.write(f"{answer.status}\n{said}\n{answer.out}".encode())

    def _word(self) -> str:
        found = bytearray()
        while (sign := self.rfile.read(1)) != b"\0":
            if not sign:
                raise EOFError
            found += sign
        return found.decode()


class Server(ThreadingTCPServer):
    """What all programs of all stages ask, on a port of the loopback."""

    daemon_threads = True
    request_queue_size = 64


def main() -> None:
    """Serve until standard input ends."""
    with Server(("127.0.0.1", 0), _Call) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
