"""`domu rebuild --drill`: guests rebuilt as stand-ins, on volumes and a bridge that are thrown away; looked at, timed.

Nothing of a drill outlives it but its record and what it said: what a drill that was killed left, the next command
clears away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Findings, Severity
from builder.host.clock import Clock
from builder.host.drill_bridge import check_place, make_bridge, remove_bridge
from builder.host.drills import add_record, alone, mark, marked, unmark
from builder.host.files import remove_folder
from builder.host.rebuild.answers import port_answers
from builder.host.rebuild.domains import destroy_domain
from builder.host.rebuild.journal import open_journal
from builder.host.site import Site, load
from builder.host.xl import list_domains, look_for_xen
from builder.plan import drill as planned
from builder.plan.drill import BRIDGE, CACHER_PORT, StandIn, stand_ins, with_stand_ins
from builder.plan.recovery import DrillRecord, Outcome, record_line
from builder.plan.remove import plan_remove
from builder.plan.steps import title
from builder.profile.dom0 import Drill
from builder.profile.load import LoadedSite
from builder.progress import Silence, Stages
from builder.workflows.bench import Bench
from builder.workflows.build import BuildOrder, build
from builder.workflows.check import choose
from builder.workflows.rebuild import RebuildOrder, propose, rebuild
from builder.workflows.rebuild_guest import GuestEnd
from builder.workflows.remove import carry_out, look
from builder.workflows.render import guest_of

# Findings of a guest that nobody could ask.
_UNASKED = {"W102", "W103"}
# Builds the artefacts of these guests of the site.
Make = Callable[[Site, tuple[str, ...]], None]


@dataclass(frozen=True, slots=True)
class DrillProposal:
    """Who is drilled, as whom, and where; refused where one of them cannot be."""

    stand_ins: tuple[StandIn, ...]
    drill: Drill
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """At least one finding is an error."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


@dataclass(frozen=True, slots=True)
class DrillEnd:
    """A record for each guest, and what could not be cleared away, in words."""

    records: tuple[DrillRecord, ...]
    left: tuple[str, ...]
    stopped: bool = False

    @property
    def ok(self) -> bool:
        """All came back, none otherwise than its profile says as far as is known, and nothing is left."""
        fine = all(one.outcome in {"passed", "unasked"} for one in self.records)
        return fine and not self.left and not self.stopped


def propose_drill(site: Site, names: Sequence[str], bench: Bench) -> DrillProposal:
    """Look whether these guests, or all, can be drilled here; touches nothing.

    BuilderError off a dom0, RefusalError for an unsound profile.
    """
    presence = look_for_xen(bench.root)
    if not presence.dom0:
        raise BuilderError(f"this machine is no dom0: {presence.why}", "run it on the dom0 that has the guests")
    loaded = load(site)
    guests = [guest_of(loaded, name) for name in choose(loaded, names)]
    made, found = stand_ins(guests, loaded.dom0.drill, loaded.guests)
    findings = Findings()
    findings.extend(found)
    for one in made:
        findings.extend(_strangers(one, bench))
    return DrillProposal(made, loaded.dom0.drill, tuple(findings))


def _strangers(one: StandIn, bench: Bench) -> Iterator[Finding]:
    """What of the stand-in's name is not a drill's. Its own, which an earlier drill left, is cleared away first."""
    plan = plan_remove(one.guest, look(one.guest, bench.runner, bench.root))
    codes = {finding.code for finding in plan.findings}
    # A domain of a drill that is paused, dying or crashed is destroyed, and lets go of its volumes.
    own = {"G104", "G105", "G106", "V107"} if codes & {"G104", "G105"} else set()
    yield from (finding for finding in plan.findings if finding.code not in own)


def drill(site: Site, proposal: DrillProposal, bench: Bench, *, make: Make | None = None) -> DrillEnd:
    """Drill the guests that were proposed, together as a rebuild of them would go, and clear all of it away.

    RefusalError before anything is made: where the proposal refuses, or another drill is under way (G148).
    """
    if proposal.refused:
        raise RefusalError("nothing was touched", proposal.findings, "mend the errors above")
    seen = replace(site, view=partial(_seen, proposal.stand_ins))
    names = tuple(one.of for one in proposal.stand_ins)
    with alone(bench.root):
        if marked(bench.root) and (left := _clear(site, bench)):
            raise BuilderError(f"an earlier drill is in the way: {left[0]}", "clear it away by hand, then run it again")
        check_place(BRIDGE, proposal.drill.subnet, bench.runner)
        mark(bench.root, names)
        try:
            records = tuple(_carry_out(seen, proposal, bench, make or partial(_build, bench=bench)))
            for record in records:
                add_record(bench.root, record.guest, record_line(record))
        finally:
            left = _clear(site, bench)
    return DrillEnd(records, left, bench.clock.stop.is_set())


