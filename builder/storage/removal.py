"""The volumes of a guest that is removed: which go, which stay, or why nothing may be touched.

The tags choose, not the names. What is kept over rebuilds goes only when it was named; nobody else's is ever touched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from builder.findings import Finding, Findings, Severity
from builder.profile.model import Guest
from builder.storage.facts import LogicalVolume, StorageFacts
from builder.storage.judge import Terms, elsewhere, entangled, held, labelled, stranger, unfit
from builder.storage.labels import KEEP, UNFINISHED, Label
from builder.storage.room import check_groups
from builder.storage.steps import RemoveVolume, Step, TagVolume, Target
from builder.storage.storage_plan import Destroyed
from builder.storage.wishes import NOTHING, VolumeWish
from builder.units import Size


@dataclass(frozen=True, slots=True)
class Left:
    """A volume of the guest that stays, and why."""

    guest: str
    path: str
    size: Size
    why: str


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes, what stays, the steps in order (none where something is refused), and every finding, sorted."""

    destroyed: tuple[Destroyed, ...]
    left: tuple[Left, ...]
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """At least one finding is an error."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def removable(guest: Guest) -> tuple[VolumeWish, ...]:
    """The volumes of the guest's profile; their sizes do not matter to who removes them."""
    disk = VolumeWish(guest.name, guest.volume_group, guest.disk_volume, "", NOTHING)
    return (
        disk,
        *(
            VolumeWish(guest.name, guest.volume_group, guest.volume_name(one), one.name, NOTHING, keep=one.keep)
            for one in guest.volumes
        ),
    )


def plan_removal(
    owner: Guest, facts: StorageFacts, *, named: Collection[str] = (), released: Collection[str] = ()
) -> Removal:
    """Decide on every volume that is tagged as the guest's, and on what has the names of its profile's.

    `named`: data volumes that may go although they are kept, by their names in the profile or in their tags.
    `released`: GROUP/NAME of volumes that are open by the domain that is stopped before.
    """
    guest, findings = owner.name, Findings()
    labels = {label: volumes for label, volumes in labelled(facts).items() if label.guest == guest}
    meant = _meant(removable(owner), labels)
    findings.extend(finding for _, finding in check_groups(facts, tuple(meant.values())))
    findings.extend(_nonsense(guest, facts))
    findings.extend(_unknown_names(guest, named, labels))
    destroyed, left, steps = list[Destroyed](), list[Left](), list[Step]()
    for label, wish in sorted(meant.items()):
        volumes = labels.get(label, ())
        if problem := _problem(wish, volumes, facts):
            findings.add(problem)
            continue
        for volume in volumes:
            if why := _why_left(wish, volume, named):
                left.append(Left(guest, volume.path, volume.size, why))
            elif problem := _fixed(wish, volume, released):
                findings.add(problem)
            else:
                destroyed.append(Destroyed(guest, volume.path, volume.size, str(label)))
                steps += _removed(guest, volume)
    refused = bool(findings.errors)
    return Removal(tuple(destroyed), tuple(left), () if refused else tuple(steps), tuple(findings))


def _meant(wishes: Sequence[VolumeWish], labels: Mapping[Label, Sequence[LogicalVolume]]) -> dict[Label, VolumeWish]:
    """The profile's wishes, and one for what is tagged as the guest's and no longer in its profile."""
    meant = {wish.label: wish for wish in wishes}
    for label, (first, *_) in labels.items():
        unknown = VolumeWish(label.guest, first.group, first.name, label.volume, first.size, keep=bool(label.volume))
        meant.setdefault(label, unknown)
    return meant


def _problem(wish: VolumeWish, volumes: Sequence[LogicalVolume], facts: StorageFacts) -> Finding | None:
    """Why what is there is not what the profile says: under another name, twice, or somebody else's."""
    if problem := elsewhere(wish, volumes):
        return problem
    found = facts.find(wish.group, wish.name)
    return stranger(wish, found, Terms("rebuild")) if found and not volumes else None


def _why_left(wish: VolumeWish, volume: LogicalVolume, named: Collection[str]) -> str:
    """Why a volume stays; empty for one that goes."""
    if wish.is_disk or wish.volume in named or not (wish.keep or KEEP in volume.tags):
        return ""
    return f"it is kept; to remove it, too: --data {wish.guest}/{wish.volume}"


def _fixed(wish: VolumeWish, volume: LogicalVolume, released: Collection[str]) -> Finding | None:
    """Why a volume that is to go cannot."""
    if wish.is_disk and KEEP in volume.tags:
        message = f"{volume.path} is a system disk that is tagged to be kept"
        return Finding("G142", message, f"if it may go: lvchange --deltag {KEEP} {volume.path}", guest=wish.guest)
    by_us = () if UNFINISHED in volume.tags else released
    return unfit(wish, volume) or entangled(wish, volume, "removed") or held(wish, volume, by_us)


def _removed(guest: str, volume: LogicalVolume) -> Iterator[Step]:
    """The tag that keeps it goes first: no lvremove of domu's ever meets a volume that has it."""
    target = Target.of(volume)
    if KEEP in volume.tags:
        yield TagVolume(guest, target, remove=frozenset({KEEP}))
        target = replace(target, tags=target.tags - {KEEP})
    yield RemoveVolume(guest, target)


def _nonsense(guest: str, facts: StorageFacts) -> Iterator[Finding]:
    """Volumes that name the guest in tags which make no sense together."""
    for volume in facts.volumes():
        if f"domu.guest={guest}" not in volume.tags:
            continue
        try:
            Label.read(volume.tags)
        except ValueError as error:
            message = f"the tags of {volume.path} make no sense: {error}"
            yield Finding("V106", message, "mend them with lvchange --addtag and --deltag", guest=guest)


def _unknown_names(
    guest: str, named: Collection[str], labels: Mapping[Label, Sequence[LogicalVolume]]
) -> Iterator[Finding]:
    there = {label.volume for label in labels if label.volume}
    for name in sorted(set(named) - there):
        hint = f"its data volumes here are: {', '.join(sorted(there)) or 'none'}"
        yield Finding("G141", f"has no data volume {name} here", hint, guest=guest)
