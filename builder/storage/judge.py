"""One wish against what is there: keep it, make it, grow it, make it anew, or refuse with reason and next step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from builder.findings import Finding, Severity
from builder.storage.facts import LogicalVolume, StorageFacts, VolumeGroup
from builder.storage.labels import KEEP, MARK, UNFINISHED, Label
from builder.storage.steps import (
    ActivateVolume,
    CreateVolume,
    FinishVolume,
    GrowVolume,
    RemoveVolume,
    Step,
    TagVolume,
    Target,
)
from builder.storage.wishes import VolumeWish

Action = Literal["keep", "create", "finish", "grow", "recreate", "refuse"]
# ensure: make what is missing, grow what is too small. rebuild: besides, make anew all that is not kept.
Purpose = Literal["ensure", "rebuild"]
_FIT = frozenset({"plain", "thin volume", "raid", "mirror", "cache", "snapshot origin"})
_SIMPLE = ({"linear"}, {"thin", "sparse"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run was told. `released`: volumes whose domains it stops first; `adopt`: foreign ones to take as ours."""

    purpose: Purpose = "ensure"
    released: frozenset[str] = field(default=frozenset())
    adopt: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done for one wish. `found`: the volume of that name, if there is one; `adopted`: it becomes ours."""

    wish: VolumeWish
    action: Action
    found: LogicalVolume | None = None
    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    adopted: bool = False

    @property
    def destroys(self) -> bool:
        """What is on the volume now is gone afterwards."""
        return any(isinstance(step, RemoveVolume | FinishVolume) for step in self.steps)


def decide(wish: VolumeWish, group: VolumeGroup, same: Sequence[LogicalVolume], terms: Terms) -> Decision:
    """The decision for one wish. `group`: the one that it names, there and sound; `same`: all that have its tags."""
    found = group.find(wish.name)
    if problem := elsewhere(wish, same):
        return Decision(wish, "refuse", found, findings=(problem,))
    if found is None:
        return Decision(wish, "create", steps=(_create(wish, group),))
    adopted = found.path in terms.adopt and not ours(found) and terms.purpose == "ensure"
    if problem := (unfit(wish, found) or (None if adopted else stranger(wish, found, terms))):
        return Decision(wish, "refuse", found, findings=(problem,))
    if UNFINISHED in found.tags:
        return _finish(wish, found, group)
    if terms.purpose == "rebuild" and not wish.keep:
        return _recreate(wish, found, group, terms)
    return replace(_keep(wish, found, group, terms), adopted=adopted)


def ours(volume: LogicalVolume) -> bool:
    """It carries our mark; whose it is, is another question."""
    return any(tag == MARK or tag.startswith(f"{MARK}.") for tag in volume.tags)


def labelled(facts: StorageFacts) -> Mapping[Label, Sequence[LogicalVolume]]:
    """The volumes with tags of ours that make sense."""
    found: defaultdict[Label, list[LogicalVolume]] = defaultdict(list)
    for volume in facts.volumes():
        with suppress(ValueError):  # what cannot be read is refused where a wish meets it
            if label := Label.read(volume.tags):
                found[label].append(volume)
    return found


def elsewhere(wish: VolumeWish, same: Sequence[LogicalVolume]) -> Finding | None:
    """Volumes with the wish's own tags under other names."""
    if len(same) > 1:
        paths = ", ".join(sorted(volume.path for volume in same))
        tags = " ".join(f"--deltag {tag}" for tag in sorted(wish.tags))
        hint = f"take the tags from the one that it is not: lvchange {tags} GROUP/NAME"
        return _finding("V115", wish, f"several volumes are tagged as {wish.label}: {paths}", hint)
    if same and same[0].path != wish.path:
        volume = same[0]
        message = f"{wish.label} is called {volume.path}, and the profile calls it {wish.path}"
        if volume.group != wish.group:
            return _finding("V114", wish, message, f"write volume_group: {volume.group}, or move what it holds")
        return _finding("V114", wish, message, f"lvrename {volume.group} {volume.name} {wish.name}")
    return None


