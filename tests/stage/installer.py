"""The stage's installer: works behind all programs' backs, writes a console as the text frontend does, and ends its domain.

The orders (`installer`) let it wait at a question, give up, say nothing more, crash, or end without its last word.
"""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread

from tests.stage.hardware import State, find, opened

INTERVAL = 0.02
_BOOT = """\
[    0.000000] Linux version 6.12.107+deb13-amd64 (debian-kernel@lists.debian.org)
[    0.511223] Run /init as init process
Starting system log daemon: syslogd, klogd.
"""
_STAGES = (
    "Detecting hardware to find installation media",
    "Loading additional components",
    "Detecting network hardware",
    "Configuring the network with DHCP",
    "Checking the Debian archive mirror",
    "Starting up the partitioner",
    "Installing the base system",
    "Configuring apt",
    "Select and install software",
    "Installing GRUB boot loader",
    "Finishing the installation",
)
QUESTION = """\

Choose a mirror of the Debian archive
-------------------------------------

Please select a Debian archive mirror. You should use a mirror in your
country or region if you do not know which mirror has the best Internet
connection to you.

Debian archive mirror:
  1: mirror.example.org [*]    2: information manually
Prompt: '?' for help, default=1> """
_OFF = "[  999.000000] reboot: Power off not available: System halted instead\n"


def start(stage: Path, state: State, domain: State) -> None:
    """Let it run in the background."""
    name, disk = domain["name"], domain["disks"][0]
    state["installs"].setdefault(name, {"begun": 0, "finished": 0})["begun"] += 1
    state["volumes"][disk]["content"] = "half a system"
    order = (state["orders"].get("installer") or ["well"])[0]
    if len(state["orders"].get("installer", [])) > 1:
        state["orders"]["installer"].pop(0)
    Thread(target=_run, args=(stage, domain["domid"], name, disk, order), daemon=True).start()


def _run(stage: Path, number: int, name: str, disk: str, order: str) -> None:
    while not _lives(stage, number):  # until xl create has let go of the state
        time.sleep(INTERVAL)
    log = stage / f"root/var/log/xen/console/guest-{name}.log"
    with log.open("a", buffering=1) as console:
        console.write(_BOOT)
        for title in _STAGES:
            if title.startswith("Checking") and order == "question":
                console.write(QUESTION)
                console.flush()
                return
            console.write(f"{title}  ")
            for percent in (20, 60, 100):
                time.sleep(INTERVAL / 2)
                console.write(f"... {percent}%")
                console.flush()
                if not _lives(stage, number):
                    return
            console.write("\n")
            if title.startswith("Installing the base") and order in {"stuck", "crash", "no end", "mirror"}:
                _stop(stage, number, order, disk)
                return
        with opened(stage) as state:
            if not find(state, str(number)):
                return
            console.write(state["markers"][name])
            console.write(_OFF)
            state["volumes"][disk]["content"] = f"a system, installation {state['installs'][name]['begun']}"
            state["installs"][name]["finished"] += 1
            _end(state, number)


def _lives(stage: Path, number: int) -> bool:
    with opened(stage) as state:
        domain = find(state, str(number))
        return bool(domain and domain["made"])


def _end(state: State, number: int) -> None:
    domain = find(state, str(number))
    if domain:
        domain["ends"] = time.time()


def _stop(stage: Path, number: int, order: str, disk: str) -> None:
    """Not as it should."""
    with opened(stage) as state:
        domain = find(state, str(number))
        if domain and order == "crash":
            kept = f"{domain['name']}-{time.strftime('%Y%m%dT%H%MZ', time.gmtime())}"
            domain |= {"name": kept, "uuid": "9dd407fd-75ff-439a-9c83-1b7b7604b1db", "state": "---sc-"}
        elif order == "no end":
            _end(state, number)
