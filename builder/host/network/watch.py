"""Takes a change back that nobody confirms: a process of its own, which a lost terminal does not end."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

from builder.errors import BuilderError
from builder.host.network.act import Hands, take_back
from builder.host.network.journal import BusyError, Journal, Phase, Trial
from builder.host.network.look import LIMIT
from builder.host.run import Runner, start_detached

_STEP = 0.2  # seconds between looks at the journal
_SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)
_OWN, _FIRST = Path("/proc/self/ns/net"), Path("/proc/1/ns/net")
_MAIN = "from builder.cli import main; main()"


def start_watcher(runner: Runner, journal: Journal, trial: Trial) -> None:
    """Start it and see that it lives; BuilderError when it does not, and then nothing may be touched.

    Where systemd runs, it is a unit: logind may end a session's processes with the session (logind.conf(5),
    KillUserProcesses). In another network namespace it is a process of its own session.
    """
    argv = [sys.executable, "-I", "-c", _MAIN, "network", "watch", trial.id, "--root", str(journal.root)]
    log = journal.folder / "watcher.log"
    if _SYSTEMD.is_dir() and _OWN.readlink() == _FIRST.readlink():
        unit = f"domu-network-{trial.id}"
        done = runner(
            ["systemd-run", f"--unit={unit}", "--collect", "--quiet", "--service-type=exec", *argv], limit=LIMIT
        )
        if done.status:
            raise BuilderError(
                f"systemd does not start what would take the change back: {done.complaint}",
                "nothing was changed; look at: systemctl status; journalctl --boot",
            )
    else:
        start_detached(argv, log=log)
    end = time.monotonic() + LIMIT
    while not journal.is_watched(trial.id):
        if time.monotonic() > end:
            raise BuilderError("what would take the change back did not start", f"see {log}")
        time.sleep(_STEP / 4)


def watch(hands: Hands, trial_id: str) -> None:
    """Wait until the trial is over, its time is up, or whoever applies it is gone; then take it back.

    The time runs from the start, before the first step. Whatever else happens, this ends with the trial's end.
    """
    journal = hands.journal
    with journal.watching(trial_id):
        trial = journal.trial()
        end = time.monotonic() + (trial.within if trial else 0)
        while trial and trial.id == trial_id and trial.phase != "confirmed":
            if trial.phase == "applying":
                with suppress(BusyError), journal.locked():
                    _back(hands, trial_id, "applying", "whoever applied it is gone")
            elif time.monotonic() >= end:
                with journal.locked(wait=True):
                    _back(hands, trial_id, "waiting", f"it was not confirmed within {trial.within} s")
            time.sleep(_STEP)
            trial = journal.trial()


def _back(hands: Hands, trial_id: str, phase: Phase, reason: str) -> None:
    """Unless it was confirmed, or went on or ended otherwise, while we waited for the lock."""
    trial = hands.journal.trial()
    if trial and trial.id == trial_id and trial.phase == phase:
        take_back(hands, trial, reason)
