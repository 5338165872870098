"""Carry a change of dom0's network out, for trial; make it last, or take it back. Each may be killed at any point."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from builder.errors import BuilderError
from builder.host.files import write_atomic
from builder.host.network.journal import Ending, Journal, Trial
from builder.host.network.look import LIMIT, answer, boot_id, look, look_live, look_tables, read_sysctl, write_sysctl
from builder.host.network.next_boot import forget, provide
from builder.host.run import Runner, as_line
from builder.xen.change import Applied, Change, Seen
from builder.xen.live import Live
from builder.xen.live_steps import Round, steps
from builder.xen.live_switches import TELL_SWITCHES, transaction
from builder.xen.network.places import HOOK

# Links, then routes, then a look that finds nothing to do; one more for what the kernel did meanwhile.
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Hands:
    """What acts: a runner of programs, and the journal of the machine."""

    runner: Runner
    journal: Journal

    def seen(self, sysctls: Iterable[str]) -> Seen:
        """What is there now."""
        return look(self.runner, sysctls)


def begin(hands: Hands, change: Change, within: int, watch: Callable[[Trial], None]) -> Trial:
    """Bring the change live and leave it waiting for its confirmation; under the journal's lock.

    `watch` starts what takes it back when nobody confirms; it has to live before the first step. Where a step
    fails, everything is taken back at once, and what failed is raised.
    """
    trial = Trial(
        id=secrets.token_hex(4),
        phase="applying",
        boot=boot_id(),
        within=within,
        scope=change.target.scope,
        before=change.before,
        restoring=change.restoring,
        after=change.after,
        gone=change.gone,
        rewrites=change.rewrites,
        leaving=change.leaving,
        manager=change.manager,
    )
    hands.journal.keep_trial(trial)
    with ExitStack() as undo:
        undo.push(partial(_undo, hands, trial))
        provide(hands.journal, trial, change.at_boot)
        watch(trial)
        _carry_out(hands, change)
        tables = look_tables(hands.runner)
        undo.pop_all()
    waiting = replace(trial, phase="waiting", after=replace(trial.after, tables=tables))
    hands.journal.keep_trial(waiting)
    return waiting


def _undo(hands: Hands, trial: Trial, _kind: object, error: BaseException | None, _trace: object) -> None:
    """Of an ExitStack: what went wrong is taken back, and goes on upwards."""
    reason = f"a step failed: {error.message}" if isinstance(error, BuilderError) else "interrupted"
    take_back(hands, trial, reason)


def _carry_out(hands: Hands, change: Change) -> None:
    """Rules first: nothing is forwarded without them. Forwarding itself comes last."""
    if change.ruleset is not None:
        load_rules(hands.runner, change.ruleset)
    reach(hands.runner, change.target.live, change.target.scope)
    for argv in change.after.extra:
        answer(hands.runner, argv)
    for name, value in change.sysctls.items():
        write_sysctl(name, value)
    if change.written or change.links.commands:
        _see_to_guests(hands, change.after)


def _see_to_guests(hands: Hands, applied: Applied) -> None:
    """The hook tells by its name that it is not sourced by a vif script, and then sees to the guests that run."""
    if hook := applied.files.get(HOOK):
        copy = hands.journal.folder / Path(HOOK).name
        write_atomic(copy, hook.text.encode(), mode=0o700)
        answer(hands.runner, ("sh", str(copy)))


def load_rules(runner: Runner, ruleset: str) -> None:
    """One transaction: all of it, or nothing (nft(8))."""
    done = runner(("nft", "--file", "-"), stdin=ruleset.encode(), limit=LIMIT)
    if done.status:
        complaint = done.stderr.decode(errors="replace").strip()
        raise BuilderError(f"nft refuses the rules: {complaint}", "none of them was loaded; please report this")


def reach(runner: Runner, target: Live, scope: frozenset[str], *, whatever: bool = False) -> None:
    """Look, do what is left to do, and look again, until nothing is; `whatever` goes on after a step that fails.

    BuilderError when a step fails, or when the interfaces do not become what they should.
    """
    complaint = ""
    for _ in range(_ROUNDS):
        live = look_live(runner)
        todo = steps(live, target, scope)
        if not todo.commands:
            break
        complaint = _tell(runner, todo, whatever=whatever)
        if complaint and not whatever:
            raise BuilderError(f"a step on the interfaces failed: {complaint}", f"the steps were: {todo}")
    todo = steps(live := look_live(runner), target, scope)
    if todo.commands:
        raise BuilderError(f"the interfaces are not as they should be: {todo}", complaint)
    _check_ports(live, target, scope)


def _tell(runner: Runner, todo: Round, *, whatever: bool) -> str:
    """The next of what is left to do, and with `whatever` also what comes after a step that fails; the complaint."""
    complaint = ""
    if todo.switch and not todo.first:
        done = runner((*TELL_SWITCHES, *todo.switch), limit=LIMIT)
        complaint = f"ovs-vsctl: {done.complaint}" if done.status else ""
        if not (complaint and whatever):
            return complaint
    force = ("-force",) if whatever else ()
    batch = "".join(f"{line}\n" for line in todo.lines)
    done = runner(("ip", *force, "-batch", "-"), stdin=batch.encode(), limit=LIMIT)
    return complaint or (done.stderr.decode(errors="replace").strip() if done.status else "")


def _check_ports(live: Live, target: Live, scope: frozenset[str]) -> None:
    """BuilderError where Open vSwitch has in its database what it could not bring about."""
    for name in sorted(target.switches.keys() & live.switches.keys()):
        switch = live.switches[name]
        errors = [switch.error, *(port.error for port in switch.ports if port.name in scope)]
        if complaint := "; ".join(error for error in errors if error):
            raise BuilderError(f"Open vSwitch cannot bring {name} about: {complaint}", "see ovs-vsctl show")


def take_back(hands: Hands, trial: Trial, reason: str) -> Ending:
    """Everything as it was before the trial; under the journal's lock.

    Interfaces first, so that whoever lost the machine has it again. Files were not written yet. What cannot be put
    back is in `problems`, and the rest goes on.
    """
    problems: list[str] = []
    # What else was live did not survive a boot, and the files are still the old ones.
    same_boot = trial.boot == boot_id()
    for step in (_interfaces_back, _guests_back, _rules_back, _settings_back) if same_boot else (_switches_back,):
        try:
            step(hands, trial)
        except BuilderError as error:
            problems.append(error.message)
    forget(hands.journal)
    ending = Ending(trial.id, "taken back", reason, tuple(problems))
    hands.journal.end(ending)
    return ending


def _interfaces_back(hands: Hands, trial: Trial) -> None:
    reach(hands.runner, trial.before.live, trial.scope, whatever=True)
    _need_switches(look(hands.runner, ()).live, trial)


def _guests_back(hands: Hands, _trial: Trial) -> None:
    """VLANs, routes and proxies of an earlier change, which a bridge that was made again has lost."""
    applied = hands.journal.applied()
    for argv in applied.extra:
        answer(hands.runner, argv)
    _see_to_guests(hands, applied)


def _switches_back(hands: Hands, trial: Trial) -> None:
    """Open vSwitch's database as it was before the trial, if the script of the boot has not seen to it already."""
    now = look(hands.runner, ()).live
    if words := transaction(now.switches, trial.before.live.switches, trial.scope, now.links.keys()):
        answer(hands.runner, (*TELL_SWITCHES, *words))
    _need_switches(now, trial)