def unfit(wish: VolumeWish, found: LogicalVolume) -> Finding | None:
    """Not well, read-only, or no volume that could be a disk."""
    if found.state.trouble:
        hint = f"look at it with: lvs --all --options +lv_health_status {found.group}"
        return _finding("V119", wish, f"{found.path} is not well: {found.state.trouble}", hint)
    if found.hidden or found.state.kind not in _FIT:
        what = "part of another volume" if found.hidden else f"a {found.state.kind}"
        return _finding("V119", wish, f"{found.path} is {what}", "choose another name for the guest's volume")
    if found.state.permissions != "writable":
        hint = f"lvchange --permission rw {found.path}"
        return _finding("V119", wish, f"{found.path} is {found.state.permissions}", hint)
    return None


def stranger(wish: VolumeWish, found: LogicalVolume, terms: Terms) -> Finding | None:
    """A volume that is not the one the wish means."""
    try:
        label = Label.read(found.tags)
    except ValueError as error:
        hint = f"mend them with lvchange --addtag and --deltag; {wish.label} has {', '.join(sorted(wish.tags))}"
        return _finding("V106", wish, f"the tags of {found.path} make no sense: {error}", hint)
    if label is None:
        message = f"{found.path} is there and is not tagged as one of domu's"
        hint = f"if it is {wish.label}: domu volumes apply {wish.guest} --adopt {found.path}"
        if terms.purpose == "ensure":
            by_hand = " ".join(f"--addtag {tag}" for tag in sorted(wish.tags))
            hint += f" (or: lvchange {by_hand} {found.path}); else choose another name"
        return _finding("V104", wish, message, hint)
    if label != wish.label:
        message = f"{found.path} is tagged as {label}, and the profile calls {wish.label} so"
        return _finding("V105", wish, message, "choose another name for one of them")
    return None


def _recreate(wish: VolumeWish, found: LogicalVolume, group: VolumeGroup, terms: Terms) -> Decision:
    problem = _kept(wish, found) or entangled(wish, found, "made anew") or held(wish, found, terms.released)
    if problem:
        return Decision(wish, "refuse", found, findings=(problem,))
    steps = (RemoveVolume(wish.guest, Target.of(found)), _create(wish, group))
    return Decision(wish, "recreate", found, steps)


def _finish(wish: VolumeWish, found: LogicalVolume, group: VolumeGroup) -> Decision:
    """What an earlier run did not finish; it may have been put to use all the same, so this counts as destroying."""
    grown = _grow(wish, found, group)
    in_use = held(wish, found, frozenset())
    findings = tuple(filter(None, (in_use, grown if isinstance(grown, Finding) else None)))
    if findings:
        return Decision(wish, "refuse", found, findings=findings)
    steps, target = _prepare(wish, found)
    if isinstance(grown, GrowVolume):
        steps.append(replace(grown, target=target))
        target = replace(target, size=grown.size)
    steps.append(FinishVolume(wish.guest, target, thin=found.is_thin, wipe=wish.wipe, filesystem=wish.filesystem))
    return Decision(wish, "finish", found, tuple(steps))


def _keep(wish: VolumeWish, found: LogicalVolume, group: VolumeGroup, terms: Terms) -> Decision:
    steps, target = _prepare(wish, found)
    findings = list(filter(None, [_other_kind(wish, found)]))
    grown = _grow(wish, found, group)
    if isinstance(grown, Finding):
        # A rebuild does not fail over a volume that it keeps as it is.
        findings.append(replace(grown, severity=Severity.WARNING) if terms.purpose == "rebuild" else grown)
    elif grown:
        steps.append(replace(grown, target=target))
    if any(finding.severity is Severity.ERROR for finding in findings):
        return Decision(wish, "refuse", found, findings=tuple(findings))
    return Decision(wish, "grow" if isinstance(grown, GrowVolume) else "keep", found, tuple(steps), tuple(findings))


