"""What our steps say on the console of an installation, among the installer's own words, and how the two are parted.

Each is a line that looks like the kernel's, with a time of zero, so that nobody takes it for the installer's:
`[    0.000000] domu: GUEST: TEXT` of a step, `[    0.000000] domu-syslog: TEXT` of a log of the installer's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from builder.findings import Finding, Severity

# preseeds/watch.j2 writes the same.
SIGN = "[    0.000000] domu"
FINISHED = "the installation is complete"
FAILED = "steps failed:"
ALIVE = "syslog has"
TOLD = "the logs were told"
# What the stock templates carry into the installer for it (watch.j2, early.j2, late.j2).
_CARRIED = frozenset({"/domu/watch", "/domu/finished", "/domu/early.sh", "/domu/late.sh"})
# A time of the kernel's is padded to five digits before the point: "[%5lu.%06lu] " (kernel/printk/printk.c).
_KERNEL = re.compile(r"\[ {0,4}\d+\.\d{6}\] (?P<text>[^\n]*)\n")
# What may yet become one, or one of _NOT_SAID.
_UNDECIDED = re.compile(r"(?:\[ {0,4}(?:\d+(?:\.\d{0,6}(?:\](?: [^\n]*)?)?)?)?|\[\d{4}-[\d :-]*\]?|\x1b[^A-Za-z]*)\Z")
# Escape sequences, and the time before each line with xenconsoled's --timestamp=guest (daemon/io.c).
_NOT_SAID = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\([A-Z0-9])|[\r\0]|\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] ")
_STEP = re.compile(r"domu: (?P<guest>\S+): (?P<text>.*)")
_LOG = re.compile(r"domu-(?P<name>[a-z]+): (?P<text>.*)")


@dataclass(frozen=True, slots=True)
class Words:
    """The installer's own, a piece of them."""

    text: str


@dataclass(frozen=True, slots=True)
class Signal:
    """What a step of ours says for this guest."""

    guest: str
    text: str


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of the installer's log `name`."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Kernel:
    """A line of the guest's kernel."""

    text: str


Part: TypeAlias = Words | Signal | Logged | Kernel


def signal(guest: str, text: str) -> str:
    """The line on the console, with its end."""
    return f"{SIGN}: {guest}: {text}\n"


class Parting:
    """Parts what the console says, piece by piece; pieces may begin and end anywhere."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> Iterator[Part]:
        """What is in this piece, in order. What may yet become a line of the kernel's is held back."""
        text = self._held + piece
        undecided = _UNDECIDED.search(text)
        end = undecided.start() if undecided else len(text)
        text, self._held = _NOT_SAID.sub("", text[:end]), text[end:]
        begin = 0
        for line in _KERNEL.finditer(text):
            if begin < line.start():
                yield Words(text[begin : line.start()])
            yield _kernel(line["text"])
            begin = line.end()
        if begin < len(text):
            yield Words(text[begin:])


def _kernel(text: str) -> Part:
    if step := _STEP.fullmatch(text):
        return Signal(step["guest"], step["text"])
    if log := _LOG.fullmatch(text):
        return Logged(log["name"], log["text"])
    return Kernel(text)


def kept_logs(console: str) -> dict[str, str]:
    """The parts of the installer's logs that came with its console, by the log's name: syslog, partman."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for part in Parting().feed(console):
        if isinstance(part, Logged):
            found[part.name].append(f"{part.text}\n")
    return {name: "".join(lines) for name, lines in sorted(found.items())}


def check_signals(guest: str, carried: Collection[str]) -> Iterator[Finding]:
    """T108 where the initrd's files (`carried`, by path) lack what tells dom0 how the installation ends."""
    if not set(carried) >= _CARRIED:
        message = "the templates do not tell dom0 when the installation is complete, and domu rebuild waits for that"
        hint = "include watch.j2, early.j2 and late.j2 in the template of your own"
        yield Finding("T108", message, hint, severity=Severity.WARNING, guest=guest)
