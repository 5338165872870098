"""Whether xenconsoled keeps what guests say, as its arguments tell; without that no installation can be watched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from builder.findings import Finding

CONSOLES = "/var/log/xen/console"


@dataclass(frozen=True, slots=True)
class Keeping:
    """`folder` of the guests' logs, empty where they are not kept; then `why` tells the reason."""

    folder: str
    why: str = ""

    usual: ClassVar[str] = CONSOLES


USUAL = Keeping(CONSOLES)


def logs_guests(words: Sequence[str]) -> bool:
    """Whether xenconsoled with these arguments keeps guests' consoles (tools/console/daemon/main.c)."""
    pairs = [*words, ""]
    return any(
        word in {"--log=guest", "--log=all"} or (word == "--log" and pairs[at + 1] in {"guest", "all"})
        for at, word in enumerate(words)
    )


def log_folder(words: Sequence[str]) -> str:
    """Where it keeps them."""
    pairs = [*words, ""]
    given = [word.removeprefix("--log-dir=") for word in words if word.startswith("--log-dir=")]
    given += [pairs[at + 1] for at, word in enumerate(words) if word == "--log-dir"]
    return given[-1] if given else CONSOLES


def judge_keeping(words: Sequence[str] | None) -> Keeping:
    """From the arguments of the xenconsoled that runs; None: none does."""
    if words is None:
        return Keeping("", "xenconsoled does not run")
    if not logs_guests(words):
        return Keeping("", "xenconsoled does not keep guests' consoles (it was started without --log=guest)")
    return Keeping(log_folder(words))


def check_keeping(keeping: Keeping, guest: str) -> Iterator[Finding]:
    """G110 where an installation could not be watched."""
    if not keeping.folder:
        message = f"the installation of {guest} could not be watched: {keeping.why}"
        yield Finding(
            "G110", message, "domu doctor --fix; then, when nobody is at a console: service xen restart", guest=guest
        )