def _grow(wish: VolumeWish, found: LogicalVolume, group: VolumeGroup) -> GrowVolume | Finding | None:
    """The step that makes it as large as it is wished, None where it is, a finding where that cannot be."""
    wanted, there = wish.size.extents(group.extent), found.size.extents(group.extent)
    if wanted == there:
        return None
    if wanted < there:
        message = (
            f"{found.path} has {found.size.human}, and the profile says {wish.size.human}: nothing is made smaller"
        )
        hint = f"write size: {found.size}; to have a smaller one, make a new volume and copy what the old one holds"
        return _finding("V109", wish, message, hint)
    if problem := entangled(wish, found, "grown"):
        return problem
    size = replace(wish.size, bytes=wanted * group.extent.bytes)
    return GrowVolume(wish.guest, Target.of(found), wanted, size, thin=found.is_thin, wipe=wish.wipe)


def _prepare(wish: VolumeWish, found: LogicalVolume) -> tuple[list[Step], Target]:
    """Steps that harm nothing: activate it and give it the tags it lacks; and the volume as it is after them."""
    target = Target.of(found)
    steps: list[Step] = [] if found.state.is_active is not False else [ActivateVolume(wish.guest, target)]
    if missing := wish.tags - found.tags:
        steps.append(TagVolume(wish.guest, target, add=missing))
        target = replace(target, tags=target.tags | missing)
    return steps, target


def _create(wish: VolumeWish, group: VolumeGroup) -> CreateVolume:
    extents = wish.size.extents(group.extent)
    return CreateVolume(
        wish.guest,
        wish.group,
        wish.name,
        extents,
        replace(wish.size, bytes=extents * group.extent.bytes),
        tags=wish.tags,
        pool=wish.pool,
        wipe=wish.wipe,
        filesystem=wish.filesystem,
    )


def _kept(wish: VolumeWish, found: LogicalVolume) -> Finding | None:
    if KEEP not in found.tags:
        return None
    message = f"{found.path} was made to be kept, and the profile says keep: false"
    return _finding(
        "V116", wish, message, f"if it may go: lvchange --deltag {KEEP} {found.path}; else write keep: true"
    )


def held(wish: VolumeWish, found: LogicalVolume, released: Collection[str]) -> Finding | None:
    """In use, and not by a domain that the run stops; or nobody can tell."""
    if found.is_open is False or (found.is_open and found.path in released):
        return None
    if found.is_open is None:
        message = f"whether {found.path} is in use cannot be known here"
        return _finding("V107", wish, message, "the kernel's device mapper does not answer; try: dmsetup info")
    by = ", ".join(found.used_by) or "by a domain or a program"
    message = f"{found.path} is in use: {by}"
    return _finding("V107", wish, message, "stop what uses it (xl list, findmnt, lsof), then run this again")


def entangled(wish: VolumeWish, found: LogicalVolume, done: str) -> Finding | None:
    """Snapshots hang on it, or it is laid out in a way that a plan in extents does not count."""
    if "origin" in found.roles and not (found.is_thin and done == "grown"):
        hint = f"remove them or merge them first: lvs --select 'origin={found.name}' {found.group}"
        return _finding("V108", wish, f"{found.path} has snapshots, so it is not {done}", hint)
    if found.layout not in _SIMPLE:
        words = ", ".join(sorted(found.layout))
        hint = (
            f"do it by hand, as its layout wants it (lvextend, lvremove), and run this again; the volume: {found.path}"
        )
        return _finding("V108", wish, f"{found.path} is laid out as {words}, so it is not {done} by domu", hint)
    return None


def _other_kind(wish: VolumeWish, found: LogicalVolume) -> Finding | None:
    if found.pool == wish.pool:
        return None
    is_now = f"in the thin pool {found.pool}" if found.pool else "thick"
    wished = f"in the thin pool {wish.pool}" if wish.pool else "thick"
    message = f"{found.path} is {is_now}, and the profile wants it {wished}: it stays as it is"
    hint = "a rebuild changes it" if not wish.keep else "copy it to a new volume, or write what it is"
    return _finding("V118", wish, message, hint, Severity.WARNING)


def _finding(code: str, wish: VolumeWish, message: str, hint: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code, message, hint, severity=severity, guest=wish.guest)
