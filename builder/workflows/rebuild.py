"""`domu rebuild`: look at everything, propose, and carry out what was agreed to, for several guests at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Findings
from builder.host.rebuild.journal import GuestJournal, open_journal
from builder.host.run import Runner, run
from builder.host.site import Site
from builder.plan.going_on import Begin, Choice, GoOn, choose, run_name
from builder.plan.journal import Begun, Ended, Run, Stopped, parse_journal, record_line
from builder.plan.rebuild import Candidate, RebuildPlan, in_order
from builder.plan.schedule import Schedule, without_room
from builder.plan.several import done_before, family_for, schedule_all
from builder.workflows.bench import Bench, Subject
from builder.workflows.look_up import look_up
from builder.workflows.plan import Survey, survey
from builder.workflows.rebuild_guest import GuestEnd, rebuild_guest
from builder.workflows.turns import Ends, take_turns
from builder.workflows.verify import verify
from builder.xen.consoles import check_keeping


@dataclass(frozen=True, slots=True)
class RebuildOrder:
    """What the command line asked for: guests (all unless named), and whether runs that are not over are given up."""

    names: tuple[str, ...] = ()
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a run would do: `plan` for guests that are begun with, `choices` for these and for those it goes on with.

    `done`: guests that an earlier run of the same command made ready, with their runs. `schedule`: when who begins.
    """

    plan: RebuildPlan
    choices: Mapping[str, Choice]
    done: Mapping[str, Run]
    schedule: Schedule
    findings: tuple[Finding, ...]
    survey: Survey

    @property
    def refused(self) -> bool:
        """At least one finding is an error."""
        return self.plan.refused or bool(self.findings)

    @property
    def going_on(self) -> tuple[Run, ...]:
        """Runs of which only the rest is done."""
        return tuple(choice.run for choice in self.choices.values() if isinstance(choice, GoOn))

    @property
    def to_confirm(self) -> tuple[str, ...]:
        """Guests that something is destroyed of, or could be: each has to be named once more."""
        return tuple(one.guest for one in self.plan.guests)


@dataclass(frozen=True, slots=True)
class RebuildEnd:
    """How it ended for each guest, in order; `skipped`: why guests were left as they are."""

    guests: tuple[GuestEnd, ...]
    skipped: tuple[Finding, ...]
    stopped: bool

    @property
    def ok(self) -> bool:
        """All are ready, and as their profiles say."""
        return not self.stopped and not self.skipped and all(one.ok for one in self.guests)


def propose(
    site: Site,
    order: RebuildOrder,
    *,
    environment: Mapping[str, str],
    runner: Runner = run,
    root: Path = Path("/"),
) -> Proposal:
    """Look, and decide; touches nothing. Errors as `survey` has them, BuilderError for a journal that is not ours."""
    found = survey(site, order.names, environment=environment, runner=runner, root=root)
    choices = {one.guest.name: _choice(one, found, order) for one in found.candidates}
    done = {} if order.anew else done_before(found.candidates, choices, found.journals.runs)
    choices = {name: choice for name, choice in choices.items() if name not in done}
    plan = found.plan([name for name, choice in choices.items() if isinstance(choice, Begin)])
    going_on = {name: choice.run for name, choice in choices.items() if isinstance(choice, GoOn)}
    schedule = schedule_all(in_order(found.candidates), plan.schedule, going_on, found.dom0)
    findings = Findings()
    findings.extend(choice for choice in choices.values() if isinstance(choice, Finding))
    for name in going_on:
        findings.extend(check_keeping(found.dom0.keeping, name))
    if going_on and not plan.refused:
        findings.extend(without_room(schedule))
    return Proposal(plan, choices, done, schedule, tuple(findings), found)


def _choice(candidate: Candidate, found: Survey, order: RebuildOrder) -> Choice:
    name = candidate.guest.name
    if name in found.journals.strange:
        raise found.journals.strange[name]
    return choose(name, found.journals.runs.get(name, ()), candidate.build, anew=order.anew)