def _carry_out(seen: Site, proposal: DrillProposal, bench: Bench, make: Make) -> Iterator[DrillRecord]:
    """Bridge, builds, installations, which end with a look at each guest that came back.

    A drill counts once its guests are begun: what refuses or fails before is raised. One that is stopped leaves none.
    """
    of = {one.guest.name: one for one in proposal.stand_ins}
    make_bridge(planned.make_bridge(proposal.drill), bench.runner)
    _need_cacher(proposal.drill)
    make(seen, tuple(of))
    order = RebuildOrder(tuple(of), anew=True)
    found = propose(seen, order, environment=bench.environment, runner=bench.runner, root=bench.root)
    end = rebuild(seen, found, tuple(of), bench)
    now = bench.clock.now()
    for one in end.guests:
        stand_in = of[one.run.begun.guest]
        if one.run.state == "failed":
            step = title(one.run.begun.steps[one.run.next_step])
            yield _record(stand_in, one, "failed", now, (f"{step}: {one.message}", f"kept: {one.folder}"))
        elif one.run.state == "done":
            texts = tuple(f"{found.code}: {found.message}" for found in one.findings)
            unasked = any(found.code in _UNASKED for found in one.findings)
            yield _record(stand_in, one, "differs" if not one.ok else "unasked" if unasked else "passed", now, texts)


def _record(one: StandIn, end: GuestEnd, outcome: Outcome, now: datetime, findings: tuple[str, ...]) -> DrillRecord:
    times = [(title(step), end.run.seconds_of(number)) for number, step in enumerate(end.run.begun.steps)]
    steps = tuple((what, seconds) for what, seconds in times if seconds is not None)
    return DrillRecord(one.of, now, outcome, sum(took for _, took in steps), steps, one.differs, findings)


def _seen(made: tuple[StandIn, ...], loaded: LoadedSite) -> LoadedSite:
    return with_stand_ins(loaded, made)


class _Spoken(Silence):
    """What a build says, without the bars of its downloads: those of the guests are there."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    def say(self, text: str) -> None:
        """Pass it on."""
        self._stages.say(text)


def _build(site: Site, names: tuple[str, ...], *, bench: Bench) -> None:
    for name in names:
        bench.progress.stage(name, "build")
    spoken = _Spoken(bench.progress)
    build(site, BuildOrder(names), progress=spoken, now=bench.clock.now(), environment=bench.environment)


def _need_cacher(drill: Drill) -> None:
    """An installation takes half an hour to find out that nobody answers."""
    if drill.proxy == "auto" and not port_answers(str(drill.own.ip), CACHER_PORT, greets=False):
        message = f"no apt-cacher answers at {drill.own.ip}:{CACHER_PORT}, where installers of a drill ask"
        raise BuilderError(message, "install apt-cacher-ng on dom0, or write drill.proxy into profiles/dom0.yaml")


def clear_away(site: Site, bench: Bench) -> tuple[str, ...]:
    """What a drill that was killed left goes, if there was one and none is under way. Returns what could not."""
    if not marked(bench.root):
        return ()
    with suppress(RefusalError), alone(bench.root):
        bench.progress.say(f"a drill was cut off, and is cleared away: {', '.join(marked(bench.root))}")
        return _clear(site, bench)
    return ()


def _clear(site: Site, bench: Bench) -> tuple[str, ...]:
    """All of the marked drill; the mark last, and only when nothing else is left. A stop of the run does not count."""
    calm = replace(bench, clock=Clock())
    loaded = load(site)
    left = []
    for name in marked(bench.root):
        try:
            guest = guest_of(loaded, name)
            made, _ = stand_ins([guest], loaded.dom0.drill, ())
            for one in made:
                _clear_one(site, one, calm)
        except BuilderError as error:
            reasons = [finding.message for finding in error.findings] if isinstance(error, RefusalError) else []
            left.append(f"{planned.stand_in_name(name)}: {'; '.join([error.message, *reasons])}")
    try:
        remove_bridge(BRIDGE, planned.remove_bridge(), bench.runner)
    except BuilderError as error:
        left.append(error.message)
    if not left:
        unmark(bench.root)
    return tuple(left)


def _clear_one(site: Site, one: StandIn, bench: Bench) -> None:
    """Its domain whatever it does, also one that crashed and was kept; then as any guest is removed, and its build."""
    name = one.guest.name
    for domain in list_domains(bench.runner):
        if domain.uuid == one.guest.domain_uuid or domain.preserved == name:
            destroy_domain(bench.runner, bench.clock, domain.uuid)
    with open_journal(bench.root, name) as journal:
        plan = plan_remove(one.guest, look(one.guest, bench.runner, bench.root))
        if plan.refused:
            raise RefusalError("nothing of it was removed", plan.findings)
        if plan.steps:
            end = carry_out(one.guest, plan, journal, bench)
            if end.run.state != "done":
                raise BuilderError(end.message, end.hint)
    remove_folder(site.build / name)
