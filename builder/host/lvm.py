"""LVM on this machine: reads what there is, and carries out the steps of a storage plan."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding
from builder.host.run import LIMIT, Completed, Runner, as_line, run
from builder.progress import Progress
from builder.storage.facts import StorageFacts, parse_report, report_arguments
from builder.storage.stale import why_stale
from builder.storage.steps import Command, RemoveVolume, Step, commands_of, describe, path_of
from builder.storage.uses import join_uses, parse_mountinfo, parse_swaps

# Seconds. Zeros at 100 MB/s fill 8 TB in a day; a file system of that size takes minutes.
_LIMITS = {"blkdiscard": 86_400.0, "mkfs.ext4": 3_600.0, "mkfs.xfs": 3_600.0}
_PACKAGES = {"mkfs.ext4": "e2fsprogs", "mkfs.xfs": "xfsprogs"}


def read_storage(runner: Runner = run, root: Path = Path("/")) -> StorageFacts:
    """Every volume group and volume, and who holds them. `root`: where proc and sys are looked for.

    Raises BuilderError when LVM is not installed, fails, or says what is not known here.
    """
    done = runner(("lvm", *report_arguments()))
    if done.status != 0:
        raise BuilderError(f"LVM could not be read: {_complaint(done)}", "try: vgs; it takes root")
    return parse_report(done.text).with_uses(_uses(root))


def settle(runner: Runner = run) -> None:
    """Wait until udev has looked at the volumes that changed (udevadm(8)).

    While it does, they count as open, and behind lvcreate the link below /dev may be missing: seen on a slow dom0.
    """
    with suppress(BuilderError):  # no udev, no wait
        runner(("udevadm", "settle", "--timeout=30"))


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


def carry_out(steps: Sequence[Step], *, progress: Progress, runner: Runner = run, root: Path = Path("/")) -> None:
    """Carry the steps out in order, each only when what it is about is still what the plan saw.

    Raises RefusalError (V120) before a step that no longer fits, BuilderError when a command fails or a program that
    will be needed is not installed. What was done by then stays, and a new plan goes on from there.
    """
    for program in sorted({command[0] for step in steps for command in commands_of(step)} & _PACKAGES.keys()):
        _need(program, runner)
    for step in steps:
        settle(runner)
        if reason := why_stale(step, read_storage(runner, root)):
            finding = Finding("V120", reason, "look at the new plan: domu volumes plan", guest=step.guest)
            raise RefusalError(f"{path_of(step)} changed since the plan was made", [finding])
        progress.say(describe(step))
        for command in commands_of(step):
            _run(command, runner)
        if isinstance(step, RemoveVolume) and read_storage(runner, root).find(step.target.group, step.target.name):
            # lvremove --select ends well, too, when nothing is selected.
            raise BuilderError(f"{step.target.path} is still there", "look at it with: lvs --options +lv_tags")


def _need(program: str, runner: Runner) -> None:
    """Better before the first volume is made than behind it."""
    try:
        runner((program, "-V"))
    except BuilderError as error:
        raise BuilderError(error.message, f"nothing was touched; apt-get install {_PACKAGES[program]}") from error


def _complaint(done: Completed) -> str:
    """What LVM said, without its notes and warnings."""
    lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines()]
    said = [line for line in lines if line and not line.startswith(("Run `", "WARNING:", "File descriptor"))]
    return "; ".join(said) or done.complaint


def _run(command: Command, runner: Runner) -> None:
    if command[-1].startswith("/dev/"):
        settle(runner)
    done = runner(command, limit=_LIMITS.get(command[0], LIMIT))
    if done.status != 0:
        hint = f"when it is mended, run this again: it goes on from there. The command was: {as_line(command)}"
        raise BuilderError(f"{command[0]} failed: {_complaint(done)}", hint)
