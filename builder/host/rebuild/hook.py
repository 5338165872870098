"""Programs of a profile's `after`, run in dom0; never two of one guest at once, even when domu itself was killed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from builder.host.run import run_logged


def run_hook(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    limit: float,
    log: Path,
    lock: Path,
    pause: Callable[[float], None],
) -> int:
    """Run it to its end and return its exit status; what it says goes to `log`.

    Waits, by `pause`, while a program that an earlier run began is still at work: that one has the lock. BuilderError
    when it cannot be started or takes longer than `limit` seconds.
    """
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while not _locked(handle):
            pause(1.0)
        return run_logged(argv, log=log, pause=pause, limit=limit, env=env, held=handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
