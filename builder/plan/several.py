"""A run for several guests that finds journals of an earlier one: what is done already, and who takes what and when.

Runs of one command share the first part of their names, so that the same command knows which guests it need not
rebuild again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from builder.plan.going_on import Begin, Choice, GoOn
from builder.plan.journal import Run
from builder.plan.rebuild import Candidate, Dom0
from builder.plan.schedule import Schedule, Take, free_of, make_schedule, takes_of
from builder.plan.steps import ChangeVolume, Install, Start
from builder.storage.cut_off import rest_of
from builder.storage.facts import LogicalVolume, StorageFacts
from builder.storage.room import GroupUse, measure_steps
from builder.storage.steps import CreateVolume, Step

Runs = Mapping[str, Sequence[Run]]


def family_of(run: Run) -> str:
    """What the names of all runs of one command begin with."""
    return run.id.partition("-")[0]


def done_before(candidates: Sequence[Candidate], choices: Mapping[str, Choice], runs: Runs) -> dict[str, Run]:
    """Guests that need not be rebuilt, with their runs.

    They are those which an earlier command made ready that did not come to its end, for it was about other ones of
    these guests, too, which it did not make ready; where what is built has not changed since.
    """
    last = {name: runs[name][-1] for name in choices if runs.get(name)}
    open_ones = {family_of(run) for run in last.values() if run.state != "done"}
    found = {}
    for one in candidates:
        name = one.guest.name
        run = last.get(name)
        if run is None or run.state != "done" or family_of(run) not in open_ones:
            continue
        same = one.build is not None and not one.build.stale and one.build.key == run.begun.key
        installed = any(isinstance(step, Install) for step in run.begun.steps)
        if same and installed and isinstance(choices[name], Begin):
            found[name] = run
    return found


def family_for(choices: Mapping[str, Choice], done: Mapping[str, Run]) -> str:
    """What the names of new runs of this command begin with, as those that it goes on with do; empty: by the date."""
    before = [*done.values(), *(choice.run for choice in choices.values() if isinstance(choice, GoOn))]
    return max(map(family_of, before), default="")


def schedule_all(ordered: Sequence[Candidate], planned: Schedule, going_on: Mapping[str, Run], dom0: Dom0) -> Schedule:
    """For guests that are begun with, as `planned`, and those of which only the rest of a run is left."""
    takes = {turn.guest: turn.takes for turn in planned.turns}
    takes |= {name: _rest(one, going_on[name], dom0) for one in ordered if (name := one.guest.name) in going_on}
    guests = [one.guest for one in ordered if one.guest.name in takes]
    return make_schedule(guests, takes, free_of(dom0.info.unclaimed, dom0.storage.groups), dom0.installs_at_once)


def _rest(candidate: Candidate, run: Run, dom0: Dom0) -> Mapping[str, Take]:
    steps = run.begun.steps[run.next_step :]
    sizes = [step.memory for step in steps if isinstance(step, Install | Start)]
    changes = [step.step for step in steps if isinstance(step, ChangeVolume)]
    return takes_of(candidate.guest, sizes, dom0.domains, _uses(changes, dom0.storage))


def _uses(changes: Sequence[Step], facts: StorageFacts) -> list[GroupUse]:
    by_group: dict[str, list[tuple[Step, LogicalVolume | None]]] = {}
    for change in changes:
        left = rest_of(change, facts)
        if left:
            where = left if isinstance(left, CreateVolume) else left.target
            by_group.setdefault(where.group, []).append((left, facts.find(where.group, where.name)))
    return [measure_steps(group, steps) for name, steps in by_group.items() if (group := facts.group(name))]
