"""`domu volumes`: the storage plan of the site's guests on this machine, and carrying it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder.errors import RefusalError
from builder.findings import Finding, Findings
from builder.host.lvm import carry_out, read_storage, settle
from builder.host.run import Runner, run
from builder.host.site import Site, load
from builder.profile.load import LoadedSite
from builder.progress import Progress
from builder.storage.facts import StorageFacts
from builder.storage.judge import Purpose
from builder.storage.plan import DEFAULT_EXTENT, plan_volumes
from builder.storage.storage_plan import StoragePlan, plan_storage
from builder.storage.wishes import VolumeWish, wishes_of
from builder.workflows.check import choose


@dataclass(frozen=True, slots=True)
class VolumeOrder:
    """What the command line asked for: guests (all unless named), what for, and volumes to take as ours."""

    names: tuple[str, ...] = ()
    purpose: Purpose = "ensure"
    adopt: tuple[str, ...] = ()


def plan(site: Site, order: VolumeOrder, *, runner: Runner = run, root: Path = Path("/")) -> StoragePlan:
    """What would be done for these guests here; changes nothing.

    RefusalError when a profile is unsound, BuilderError when LVM cannot be read.
    """
    loaded = load(site)
    settle(runner)
    facts = read_storage(runner, root)
    wishes, sizing = _wishes(loaded, choose(loaded, order.names), facts)
    found = plan_storage(wishes, facts, purpose=order.purpose, adopt=order.adopt)
    sizing.extend(found.findings)
    return replace(found, findings=tuple(sizing))


def apply(
    site: Site,
    order: VolumeOrder,
    shown: StoragePlan,
    *,
    progress: Progress,
    runner: Runner = run,
    root: Path = Path("/"),
) -> None:
    """Carry out the plan that was shown; RefusalError when it is refused, or when a new one differs from it."""
    now = plan(site, order, runner=runner, root=root)
    if now.refused:
        raise RefusalError("nothing was touched", now.findings, "mend the errors above and run it again")
    if now.steps != shown.steps:
        finding = Finding("V120", "what is there changed since the plan was made", "look at the new plan and try again")
        raise RefusalError("nothing was touched", [finding])
    carry_out(now.steps, progress=progress, runner=runner, root=root)


def _wishes(loaded: LoadedSite, names: Sequence[str], facts: StorageFacts) -> tuple[list[VolumeWish], Findings]:
    """The guests' volumes in extents of their volume groups, and what sizing them found."""
    sound = {guest.name: guest for guest in loaded.guests}
    if unsound := [name for name in names if name not in sound]:
        findings = [finding for name in unsound for finding in loaded.findings_for(name)]
        raise RefusalError(f"no sound profile: {', '.join(unsound)}", findings, "mend the errors above")
    found = Findings()
    wishes: list[VolumeWish] = []
    for name in names:
        group = facts.group(sound[name].volume_group)
        sized, sizing = plan_volumes(sound[name], group.extent if group else DEFAULT_EXTENT)
        found.extend(sizing.for_guest(name))
        if sized:
            wishes += wishes_of(sound[name], sized)
    return wishes, found
