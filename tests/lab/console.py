"""A guest's console as xenconsoled keeps it in dom0, read until a line comes, with a limit."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from tests.lab.dom0 import Lab

_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What was waited for: the name of the pattern, its line, and when; name "" when the limit came first."""

    name: str
    line: str
    seconds: float
    text: str


def console_log(guest: str) -> str:
    """Its file in dom0."""
    return f"/var/log/xen/console/guest-{guest}.log"


def forget(lab: Lab, guest: str) -> None:
    """Empty the log, so that the next boot's lines are its own."""
    lab.run(f": >{console_log(guest)}")


def wait_for(lab: Lab, guest: str, patterns: dict[str, str], limit: float) -> Seen:
    """Until a line matches one of the patterns (the first named wins), or the domain is gone ("gone"), or the limit."""
    begin = time.monotonic()
    while True:
        answer = lab.ask(f"xl domid {guest} >/dev/null 2>&1; echo $?; cat {console_log(guest)} 2>/dev/null")
        alive, _, raw = answer.out.partition("\n")
        text = plain(raw)
        seconds = time.monotonic() - begin
        for name, pattern in patterns.items():
            if found := re.search(rf"^.*(?:{pattern}).*$", text, re.MULTILINE):
                return Seen(name, found[0].strip(), seconds, text)
        if alive != "0":
            return Seen("gone", _last(text), seconds, text)
        if seconds > limit:
            return Seen("", _last(text), seconds, text)
        time.sleep(_PAUSE)


def plain(raw: str) -> str:
    """Without a terminal's control sequences, as lines."""
    text = re.sub(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Za-z0-9]|[=>78])", "", raw)
    return re.sub(r"\r+\n?", "\n", text)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
