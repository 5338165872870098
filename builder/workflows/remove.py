"""`domu remove`: takes a guest from this dom0, with the care of a rebuild; its data only by its own word.

A run that was cut off is not replayed: the same command plans anew from what is left.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding
from builder.host.dom0.xen import auto
from builder.host.moment import read_moment
from builder.host.rebuild.journal import GuestJournal, open_journal
from builder.host.remove import names_in_folder
from builder.host.run import Runner, run
from builder.host.site import Site, load
from builder.host.xl import look_for_xen
from builder.plan.going_on import run_name
from builder.plan.journal import Begun, Ended, Run, parse_journal, record_line
from builder.plan.remove import Found, RemovePlan, plan_remove
from builder.preseed.catalogue import Catalogue
from builder.profile.model import Guest
from builder.workflows.bench import Bench, Subject
from builder.workflows.rebuild_guest import GuestEnd, rebuild_guest
from builder.workflows.render import guest_of
from builder.xen.config import folder_of
from builder.xen.doctor.fact import Unknown

# In a journal, where a rebuild has the key of its build: no rebuild goes on with a removal.
_KEY = "removal"


@dataclass(frozen=True, slots=True)
class RemoveOrder:
    """What the command line asked for: a guest, and data volumes that go, too, as GUEST/VOLUME."""

    guest: str
    data: tuple[str, ...] = ()

    @property
    def volumes(self) -> frozenset[str]:
        """The names of the volumes; BuilderError for what is another guest's, or not of that form."""
        names = set()
        for word in self.data:
            owner, _, volume = word.partition("/")
            if owner != self.guest or not volume:
                raise BuilderError(f"--data {word}: not of the form {self.guest}/VOLUME", f"--data {self.guest}/srv")
            names.add(volume)
        return frozenset(names)


def propose_removal(site: Site, order: RemoveOrder, *, runner: Runner = run, root: Path = Path("/")) -> RemovePlan:
    """What would go of this guest here; changes nothing.

    BuilderError off a dom0, for a guest that the site does not have, or where a fact cannot be read.
    """
    presence = look_for_xen(root)
    if not presence.dom0:
        raise BuilderError(f"this machine is no dom0: {presence.why}", "run it on the dom0 that has the guest")
    loaded = load(site)
    guest = guest_of(loaded, order.guest)
    others = tuple(one for one in loaded.guests if one.name != guest.name)
    return plan_remove(guest, look(guest, runner, root), named=order.volumes, others=others)


def look(guest: Guest, runner: Runner, root: Path) -> Found:
    """What this dom0 has of the guest."""
    starts = auto(root)
    if isinstance(starts, Unknown):
        raise BuilderError(f"what xendomains starts cannot be known: {starts.why}", "this needs root")
    domains, storage = read_moment(runner, root)
    return Found(
        domains=domains,
        storage=storage,
        files=names_in_folder(root, folder_of(guest)),
        autostarts=starts.value or (),
    )


def remove(site: Site, order: RemoveOrder, shown: RemovePlan, bench: Bench) -> GuestEnd:
    """Carry out the plan that was shown, journaled step by step.

    What is gone meanwhile, as a domain that was shutting down, is left out. RefusalError before anything is touched:
    where it refuses, another run is at work on the guest (G111), or something would be done that was not shown (V120).
    """
    guest = guest_of(load(site), order.guest)
    with open_journal(bench.root, guest.name) as journal:
        plan = propose_removal(site, order, runner=bench.runner, root=bench.root)
        if plan.refused:
            raise RefusalError("nothing was touched", plan.findings, "mend the errors above")
        if any(step not in shown.steps for step in plan.steps):
            finding = Finding("V120", "what is there changed since the plan was made", "look at the new plan")
            raise RefusalError("nothing was touched", [finding])
        bench.clock.working.set()
        return carry_out(guest, plan, journal, bench)


def carry_out(guest: Guest, plan: RemovePlan, journal: GuestJournal, bench: Bench) -> GuestEnd:
    """A run of its own; one before it that is not over, of whatever kind, is given up for it."""
    runs: Sequence[Run] = parse_journal(journal.read(), str(journal.path))
    now = bench.clock.now()
    if runs and runs[-1].state in {"unfinished", "failed"}:
        journal.append(record_line(Ended(now, "given up")))
    begun = Begun(run_name(now, _ids(runs)), guest.name, now, _KEY, plan.steps)
    journal.append(record_line(begun))
    subject = Subject(guest, Path(), {}, Catalogue(guest.suite, guest.arch, "", ()))
    return rebuild_guest(Run(begun), subject, journal, bench, end="removed")


def _ids(runs: Sequence[Run]) -> Collection[str]:
    return [one.id for one in runs]
