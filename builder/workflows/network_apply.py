"""`domu network apply`, `confirm`, `rollback` and `remove`: dom0's network changed on trial, then for good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Severity
from builder.host.network.act import Hands, begin, finish, settle, take_back
from builder.host.network.journal import Ending, Journal, Trial
from builder.host.network.look import boot_id, look
from builder.host.network.reach import Neighbour, Sign, gateways_of, reached
from builder.host.network.watch import start_watcher
from builder.host.network.watch import watch as watch_trial
from builder.host.run import Runner, run
from builder.host.site import Site
from builder.progress import Progress
from builder.workflows.network import plan as make_plan
from builder.xen.change import Change, check_change, diff_of, plan_change
from builder.xen.network.plan import NetworkPlan

Show = Callable[[str], None]  # is told the diff before anything is done


@dataclass(frozen=True, slots=True)
class Wish:
    """How to apply. `yes`: confirm at once if everybody who has to still answers: gateways and `checks`."""

    within: int = 60
    force: bool = False
    take_over: bool = False
    yes: bool = False
    dry_run: bool = False
    checks: tuple[Neighbour, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. `diff` is empty where nothing was to be done; `trial` waits for its confirmation."""

    diff: str
    findings: tuple[Finding, ...] = ()
    trial: Trial | None = None
    ending: Ending | None = None
    settled: Ending | None = None


def hands_at(root: Path, runner: Runner = run) -> Hands:
    """What acts on the machine whose files are below `root`."""
    return Hands(runner, Journal(root.absolute()))


def apply(site: Site, hands: Hands, wish: Wish, progress: Progress, show: Show) -> Done:
    """Bring the site's networks live for a trial, or say what would be done.

    RefusalError for a plan with errors, foreign bridges and files of ours that others changed; BuilderError when
    another change is at work or waits for its confirmation, or when a step failed (then all is as it was).
    """
    planned = make_plan(site)
    done = _change(hands, planned.plan, wish, progress, show)
    return replace(done, findings=(*planned.findings, *done.findings))


def remove(hands: Hands, wish: Wish, progress: Progress, show: Show) -> Done:
    """Take away everything that was applied, on trial like any other change."""
    return _change(hands, None, wish, progress, show)


def _change(hands: Hands, plan: NetworkPlan | None, wish: Wish, progress: Progress, show: Show) -> Done:
    if wish.dry_run:
        _, findings, diff = _decide(hands, plan, wish)
        show(diff)
        return Done(diff, findings)
    journal = hands.journal
    with journal.locked():
        settled = _settled(hands, progress)
        change, findings, diff = _decide(hands, plan, wish)
        if change.is_empty:
            return Done("", findings, settled=settled)
        before = _reached_before(hands, wish)
        show(diff)
        trial = begin(hands, change, wish.within, lambda begun: start_watcher(hands.runner, journal, begun))
        if not wish.yes:
            return Done(diff, findings, trial=trial, settled=settled)
        ending = _judge(hands, trial, before)
    return Done(diff, findings, ending=ending, settled=settled)


def _settled(hands: Hands, progress: Progress) -> Ending | None:
    """What is left of an earlier change is ended first; one that waits is the user's to end."""
    settled = settle(hands)
    if settled:
        progress.say(f"an earlier change was {settled.outcome}: {settled.reason or 'its files were not all written'}")
    if waiting := hands.journal.trial():
        raise BuilderError(
            f"change {waiting.id} waits for its confirmation", "end it: domu network confirm, or domu network rollback"
        )
    return settled


def _decide(hands: Hands, plan: NetworkPlan | None, wish: Wish) -> tuple[Change, tuple[Finding, ...], str]:
    """What is to be done, what was found besides, and the diff; RefusalError where something forbids it."""
    applied = hands.journal.applied()
    names = {one.name: None for one in plan.sysctls} if plan else {}
    seen = look(hands.runner, names | dict.fromkeys(applied.origin_sysctls))
    paths = {*applied.files, *applied.taken, *hands.journal.interfaces_files()}
    paths |= {one.path for one in plan.files} if plan else set()
    disk = {path: hands.journal.read_file(path) for path in sorted(paths)}
    findings = tuple(check_change(plan, seen, applied, disk, force=wish.force, take_over=wish.take_over))
    if any(one.severity is Severity.ERROR for one in findings):
        raise RefusalError("dom0's network was not touched", findings)
    change = plan_change(plan, seen, applied, disk)
    return _for_this_machine(hands, change), findings, diff_of(change, applied, disk)


def _for_this_machine(hands: Hands, change: Change) -> Change:
    """Daemons are told only where the files are this machine's own and systemd runs it."""
    booted = Path("/run/systemd/system").is_dir() and hands.journal.root == Path("/")
    return change if booted else replace(change, leaving=(), manager=())


def _reached_before(hands: Hands, wish: Wish) -> Mapping[Neighbour, Sign]:
    """Who answers now and has to answer afterwards; BuilderError when there is nobody to ask and `yes` was said."""
    if not wish.yes:
        return {}
    live = look(hands.runner, ()).live
    asked = tuple(dict.fromkeys([*gateways_of(live), *wish.checks]))
    answering = reached(hands.runner, asked, live)
    if missing := [one for one in wish.checks if one not in answering]:
        raise BuilderError(f"{', '.join(map(str, missing))} does not answer even now", "nothing was changed")
    if not answering:
        raise BuilderError(
            "no gateway answers, so nothing can show that the change is good",
            "name somebody who does: --check HOST:PORT; or apply without --yes and confirm by hand",
        )
    return answering


def _judge(hands: Hands, trial: Trial, wanted: Mapping[Neighbour, Sign]) -> Ending:
    """Confirm if all who answered before still do, as well as they did; else take everything back."""
    answering = reached(hands.runner, tuple(wanted), look(hands.runner, ()).live)
    if lost := [one for one, sign in wanted.items() if answering.get(one, 0) < sign]:
        return take_back(hands, trial, f"{', '.join(map(str, lost))} did not answer any more")
    return finish(hands, trial)


def confirm(hands: Hands) -> Ending:
    """Make the waiting change last: its files are written. BuilderError when none waits."""
    with hands.journal.locked():
        trial = hands.journal.trial()
        if trial is None:
            raise BuilderError("no change waits for its confirmation", _how_it_ended(hands.journal.last()))
        if trial.phase != "waiting" or trial.boot != boot_id():
            settled = settle(hands)
            if settled and settled.outcome == "confirmed":
                return settled
            raise BuilderError("the change was taken back", _how_it_ended(hands.journal.last()))
        return finish(hands, trial)


def rollback(hands: Hands) -> Ending:
    """Take the waiting change back now; BuilderError when there is none."""
    with hands.journal.locked():
        trial = hands.journal.trial()
        if trial is None:
            raise BuilderError("no change waits for its confirmation", _how_it_ended(hands.journal.last()))
        if trial.phase == "confirmed":
            return finish(hands, trial)
        return take_back(hands, trial, "as asked")


def watch(hands: Hands, trial: str) -> None:
    """What `apply` starts: takes the trial back when its time is up."""
    watch_trial(hands, trial)


def _how_it_ended(last: Ending | None) -> str:
    if last is None:
        return "there never was one here"
    return f"the last one ({last.id}) was {last.outcome}" + (f": {last.reason}" if last.reason else "")
