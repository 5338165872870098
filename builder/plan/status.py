"""How guests stand: what is built of them, what runs, how the last rebuild ended; and what to do next.

Facts in, answers out. What this machine cannot know stays unknown, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from builder.plan.estimate import NO_ESTIMATE, Estimate
from builder.plan.journal import Run, Stopped
from builder.plan.recovery import DrillRecord
from builder.plan.steps import Install, title
from builder.profile.model import Guest
from builder.xen.config import boots_installer, run_config_path
from builder.xen.doctor.fact import Fact, Known, Unknown
from builder.xen.readings import Domain

Standing = Literal["never", "under way", "stopped", "cut off", "failed", "done", "given up"]


@dataclass(frozen=True, slots=True)
class BuildSeen:
    """What build/NAME holds. `stale`: why it is not what the profile says now; empty when it is."""

    there: bool
    stale: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was looked at for a guest; `guest` is None where its profile has errors. `at_work`: a run has its lock.

    `estimate`: how long the steps of its last run took before.
    """

    name: str
    guest: Guest | None
    build: Fact[BuildSeen]
    domains: Fact[tuple[Domain, ...]]
    runs: Fact[tuple[Run, ...]]
    drills: Fact[tuple[DrillRecord, ...]]
    at_work: bool = False
    estimate: Estimate = NO_ESTIMATE


@dataclass(frozen=True, slots=True)
class RunSeen:
    """The last run on a guest: at which step it is (from 1) of how many, in words, and since when; or when it ended.

    `left`: seconds until its end, where it is under way and that can be told. `removal`: it takes the guest away.
    """

    standing: Standing
    run: Run | None = None
    step: int = 0
    steps: int = 0
    what: str = ""
    since: datetime | None = None
    left: float | None = None
    removal: bool = False

    @property
    def installs(self) -> bool:
        """The step is the installation."""
        return self.run is not None and self.step > 0 and isinstance(self.run.begun.steps[self.step - 1], Install)

    @property
    def bad(self) -> bool:
        """Somebody has to see to it."""
        return self.standing in {"stopped", "cut off", "failed"}


@dataclass(frozen=True, slots=True)
class GuestStatus:
    """How a guest stands. `good`: the last rebuild that went well; `next`: what to do, in words or command lines."""

    guest: str
    build: Fact[BuildSeen]
    domain: Fact[str]
    last: Fact[RunSeen]
    good: Run | None
    drill: Fact[DrillRecord | None]
    next: tuple[str, ...]

    @property
    def bad(self) -> bool:
        """Its last run needs somebody."""
        return isinstance(self.last, Known) and self.last.value.bad


def status_of(seen: Seen, now: datetime) -> GuestStatus:
    """All of it for one guest."""
    domain = seen.domains.then(lambda domains: _domain(seen, domains))
    last = seen.runs.then(lambda runs: _last(seen, runs, now))
    known = seen.runs.value if isinstance(seen.runs, Known) else ()
    good = next((run for run in reversed(known) if run.state == "done" and not _removes(run)), None)
    drill = seen.drills.then(lambda records: records[-1] if records else None)
    advice = tuple(dict.fromkeys(_advice(seen, domain, last)))
    return GuestStatus(seen.name, seen.build, domain, last, good, drill, advice)


def _domain(seen: Seen, domains: Sequence[Domain]) -> str:
    uuid = seen.guest.domain_uuid if seen.guest else ""
    for domain in domains:
        if domain.preserved == seen.name:
            return f"crashed, kept as domain {domain.domid}"
        if domain.name == seen.name and uuid not in {"", domain.uuid}:
            return f"another one has its name (domain {domain.domid})"
        if domain.name == seen.name or domain.uuid == uuid:
            installs = seen.guest and domain.config and boots_installer(seen.guest, domain.config)
            word = "installing" if installs and domain.state.is_alive else domain.state.word
            return f"{word} (domain {domain.domid})"
    return "off"


def _last(seen: Seen, runs: Sequence[Run], now: datetime) -> RunSeen:
    if not runs:
        return RunSeen("never")
    run = runs[-1]
    steps, number = run.begun.steps, run.next_step
    since = run.records[-1].at if run.records else run.begun.at
    if run.state == "done":
        return RunSeen("done", run, len(steps), len(steps), since=since, removal=_removes(run))
    what = title(steps[number])
    standing: Standing = run.state if run.state != "unfinished" else _cut_off(seen, run)
    begun = run.in_doubt.at if run.in_doubt else since
    left = seen.estimate.left(number, (now - begun).total_seconds()) if standing == "under way" else None
    return RunSeen(standing, run, number + 1, len(steps), what, begun, left, _removes(run))


def _cut_off(seen: Seen, run: Run) -> Standing:
    if seen.at_work:
        return "under way"
    return "stopped" if run.records and isinstance(run.records[-1], Stopped) else "cut off"


def _removes(run: Run) -> bool:
    return not any(isinstance(step, Install) for step in run.begun.steps)


def _advice(seen: Seen, domain: Fact[str], last: Fact[RunSeen]) -> Iterator[str]:
    found = last.value if isinstance(last, Known) else RunSeen("never")
    build = seen.build.value if isinstance(seen.build, Known) else BuildSeen(there=True)
    if found.standing == "under way":
        if found.installs:
            yield f"to look on: xl console -t pv {seen.name}"
        return
    failure = found.run.failure if found.run and found.standing == "failed" else None
    if failure and failure.hint:
        yield failure.hint
    if not build.there or build.stale:
        yield f"domu build {seen.name}"
    if found.bad:
        yield _command(seen.name, found, build)
    elif found.standing == "done" and not found.removal and domain == Known("off") and seen.guest:
        yield f"xl create {run_config_path(seen.guest)}"


def _command(name: str, found: RunSeen, build: BuildSeen) -> str:
    """By which somebody goes on with the last run."""
    if found.removal:
        return f"domu remove {name}"
    if build.stale and found.standing != "failed":
        return f"domu rebuild {name} --anew"
    return f"domu rebuild {name}"


def unknown_here(statuses: Sequence[GuestStatus]) -> tuple[str, ...]:
    """Why something cannot be known, each reason once."""
    facts = [fact for one in statuses for fact in (one.build, one.domain, one.last, one.drill)]
    return tuple(dict.fromkeys(fact.why for fact in facts if isinstance(fact, Unknown)))
