"""What a run does that finds the journal of another: begin, go on, or refuse; and what of a step in doubt is left.

Facts in, decisions out. A step is in doubt when it was begun and nobody wrote down how it ended.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from builder.findings import Finding, Severity
from builder.plan.journal import Run, Started
from builder.plan.rebuild import Build
from builder.plan.steps import Install, Step, title
from builder.profile.model import Guest
from builder.xen.config import boots_installer
from builder.xen.readings import Domain

# An installation that a mirror or DHCP failed is tried again, as is one that was cut short.
ATTEMPTS = 3
# What a step's failure is called when it was no verdict on an installation.
TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Begin:
    """A new run; `gives_up`: one that was not over and is given up for it."""

    gives_up: Run | None = None


@dataclass(frozen=True, slots=True)
class GoOn:
    """The steps of this run that are left."""

    run: Run


Choice: TypeAlias = Begin | GoOn | Finding


def choose(guest: str, runs: Sequence[Run], build: Build | None, *, anew: bool = False) -> Choice:
    """Whether the last run on a guest is gone on with.

    One that was cut off is, with what it began with or not at all. One that failed is where the installation or a
    later step failed and nothing was changed since. Else all is planned again, for then nothing is lost; so it is where
    no step was begun.
    """
    last = runs[-1] if runs else None
    if last is None or last.state in {"done", "given up"}:
        return Begin()
    if anew or (last.state == "unfinished" and not any(isinstance(one, Started) for one in last.records)):
        return Begin(gives_up=last)
    same = build is not None and not build.stale and build.key == last.begun.key
    if last.state == "failed":
        return GoOn(last) if same and _installs(last.begun.steps[: last.next_step + 1]) else Begin(gives_up=last)
    if not _installs(last.begun.steps):
        message = f"its removal, run {last.id}, was cut off at step {last.next_step + 1} of {len(last.begun.steps)}"
        hint = f"domu remove {guest} goes on with it; domu rebuild {guest} --anew installs it instead"
        return Finding("G112", message, hint, guest=guest)
    if not same:
        where = f"it was at step {last.next_step + 1} of {len(last.begun.steps)}"
        message = f"run {last.id} was cut off, {where}, and what is built was changed since"
        return Finding("G112", message, f"to begin again: domu rebuild {guest} --anew", guest=guest)
    return GoOn(last)


def run_name(now: datetime, taken: Collection[str], family: str = "") -> str:
    """A name for a new run, by the date: 20261123T034500Z, with a number behind it where that is taken.

    `family`: another first part instead of the date.
    """
    name = family or f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    names = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    return next(one for one in names if one not in taken)


def _installs(steps: Sequence[Step]) -> bool:
    return any(isinstance(step, Install) for step in steps)


Way = Literal["create", "watch", "wait", "destroy", "installed?"]


def way_to_install(guest: Guest, domain: Domain | None, *, begun: bool) -> Way:
    """What to do about the installation. `begun`: this attempt was, and nobody knows how it ended.

    `domain`: that of the guest's UUID, or one that crashed as this guest. destroy: then look again. wait: xl is still
    making it. installed?: what was installed runs, if the console has the marker; destroy it if it has not.
    """
    if not begun:
        return "create" if domain is None else "destroy"
    if domain is None or not domain.state.is_alive:
        return "watch"  # the console tells how it ended
    if domain.config is None:
        return "wait"
    return "watch" if boots_installer(guest, domain.config) else "installed?"


WayToStart = Literal["create", "runs", "wait", "destroy", "refuse"]


def way_to_start(guest: Guest, domain: Domain | None) -> WayToStart:
    """What to do so that the installed guest runs. wait: xl is still making it; refuse: it is the installer."""
    if domain is None:
        return "create"
    if not domain.state.is_alive:
        return "destroy"
    if domain.config is None:
        return "wait"
    return "refuse" if boots_installer(guest, domain.config) else "runs"


def asks_for_login(guest: str, console: str) -> bool:
    """Whether an installed system has come to its login prompt, going by what it said on its console."""
    return re.search(rf"^{re.escape(guest)} login:", console.replace("\r", ""), re.MULTILINE) is not None


def unfinished_note(guest: str, runs: Sequence[Run]) -> Finding | None:
    """What a plan leaves out: the rest of a run that is not over, which the same command would do instead."""
    last = runs[-1] if runs else None
    if last is None or last.state != "unfinished" or not _installs(last.begun.steps):
        return None
    where = f"at step {last.next_step + 1} of {len(last.begun.steps)}, {title(last.begun.steps[last.next_step])}"
    message = f"run {last.id} is not over: it is {where}; the plan is for a new run"
    hint = f"domu rebuild {guest} goes on with it, domu rebuild {guest} --anew does as planned"
    return Finding("G114", message, hint, severity=Severity.NOTE, guest=guest)


def weigh(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """What came of the comparison with the profile: that it could not be made (W102) does not fail a rebuild."""
    return tuple(replace(one, severity=Severity.WARNING) if one.code == "W102" else one for one in findings)


def may_try_again(attempts: int, *, transient: bool) -> bool:
    """Whether an installation that failed is begun once more, after so many attempts."""
    return transient and attempts < ATTEMPTS


def pause_before(attempt: int) -> float:
    """Seconds before this attempt, for a mirror to come back."""
    return 60.0 * (attempt - 1)
