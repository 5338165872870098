"""The plan of a rebuild: what is done to each guest, in order, and what it destroys; or why nothing may be touched.

A state that is not known was refused where it was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from builder.findings import Finding, Findings, Severity
from builder.plan.domains import Stop, disks_of, own_domain, used_by_others
from builder.plan.estimate import NO_HISTORY, Estimate, History
from builder.plan.schedule import Schedule, free_of, make_schedule, takes_of, without_room
from builder.plan.steps import SSH, ChangeVolume, Install, PlaceFiles, RunHook, Start, Step, Wait
from builder.profile.model import Guest
from builder.storage.facts import StorageFacts
from builder.storage.room import measure_groups
from builder.storage.storage_plan import Destroyed, StoragePlan, plan_storage
from builder.storage.wishes import VolumeWish
from builder.units import Size
from builder.xen.config import folder_of, install_config_path, run_config_path
from builder.xen.consoles import USUAL, Keeping, check_keeping
from builder.xen.readings import Domain, XenInfo


@dataclass(frozen=True, slots=True)
class Build:
    """What build/NAME holds. `stale` tells why it is not what the profile says now; empty when it is.

    `key` stands for all that it was made of.
    """

    folder: str
    size: Size
    digests: Mapping[str, str]  # file name -> SHA-256
    stale: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A guest to rebuild, what is built of it (None: nothing), and the volumes that its profile wishes for."""

    guest: Guest
    build: Build | None
    wishes: tuple[VolumeWish, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """The folder on dom0 that a guest's files are copied to: what is in it (name -> SHA-256), and what is free."""

    digests: Mapping[str, str]
    free: Size


@dataclass(frozen=True, slots=True)
class Dom0:
    """What dom0 is like before anything is touched; `places` by guest. `installs_at_once` is what its site allows.

    `keeping` tells where guests' consoles are kept, by which installations are watched.
    """

    domains: tuple[Domain, ...]
    info: XenInfo
    storage: StorageFacts
    interfaces: frozenset[str]
    places: Mapping[str, Place]
    installs_at_once: int = 1
    keeping: Keeping = USUAL


@dataclass(frozen=True, slots=True)
class GuestPlan:
    """The steps for one guest, in order; none where the run is refused."""

    guest: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """Guests in the order in which they have their turns, what is lost, what stays, and every finding, sorted.

    `estimates`: by guest, how long its steps took before.
    """

    guests: tuple[GuestPlan, ...]
    destroyed: tuple[Destroyed, ...]
    kept: tuple[VolumeWish, ...]
    findings: tuple[Finding, ...]
    schedule: Schedule
    estimates: Mapping[str, Estimate]

    @property
    def refused(self) -> bool:
        """At least one finding is an error: then nothing of the run may be touched."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def plan_rebuild(candidates: Sequence[Candidate], dom0: Dom0, history: History = NO_HISTORY) -> RebuildPlan:
    """Look at everything first, then decide on all guests of the run together; `history` is for the estimates.

    Raises graphlib.CycleError for guests that wait for each other, which the rules of profiles refuse (P206).
    """
    findings = Findings()
    ordered = in_order(candidates)
    stops: dict[str, Stop] = {}
    for candidate in ordered:
        findings.extend(_build(candidate))
        findings.extend(_network(candidate, dom0))
        findings.extend(check_keeping(dom0.keeping, candidate.guest.name))
        own = own_domain(candidate.guest, dom0.domains, findings)
        if own:
            stops[candidate.guest.name] = own
    findings.extend(_room_for_files(ordered, dom0))
    released = disks_of(stops.values(), dom0.domains)
    wishes = [wish for candidate in ordered for wish in candidate.wishes]
    owners = {wish.path: wish.guest for wish in wishes}
    findings.extend(used_by_others(owners, dom0.domains, stops.values()))
    storage = plan_storage(wishes, dom0.storage, purpose="rebuild", released=released)
    findings.extend(storage.findings)
    schedule = _schedule(ordered, dom0, storage)
    # Where there is too little for any order (V110), it is not told for each guest.
    findings.extend(one for one in without_room(schedule) if one.code != "G132" or not storage.refused)
    refused = bool(findings.errors)
    guests = tuple(
        GuestPlan(one.guest.name, () if refused else tuple(_steps(one, dom0, stops.get(one.guest.name), storage)))
        for one in ordered
    )
    lost = {one.path for one in storage.destroyed}
    kept = tuple(
        one.wish for one in storage.decisions if one.found and one.action != "refuse" and one.wish.path not in lost
    )
    estimates = {
        one.guest.name: history.estimate(one.guest, planned.steps) for one, planned in zip(ordered, guests, strict=True)
    }
    return RebuildPlan(guests, storage.destroyed, kept, tuple(findings), schedule, estimates)


def in_order(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """As `start_after` says, for the rest by name."""
    known = {candidate.guest.name: candidate for candidate in candidates}
    before = {name: [one for one in sorted(known[name].guest.start_after) if one in known] for name in sorted(known)}
    return tuple(known[name] for name in TopologicalSorter(before).static_order())


def _build(candidate: Candidate) -> Iterator[Finding]:
    name = candidate.guest.name
    if candidate.build is None:
        yield Finding("G101", "is not built: there is nothing to install it from", f"domu build {name}", guest=name)
    elif candidate.build.stale:
        message = f"what is built is not what the profile says now: {candidate.build.stale}"
        yield Finding("G102", message, f"domu build {name}", guest=name)


def _network(candidate: Candidate, dom0: Dom0) -> Iterator[Finding]:
    for nic in candidate.guest.nics:
        if nic.bridge and nic.bridge not in dom0.interfaces:
            hint = f"its interfaces are {', '.join(sorted(dom0.interfaces))}; domu network plan tells how to make it"
            yield Finding("G108", f"dom0 has no bridge {nic.bridge}", hint, guest=candidate.guest.name)


def _room_for_files(ordered: Sequence[Candidate], dom0: Dom0) -> Iterator[Finding]:
    """Of all guests of the run together: the old files stay until the new ones are there."""
    needed: Counter[str] = Counter()
    for candidate in ordered:
        guest, build, place = candidate.guest, candidate.build, dom0.places[candidate.guest.name]
        if build is None or _is_placed(build, place):
            continue
        needed[guest.dom0_path] += build.size.bytes
        if needed[guest.dom0_path] > place.free.bytes:
            files = Size(needed[guest.dom0_path])
            message = (
                f"{guest.dom0_path} has {place.free.human} free, and the run's files up to its own need {files.human}"
            )
            yield Finding("G109", message, "make room there, or write another dom0_path", guest=guest.name)


def _is_placed(build: Build, place: Place) -> bool:
    return all(place.digests.get(name) == digest for name, digest in build.digests.items())


def _schedule(ordered: Sequence[Candidate], dom0: Dom0, storage: StoragePlan) -> Schedule:
    takes = {}
    for guest in (one.guest for one in ordered):
        decisions = [decision for decision in storage.decisions if decision.wish.guest == guest.name]
        uses = measure_groups(dom0.storage, decisions)
        takes[guest.name] = takes_of(guest, (guest.memory_for_install, guest.memory), dom0.domains, uses)
    free = free_of(dom0.info.unclaimed, dom0.storage.groups)
    return make_schedule([one.guest for one in ordered], takes, free, dom0.installs_at_once)


def _steps(candidate: Candidate, dom0: Dom0, stop: Stop | None, storage: StoragePlan) -> Iterator[Step]:
    guest, build = candidate.guest, candidate.build
    if stop:
        yield stop
    for decision in storage.decisions:
        if decision.wish.guest == guest.name:
            yield from (ChangeVolume(guest.name, step) for step in decision.steps)
    if build:
        place = dom0.places[guest.name]
        if not _is_placed(build, place):
            yield PlaceFiles(guest.name, build.folder, folder_of(guest), build.size, replaces=bool(place.digests))
    address = _address(guest)
    yield Install(guest.name, guest.domain_uuid, install_config_path(guest), guest.memory_for_install)
    yield Start(guest.name, guest.domain_uuid, run_config_path(guest), guest.memory)
    ready = guest.ready
    yield Wait(guest.name, "" if ready.console else address, ready.port or SSH, ready.command or (), ready.limit)
    for number, hook in enumerate(guest.after, 1):
        yield RunHook(guest.name, number, address, hook.command, hook.limit)


def _address(guest: Guest) -> str:
    """Its first fixed one; empty where there is none."""
    return next((str(address) for nic in guest.nics for address in nic.fixed_addresses), "")
