"""Carries a doctor's fix out: folders, files with the old ones kept beside, commands; stops at the first that fails."""

from __future__ import annotations

from pathlib import Path

from builder.errors import BuilderError
from builder.host.dom0.reading import below
from builder.host.files import write_atomic
from builder.host.run import Runner, as_line
from builder.progress import Progress
from builder.xen.doctor.fixes import Edit, Fix, kept_as

_LONGEST = 900.0  # seconds for a command: apt-get fetches


def carry_out(fix: Fix, *, runner: Runner, root: Path, progress: Progress) -> None:
    """Do all of it, saying each step. BuilderError names what failed; what was done before stays."""
    for folder in fix.folders:
        _make(below(root, folder), progress)
    for edit in fix.edits:
        _change(edit, root, progress)
    for command in fix.commands:
        progress.say(f"run {as_line(command)}")
        done = runner(command, limit=_LONGEST, env={"DEBIAN_FRONTEND": "noninteractive"})
        if done.status != 0:
            raise BuilderError(f"{as_line(command)} failed: {done.complaint}", "run it by hand to see more")


def _make(path: Path, progress: Progress) -> None:
    if not path.is_dir():
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise BuilderError(f"{path} cannot be made: {error.strerror}", "run it as root") from error
        progress.say(f"made {path}")


def _change(edit: Edit, root: Path, progress: Progress) -> None:
    """The file must still be what the fix was made for."""
    path, kept = below(root, edit.path), below(root, kept_as(edit.path))
    try:
        now = path.read_text(errors="surrogateescape") if path.exists() else None
        if now != edit.before:
            raise BuilderError(f"{edit.path} was changed meanwhile", "run domu doctor again")
        mode = path.stat().st_mode & 0o7777 if now is not None else edit.mode
        if now is not None:
            write_atomic(kept, now.encode(errors="surrogateescape"), mode=mode)
        write_atomic(path, edit.after.encode(errors="surrogateescape"), mode=mode)
    except OSError as error:
        raise BuilderError(f"{edit.path} cannot be changed: {error.strerror}", "run it as root") from error
    progress.say(f"wrote {edit.path}" + (f", the old one is {kept_as(edit.path)}" if now is not None else ""))
