"""`domu plan`: what a rebuild would do here, and what it would destroy; looks at everything and touches nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Findings, Severity
from builder.host.console import read_keeping
from builder.host.digests import file_digest
from builder.host.dom0.network import links
from builder.host.dom0.reading import below
from builder.host.dom0.storage import space
from builder.host.moment import read_moment
from builder.host.run import Runner, run
from builder.host.secrets import resolve
from builder.host.site import Site
from builder.host.xl import look_for_xen, xen_info
from builder.plan.estimate import History, make_history
from builder.plan.going_on import unfinished_note
from builder.plan.rebuild import Candidate, Dom0, Place, RebuildPlan, plan_rebuild
from builder.profile.model import Guest
from builder.storage.facts import StorageFacts
from builder.storage.plan import DEFAULT_EXTENT, plan_volumes
from builder.storage.wishes import wishes_of
from builder.workflows.builds import read_build
from builder.workflows.check import check
from builder.workflows.render import Artefacts
from builder.workflows.runs import Journals, read_runs
from builder.xen.config import folder_of
from builder.xen.doctor.fact import Fact, T, Unknown
from builder.xen.readings import Domain


@dataclass(frozen=True, slots=True)
class Survey:
    """All that a plan is made of: every guest with its build, dom0 as it is, what earlier runs left written down."""

    candidates: tuple[Candidate, ...]
    dom0: Dom0
    journals: Journals
    history: History
    findings: tuple[Finding, ...]

    def plan(self, names: Collection[str] | None = None) -> RebuildPlan:
        """For these of its guests, or all."""
        chosen = [one for one in self.candidates if names is None or one.guest.name in names]
        findings = Findings()
        findings.extend(one for one in self.findings if names is None or one.guest in names)
        found = plan_rebuild(chosen, self.dom0, self.history)
        findings.extend(found.findings)
        return replace(found, findings=tuple(findings))


def plan(
    site: Site,
    names: Sequence[str] = (),
    *,
    environment: Mapping[str, str],
    runner: Runner = run,
    root: Path = Path("/"),
) -> RebuildPlan:
    """The plan of a new run on these guests, or all, on this dom0; errors as `survey` has them."""
    found = survey(site, names, environment=environment, runner=runner, root=root)
    planned = found.plan()
    findings = Findings()
    findings.extend(planned.findings)
    guests = [one.guest.name for one in found.candidates]
    findings.extend(filter(None, (unfinished_note(name, found.journals.runs.get(name, ())) for name in guests)))
    return replace(planned, findings=tuple(findings))


def survey(
    site: Site,
    names: Sequence[str] = (),
    *,
    environment: Mapping[str, str],
    runner: Runner = run,
    root: Path = Path("/"),
) -> Survey:
    """Look at these guests, or all, and at this dom0.

    BuilderError off a dom0, or where a fact cannot be read; RefusalError when a profile is unsound.
    """
    presence = look_for_xen(root)
    if not presence.dom0:
        hint = "run it on the dom0 that is to run the guests; domu check and domu build work anywhere"
        raise BuilderError(f"this machine is no dom0: {presence.why}", hint)
    proved = check(
        site,
        names,
        secrets=lambda guest: resolve(guest.secrets(), site=site, runner=runner, environment=environment),
        runner=runner,
    )
    if any(finding.severity is Severity.ERROR for finding in proved.findings):
        raise RefusalError("there is nothing to plan with", proved.findings, "mend the errors above")
    domains, storage = read_moment(runner, root)
    findings = Findings()
    candidates = tuple(_candidate(site, artefacts, storage, findings) for artefacts in proved.artefacts)
    dom0 = replace(
        _dom0(candidates, domains, storage, runner, root), installs_at_once=proved.loaded.dom0.installs_at_once
    )
    journals = read_runs(root)
    return Survey(candidates, dom0, journals, make_history(journals.runs, proved.loaded.guests), tuple(findings))


def _candidate(site: Site, artefacts: Artefacts, storage: StorageFacts, findings: Findings) -> Candidate:
    guest = artefacts.guest
    group = storage.group(guest.volume_group)
    sized, sizing = plan_volumes(guest, group.extent if group else DEFAULT_EXTENT)
    findings.extend(sizing.for_guest(guest.name))
    wishes = wishes_of(guest, sized) if sized else ()
    return Candidate(guest, read_build(site, artefacts), wishes)


def _dom0(
    candidates: Sequence[Candidate],
    domains: tuple[Domain, ...],
    storage: StorageFacts,
    runner: Runner,
    root: Path,
) -> Dom0:
    return Dom0(
        domains=domains,
        info=xen_info(runner),
        storage=storage,
        interfaces=frozenset(_known(links(root), "dom0's interfaces").keys()),
        places={one.guest.name: _place(one, runner, root) for one in candidates},
        keeping=read_keeping(root),
    )


def _place(candidate: Candidate, runner: Runner, root: Path) -> Place:
    guest: Guest = candidate.guest
    folder = below(root, folder_of(guest))
    there = {}
    for name in candidate.build.digests if candidate.build else ():
        if (folder / name).is_file():
            there[name], _size = file_digest(folder / name)
    free = _known(space(runner, root, guest.dom0_path), f"the room for {guest.dom0_path}").free
    return Place(there, free)


def _known(fact: Fact[T], what: str) -> T:
    if isinstance(fact, Unknown):
        raise BuilderError(f"{what} cannot be known: {fact.why}", "domu doctor tells more")
    return fact.value