def _need_switches(now: Live, trial: Trial) -> None:
    """BuilderError when the trial was about Open vSwitch's bridges, and nothing can be seen of them."""
    names = sorted({*trial.before.live.switches, *trial.after.past.held.switches} & trial.scope)
    if names and now.unswitched:
        raise BuilderError(
            f"{', '.join(names)} cannot be looked at: {now.unswitched}", "start Open vSwitch, then look: ovs-vsctl show"
        )


def _rules_back(hands: Hands, trial: Trial) -> None:
    if look_tables(hands.runner) != dict(trial.before.tables):
        load_rules(hands.runner, trial.restoring)


def _settings_back(_hands: Hands, trial: Trial) -> None:
    """In the order in which they were set: forwarding after what it changes besides (ip-sysctl)."""
    for name, value in trial.before.sysctls.items():
        if value is not None and read_sysctl(name) not in {None, value}:
            write_sysctl(name, value)


def finish(hands: Hands, trial: Trial) -> Ending:
    """Make the trial last; under the journal's lock. May be done again after a crash, as the phase is kept first."""
    hands.journal.keep_trial(replace(trial, phase="confirmed"))
    applied = hands.journal.applied()
    problems = _told(hands.runner, trial.leaving)
    for path, one in trial.after.files.items():
        held = hands.journal.read_file(path)
        if held != one.text:
            _keep_copy(hands.journal, path, held, applied)
            write_atomic(hands.journal.place(path), one.text.encode(), mode=one.mode)
    for path, rewrite in trial.rewrites.items():
        held = hands.journal.read_file(path)
        if held not in {None, rewrite.becomes}:
            _keep_copy(hands.journal, path, held, applied)
            write_atomic(hands.journal.place(path), rewrite.becomes.encode(errors="surrogateescape"), mode=0o644)
    for path in trial.gone:
        _keep_copy(hands.journal, path, hands.journal.read_file(path), applied)
        hands.journal.place(path).unlink(missing_ok=True)
    problems += _told(hands.runner, trial.manager)
    hands.journal.keep_applied(trial.after)
    forget(hands.journal)
    ending = Ending(trial.id, "confirmed", "", tuple(problems))
    hands.journal.end(ending)
    return ending


def _told(runner: Runner, commands: Sequence[Sequence[str]]) -> list[str]:
    """Tell the daemons; what they refuse is a problem, and no reason to stop half-way."""
    done = [runner(argv, limit=LIMIT) for argv in commands]
    return [f"{as_line(one.argv)}: {one.complaint}" for one in done if one.status]


def _keep_copy(journal: Journal, path: str, held: str | None, applied: Applied) -> None:
    """What somebody else wrote is never lost; what domu wrote is in previous.json."""
    ours = applied.files.get(path)
    if held is not None and (ours is None or ours.text != held):
        copy = journal.folder / "kept" / path.lstrip("/")
        write_atomic(copy, held.encode(errors="surrogateescape"), mode=0o600)


def settle(hands: Hands) -> Ending | None:
    """End a trial that nobody watches any more: a confirmed one is finished, another taken back. Under the lock.

    None: there is no trial, or one that waits under the eyes of its watcher.
    """
    trial = hands.journal.trial()
    if trial is None:
        return None
    if trial.phase == "confirmed":
        return finish(hands, trial)
    if trial.boot != boot_id():
        return take_back(hands, trial, "the machine was started anew before it was confirmed")
    if trial.phase == "waiting" and hands.journal.is_watched(trial.id):
        return None
    return take_back(hands, trial, "it was interrupted")
