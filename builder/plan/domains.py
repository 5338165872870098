"""The guest's own domain among those of dom0: by UUID and name, and whether it is in a state to be stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from builder.findings import Finding, Findings
from builder.plan.steps import DestroyDomain, StopDomain
from builder.profile.model import Guest
from builder.xen.config import boots_installer
from builder.xen.readings import Domain

Stop: TypeAlias = StopDomain | DestroyDomain


def own_domain(guest: Guest, domains: Iterable[Domain], findings: Findings) -> Stop | None:
    """How the guest's domain is stopped; None when there is none, or when it may not be, which a finding tells.

    An installer that failed and waits is taken away: there is nothing in it that wants to shut down.
    """
    found = None
    for domain in domains:
        problem: Finding | None = None
        if domain.preserved == guest.name:
            message = f"crashed, and its domain is kept to be looked at as {domain.name}"
            problem = Finding("G105", message, f"when it was looked at: xl destroy {domain.domid}", guest=guest.name)
        elif domain.name == guest.name or domain.uuid == guest.domain_uuid:
            problem = _unfit(guest, domain)
            found = domain
        if problem:
            findings.add(problem)
            return None
    if found is None:
        return None
    installs = found.config is not None and boots_installer(guest, found.config)
    kind = StopDomain if found.state.is_alive and not installs else DestroyDomain
    return kind(guest.name, found.domid, found.uuid)


def _unfit(guest: Guest, domain: Domain) -> Finding | None:
    """Why this domain, which has the guest's name or UUID, may not be stopped."""
    if domain.uuid != guest.domain_uuid:
        message = (
            f"domain {domain.domid} has its name and another UUID ({domain.uuid}): it is no domain of this guest's"
        )
        hint = f"if it is this guest, write uuid: {domain.uuid} into its profile; else rename one of them"
        return Finding("G103", message, hint, guest=guest.name)
    if domain.state.dying:
        message = f"its domain {domain.domid} is dead and not yet taken apart: something holds memory of it"
        return Finding("G104", message, "wait, or look who does: xl list; losetup; lsof /dev/xen", guest=guest.name)
    if domain.name != guest.name:
        message = f"domain {domain.domid} has its UUID and is called {domain.name or 'nothing'}"
        return Finding("G103", message, "write another uuid: into the profile of one of them", guest=guest.name)
    if domain.state.paused:
        message = f"its domain {domain.domid} is paused: somebody may be saving, moving or debugging it"
        return Finding("G104", message, f"xl unpause {domain.domid}, or xl destroy {domain.domid}", guest=guest.name)
    return None


def disks_of(stops: Iterable[Stop], domains: Iterable[Domain]) -> frozenset[str]:
    """GROUP/NAME of the volumes that the domains to be stopped have open."""
    stopped = {stop.domid for stop in stops}
    return frozenset(path for domain in domains if domain.domid in stopped for path in _volumes_of(domain))


def used_by_others(owners: Mapping[str, str], domains: Iterable[Domain], stops: Iterable[Stop]) -> Iterator[Finding]:
    """Volumes of the run that are disks of a domain which the run does not stop. `owners`: GROUP/NAME -> guest."""
    stopped = {stop.domid for stop in stops}
    for domain in domains:
        if domain.domid in stopped:
            continue
        for path in _volumes_of(domain):
            if path in owners:
                message = f"{path} is a disk of domain {domain.name or domain.domid}, which this run does not stop"
                yield Finding("G106", message, f"stop it: xl shutdown {domain.domid}", guest=owners[path])


def _volumes_of(domain: Domain) -> Iterator[str]:
    for disk in domain.config.disks if domain.config else ():
        if disk.target.startswith("/dev/"):
            yield disk.target.removeprefix("/dev/")