def rebuild(site: Site, proposal: Proposal, confirmed: Sequence[str], bench: Bench) -> RebuildEnd:
    """Carry out what was proposed. `confirmed`: the guests that somebody named once more.

    RefusalError before anything is touched: where something refuses, a name is missing or strange, another run is at
    work (G111), or one has been since the proposal (G113).
    """
    if proposal.refused:
        raise RefusalError(
            "nothing was touched", [*proposal.plan.findings, *proposal.findings], "mend the errors above"
        )
    _check_names(proposal, confirmed)
    bench = replace(bench, consoles=proposal.survey.dom0.keeping.folder)
    candidates = {one.guest.name: one for one in proposal.survey.candidates}
    subjects = {name: _subject(site, candidates[name], proposal, bench) for name in proposal.choices}
    with ExitStack() as stack:
        journals = {name: stack.enter_context(open_journal(bench.root, name)) for name in sorted(proposal.choices)}
        for name, journal in journals.items():
            _refuse_change(name, journal, proposal)
        bench.clock.working.set()
        runs = _begin_all(proposal, candidates, journals, bench)
        ends = take_turns(
            proposal.schedule,
            lambda name: rebuild_guest(runs[name], subjects[name], journals[name], bench),
            lambda end: end.run.state == "done",
            stop=bench.clock.stop,
            progress=bench.progress,
        )
        guests = [_end(name, ends, journals[name], bench) for name in runs if name not in ends.skipped]
        # A run that was under way before stays as it is, to be gone on with.
        for name in (one for one in ends.skipped if isinstance(proposal.choices[one], Begin)):
            journals[name].append(record_line(Ended(bench.clock.now(), "given up")))
    stopped = bench.clock.stop.is_set() and any(one.run.state == "unfinished" for one in guests)
    return RebuildEnd(tuple(guests), tuple(ends.skipped.values()), stopped)


def _end(name: str, ends: Ends[GuestEnd], journal: GuestJournal, bench: Bench) -> GuestEnd:
    """How it ended for a guest that had its turn, or was to have it when all was stopped."""
    if name in ends.ends:
        return ends.ends[name]
    last = parse_journal(journal.read(), str(journal.path))[-1]
    if name in ends.errors:
        return GuestEnd(last, journal.run_folder(last.id), ends.errors[name].message, ends.errors[name].hint)
    stopped = Stopped(bench.clock.now(), "stopped before its turn")
    journal.append(record_line(stopped))
    return GuestEnd(last.with_record(stopped), journal.run_folder(last.id), stopped.why, "the same command begins it")


def _check_names(proposal: Proposal, confirmed: Sequence[str]) -> None:
    if strange := sorted(set(confirmed) - proposal.choices.keys() - proposal.done.keys()):
        raise BuilderError(f"{', '.join(strange)}: confirmed, and not in this run", "nothing was touched")
    if missing := [name for name in proposal.to_confirm if name not in confirmed]:
        words = " ".join(f"--yes {name}" for name in missing)
        raise BuilderError(f"{', '.join(missing)}: not confirmed, so nothing was touched", f"say so: {words}")


def _refuse_change(name: str, journal: GuestJournal, proposal: Proposal) -> None:
    if parse_journal(journal.read(), str(journal.path)) != proposal.survey.journals.runs.get(name, ()):
        finding = Finding("G113", "another run was at work on it meanwhile", "look again: domu plan", guest=name)
        raise RefusalError("nothing was touched", [finding])


def _begin_all(
    proposal: Proposal, candidates: Mapping[str, Candidate], journals: Mapping[str, GuestJournal], bench: Bench
) -> dict[str, Run]:
    """The runs to go on with and new ones, all written down before the first step of any: so a crash forgets none.

    In the order of the plan; a run that a new one takes the place of is over.
    """
    now, steps = bench.clock.now(), {one.guest: one.steps for one in proposal.plan.guests}
    family = family_for(proposal.choices, proposal.done)
    runs = {}
    for name in (turn.guest for turn in proposal.schedule.turns):
        choice = proposal.choices[name]
        if isinstance(choice, GoOn):
            number, whole = choice.run.next_step + 1, len(choice.run.begun.steps)
            bench.progress.say(f"{name}: going on with run {choice.run.id} at step {number} of {whole}")
            runs[name] = choice.run
            continue
        taken = [one.id for one in proposal.survey.journals.runs.get(name, ())]
        journals[name].make_room(taken)
        if isinstance(choice, Begin) and choice.gives_up:
            journals[name].append(record_line(Ended(now, "given up")))
        build = candidates[name].build
        begun = Begun(run_name(now, taken, family), name, now, build.key if build else "", steps[name])
        journals[name].append(record_line(begun))
        runs[name] = Run(begun)
    return runs


def _subject(site: Site, candidate: Candidate, proposal: Proposal, bench: Bench) -> Subject:
    guest, choice = candidate.guest, proposal.choices[candidate.guest.name]
    digests = candidate.build.digests if candidate.build else {}
    if isinstance(choice, GoOn):
        estimate = proposal.survey.history.estimate(guest, choice.run.begun.steps)
    else:
        estimate = proposal.plan.estimates[guest.name]
    catalogue = look_up(site, guest.suite, guest.arch).catalogue

    def compare() -> tuple[Finding, ...]:
        return verify(site, guest.name, environment=bench.environment, root=bench.root).findings

    return Subject(guest, site.build / guest.name, digests, catalogue, estimate, compare)
