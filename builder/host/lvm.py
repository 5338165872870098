"""LVM on this machine: reads what there is."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from builder.errors import BuilderError
from builder.host.run import Runner, run
from builder.storage.facts import StorageFacts, parse_report, report_arguments
from builder.storage.uses import join_uses, parse_mountinfo, parse_swaps


def read_storage(runner: Runner = run, root: Path = Path("/")) -> StorageFacts:
    """Every volume group and volume, and who holds them. `root`: where proc and sys are looked for.

    Raises BuilderError when LVM is not installed, fails, or says what is not known here.
    """
    done = runner(("lvm", *report_arguments()))
    if done.status != 0:
        raise BuilderError(f"LVM could not be read: {done.complaint}", "try: vgs; it takes root")
    return parse_report(done.text).with_uses(_uses(root))


def _uses(root: Path) -> dict[str, tuple[str, ...]]:
    mounts = swaps = ""
    with suppress(FileNotFoundError):
        mounts = (root / "proc/self/mountinfo").read_text(errors="surrogateescape")
        swaps = (root / "proc/swaps").read_text(errors="surrogateescape")
    return join_uses(parse_mountinfo(mounts), dict(map(_swap, parse_swaps(swaps))), _holders(root / "sys/dev/block"))


def _swap(path: str) -> tuple[str, tuple[str, ...]]:
    with suppress(OSError):
        number = Path(path).stat().st_rdev
        return f"{os.major(number)}:{os.minor(number)}", ("in use as swap",)
    return "", ()


def _holders(devices: Path) -> dict[str, tuple[str, ...]]:
    """Device mapper targets, md arrays and the like that are made of a device."""
    found = {}
    for device in devices.iterdir() if devices.is_dir() else ():
        held = sorted(holder.name for holder in (device / "holders").glob("*"))
        if held:
            found[device.name] = tuple(f"part of {name}" for name in held)
    return found
