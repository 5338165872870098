"""The hardware of the stage, in one JSON file under a lock: domains, volumes, what was ordered to go wrong.

Standard library only, for the scripted programs start often. Facts are as Xen 4.17 and LVM 2.03.16 have them: a domain
holds its disks open and takes memory, a volume keeps its UUID and what is on it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

State = dict[str, Any]
# Seconds, real ones: what takes minutes on a dom0.
SHUTDOWN = 0.1


@contextmanager
def opened(stage: Path) -> Iterator[State]:
    """The state, for this process alone; what was changed in it is kept."""
    with (stage / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state: State = json.loads((stage / "state.json").read_text())
        before = json.dumps(state)
        _let_time_pass(state)
        yield state
        after = json.dumps(state)
        if after != before:
            new = stage / f"state.{os.getpid()}"
            new.write_text(after)
            new.rename(stage / "state.json")


def _let_time_pass(state: State) -> None:
    """Domains that were shut down are gone after their time; xl's own watcher of a domain sees to it."""
    over = [one for one in state["domains"] if one["ends"] is not None and time.time() >= one["ends"]]
    for domain in over:
        state["domains"].remove(domain)


def find(state: State, word: str) -> State | None:
    """A domain by number or name."""
    named = (one for one in state["domains"] if word in (str(one["domid"]), one["name"]))
    return next(named, None)


def is_open(state: State, path: str) -> bool:
    """Whether a domain, or what a test ordered, holds the volume GROUP/NAME."""
    held: list[str] = state["orders"].get("held", [])
    return path in held or any(path in domain["disks"] for domain in state["domains"])


def free_memory(state: State) -> int:
    """MiB."""
    return int(state["memory"]) - sum(int(domain["memory"]) for domain in state["domains"])


def free_extents(state: State, group: str) -> int:
    total = int(state["groups"][group]["vg"]["vg_extent_count"])
    return total - sum(extents(one["row"]) for one in of_group(state, group) if not one["row"]["pool_lv"])


def of_group(state: State, group: str) -> list[State]:
    return [one for path, one in state["volumes"].items() if path.partition("/")[0] == group]


def extents(row: State) -> int:
    return int(row["lv_size"]) >> 22
