"""The plan of a removal: what goes of a guest, in order, and what stays; or why nothing may be touched.

Its data goes only when each volume of it was named. The profile stays: it is the site's, not dom0's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from builder.findings import Finding, Findings, Severity
from builder.plan.domains import disks_of, own_domain, used_by_others
from builder.plan.steps import ChangeVolume, RemoveFiles, RemoveLink, Step
from builder.profile.model import Guest
from builder.storage.facts import StorageFacts
from builder.storage.removal import Left, plan_removal
from builder.storage.storage_plan import Destroyed
from builder.xen.autostart import AUTO
from builder.xen.config import folder_of, run_config_path
from builder.xen.doctor.facts import AutoStart
from builder.xen.readings import Domain

# What builds and installations put into a guest's folder on dom0; {} is the guest's name.
_FILES = (
    *("vmlinuz", "initrd.gz", "installer.iso", "preseed.cfg", "volumes.json", "manifest.json", "network"),
    *("{}.cfg", "{}.install.cfg", "installed"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What dom0 has of a guest before anything is touched.

    `files`: the names in the guest's folder, None where it is not there; `autostarts`: whatever xendomains starts.
    """

    domains: tuple[Domain, ...]
    storage: StorageFacts
    files: tuple[str, ...] | None
    autostarts: tuple[AutoStart, ...]


@dataclass(frozen=True, slots=True)
class RemovePlan:
    """The steps, in order (none where something is refused), what is lost, what stays, and every finding, sorted."""

    guest: str
    steps: tuple[Step, ...]
    destroyed: tuple[Destroyed, ...]
    left: tuple[Left, ...]
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """At least one finding is an error: then nothing may be touched."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def plan_remove(
    guest: Guest, found: Found, *, named: Collection[str] = (), others: Collection[Guest] = ()
) -> RemovePlan:
    """Decide what goes. `named`: data volumes of it that go, too; `others`: the site's other guests.

    What starts it with dom0 goes before it is stopped: a dom0 that reboots in between must not start it again.
    """
    findings = Findings()
    stop = own_domain(guest, found.domains, findings)
    stops = [stop] if stop else []
    storage = plan_removal(guest, found.storage, named=named, released=disks_of(stops, found.domains))
    findings.extend(storage.findings)
    owners = {one.path: guest.name for one in storage.destroyed}
    findings.extend(used_by_others(owners, found.domains, stops))
    findings.extend(_strange_files(guest, found.files or ()))
    findings.extend(_strange_starts(guest, found.autostarts))
    findings.extend(_waiting(guest, others))
    steps: list[Step] = []
    if not findings.errors:
        steps += (RemoveLink(guest.name, path, target) for path, target in _own_links(guest, found.autostarts))
        steps += stops
        steps += (ChangeVolume(guest.name, step) for step in storage.steps)
        if found.files is not None:
            steps.append(RemoveFiles(guest.name, folder_of(guest), found.files))
    return RemovePlan(guest.name, tuple(steps), storage.destroyed, storage.left, tuple(findings))


def own_files(guest: str) -> frozenset[str]:
    """The names that may be in the guest's folder on dom0; a copy that was cut off is called .NAME.part."""
    names = frozenset(name.format(guest) for name in _FILES)
    return names | {f".{name}.part" for name in names}


def _strange_files(guest: Guest, names: Collection[str]) -> Iterator[Finding]:
    if strangers := sorted(set(names) - own_files(guest.name)):
        message = f"{folder_of(guest)} holds what domu did not put there: {', '.join(strangers)}"
        yield Finding("G143", message, "move it away, or remove it by hand", guest=guest.name)


def _own_links(guest: Guest, autostarts: Collection[AutoStart]) -> Iterator[tuple[str, str]]:
    return ((f"{AUTO}/{one.entry}", one.target) for one in autostarts if one.target == run_config_path(guest))


def _strange_starts(guest: Guest, autostarts: Collection[AutoStart]) -> Iterator[Finding]:
    """What makes xendomains start a guest of this name from a config that is not ours."""
    for one in autostarts:
        if one.guest == guest.name and one.target != run_config_path(guest):
            message = (
                f"{AUTO}/{one.entry} starts {one.target} with dom0, which is no config of domu's; it is left alone"
            )
            hint = f"if nobody needs it: rm {AUTO}/{one.entry}"
            yield Finding("G144", message, hint, severity=Severity.WARNING, guest=guest.name)


def _waiting(guest: Guest, others: Collection[Guest]) -> Iterator[Finding]:
    for other in others:
        if guest.name in other.start_after:
            message = f"{other.name} has it in start_after"
            hint = f"take it out of profiles/{other.name}.yaml"
            yield Finding("G145", message, hint, severity=Severity.WARNING, guest=guest.name)
