"""`domu rebuild`: look at everything, propose, and carry out what was agreed to, one guest after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Findings
from builder.host.clock import heeding_signals
from builder.host.rebuild.journal import GuestJournal, open_journal
from builder.host.run import Runner, run
from builder.host.site import Site
from builder.plan.going_on import Begin, Choice, GoOn, choose, run_name
from builder.plan.journal import Begun, Ended, Run, parse_journal, record_line
from builder.plan.rebuild import Candidate, RebuildPlan
from builder.plan.steps import Step
from builder.workflows.bench import Bench, Subject
from builder.workflows.look_up import look_up
from builder.workflows.plan import Survey, survey
from builder.workflows.rebuild_guest import GuestEnd, rebuild_guest


@dataclass(frozen=True, slots=True)
class RebuildOrder:
    """What the command line asked for: guests (all unless named), and whether runs that are not over are given up."""

    names: tuple[str, ...] = ()
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a run would do: `plan` for guests that are begun with, `going_on` the runs that are gone on with."""

    plan: RebuildPlan
    choices: Mapping[str, Choice]
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
    """How it ended for each guest, in order; guests that were not come to are not among them."""

    guests: tuple[GuestEnd, ...]
    stopped: bool

    @property
    def ok(self) -> bool:
        """All are done."""
        return not self.stopped and all(one.run.state == "done" for one in self.guests)


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
    plan = found.plan([name for name, choice in choices.items() if isinstance(choice, Begin)])
    findings = Findings()
    findings.extend(choice for choice in choices.values() if isinstance(choice, Finding))
    return Proposal(plan, choices, tuple(findings), found)


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
    ends: list[GuestEnd] = []
    with ExitStack() as stack:
        journals = {name: stack.enter_context(open_journal(bench.root, name)) for name in sorted(proposal.choices)}
        for name, journal in journals.items():
            _refuse_change(name, journal, proposal)
        stack.enter_context(heeding_signals(bench.clock))
        for name, steps in _in_order(proposal):
            if bench.clock.stop.is_set():
                break
            candidate = next(one for one in proposal.survey.candidates if one.guest.name == name)
            run_now = _begin(candidate, steps, journals[name], proposal, bench)
            ends.append(rebuild_guest(run_now, _subject(site, candidate), journals[name], bench))
    return RebuildEnd(tuple(ends), bench.clock.stop.is_set())


def _check_names(proposal: Proposal, confirmed: Sequence[str]) -> None:
    if strange := sorted(set(confirmed) - proposal.choices.keys()):
        raise BuilderError(f"{', '.join(strange)}: confirmed, and not in this run", "nothing was touched")
    if missing := [name for name in proposal.to_confirm if name not in confirmed]:
        words = " ".join(f"--yes {name}" for name in missing)
        raise BuilderError(f"{', '.join(missing)}: not confirmed, so nothing was touched", f"say so: {words}")


def _refuse_change(name: str, journal: GuestJournal, proposal: Proposal) -> None:
    if parse_journal(journal.read(), str(journal.path)) != proposal.survey.journals.runs.get(name, ()):
        finding = Finding("G113", "another run was at work on it meanwhile", "look again: domu plan", guest=name)
        raise RefusalError("nothing was touched", [finding])


def _in_order(proposal: Proposal) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """What was begun before comes first."""
    for run_before in proposal.going_on:
        yield run_before.begun.guest, run_before.begun.steps
    for one in proposal.plan.guests:
        yield one.guest, one.steps


def _begin(
    candidate: Candidate, steps: tuple[Step, ...], journal: GuestJournal, proposal: Proposal, bench: Bench
) -> Run:
    """The run to go on with, or a new one, written down; then the one that it takes the place of is over."""
    name, now = candidate.guest.name, bench.clock.now()
    choice = proposal.choices[name]
    if isinstance(choice, GoOn):
        number, whole = choice.run.next_step + 1, len(steps)
        bench.progress.say(f"{name}: going on with run {choice.run.id} at step {number} of {whole}")
        return choice.run
    if isinstance(choice, Begin) and choice.gives_up:
        journal.append(record_line(Ended(now, "given up")))
    taken = [one.id for one in proposal.survey.journals.runs.get(name, ())]
    key = candidate.build.key if candidate.build else ""
    begun = Begun(run_name(now, taken), name, now, key, steps)
    journal.append(record_line(begun))
    return Run(begun)


def _subject(site: Site, candidate: Candidate) -> Subject:
    guest = candidate.guest
    digests = candidate.build.digests if candidate.build else {}
    return Subject(guest, site.build / guest.name, digests, look_up(site, guest.suite, guest.arch).catalogue)
