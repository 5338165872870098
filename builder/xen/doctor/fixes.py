"""Safe mends as values: which files change and how, which commands follow, how to take it back, what is left.

None of them restarts a guest or the network. `builder.host.dom0` carries them out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """A file's new content; `before` is what it must hold now, None where it is not there yet."""

    path: str
    before: str | None
    after: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Fix:
    """One mend: `name` for choosing it, `does` for people, then folders, edits and commands in this order."""

    name: str
    does: str
    folders: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    undo: tuple[str, ...] = ()
    left: str = ""


def edit_undo(edit: Edit) -> str:
    """The line that takes an edit back; the old file is kept beside the new one."""
    return f"mv {kept_as(edit.path)} {edit.path}" if edit.before is not None else f"rm {edit.path}"


def kept_as(path: str) -> str:
    """Where the old file is kept: no folder of parts (grub.d, logrotate.d) reads a file of this ending."""
    return f"{path}.before-domu"
