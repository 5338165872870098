"""The storage plan: what every wish of a run comes to, and the steps, or findings that refuse all of it.

Facts in, plan out. Nothing of a run is touched when one of its wishes is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from builder.errors import BuilderError
from builder.findings import Finding, Findings, Severity
from builder.storage.facts import LogicalVolume, StorageFacts
from builder.storage.judge import Decision, Purpose, Terms, decide, labelled
from builder.storage.labels import Label
from builder.storage.pools import PoolUse, check_pools, measure_pools
from builder.storage.room import GroupUse, check_groups, check_room, measure_groups
from builder.storage.steps import Step
from builder.storage.wishes import VolumeWish
from builder.units import Size

_WHY = {"recreate": "made anew", "finish": "an earlier run made it and did not finish: wiped now"}


@dataclass(frozen=True, slots=True)
class Destroyed:
    """A volume whose content is lost when the plan is carried out."""

    guest: str
    path: str
    size: Size
    why: str


@dataclass(frozen=True, slots=True)
class StoragePlan:
    """Decisions in the order of the wishes, and every finding, sorted."""

    purpose: Purpose
    decisions: tuple[Decision, ...]
    findings: tuple[Finding, ...]
    groups: tuple[GroupUse, ...] = ()
    pools: tuple[PoolUse, ...] = ()

    @property
    def refused(self) -> bool:
        """At least one finding is an error."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is to be done, in order; nothing where something is refused."""
        return () if self.refused else tuple(step for decision in self.decisions for step in decision.steps)

    @property
    def destroyed(self) -> tuple[Destroyed, ...]:
        """What will be lost."""
        return tuple(
            Destroyed(decision.wish.guest, decision.found.path, decision.found.size, _WHY[decision.action])
            for decision in self.decisions
            if decision.destroys and decision.found
        )


def plan_storage(
    wishes: Iterable[VolumeWish],
    facts: StorageFacts,
    *,
    purpose: Purpose = "ensure",
    released: Collection[str] = (),
    adopt: Collection[str] = (),
) -> StoragePlan:
    """Compare wishes with facts. `ensure` makes what is missing and grows; `rebuild` also makes anew what is not kept.

    `released`: GROUP/NAME of volumes that are open by domains which this run stops before. `adopt`: GROUP/NAME of
    volumes without our tags that become ours (`ensure` only). The wishes of a guest are always given together: what
    is tagged as its own and wished for by nobody is told. BuilderError when two wishes name one volume.
    """
    wanted = tuple(wishes)
    _refuse_twins(wanted)
    terms = Terms(purpose, frozenset(released), frozenset(adopt))
    findings = Findings()
    sound = {group.name: group for group in facts.groups}
    for name, finding in check_groups(facts, wanted):
        sound.pop(name, None)
        findings.add(finding)
    labels = labelled(facts)
    decisions = tuple(
        decide(wish, sound[wish.group], labels.get(wish.label, ()), terms)
        if wish.group in sound
        else Decision(wish, "refuse")
        for wish in wanted
    )
    for decision in decisions:
        findings.extend(decision.findings)
    groups, pools = measure_groups(facts, decisions), measure_pools(facts, decisions)
    findings.extend(check_room(groups, decisions))
    findings.extend(check_pools(facts, pools, decisions))
    findings.extend(_orphans(labels, wanted))
    findings.extend(_unused_adoptions(decisions, terms))
    return StoragePlan(purpose, decisions, tuple(findings), groups, pools)


def _refuse_twins(wishes: Sequence[VolumeWish]) -> None:
    counts = Counter(wish.path for wish in wishes)
    if twice := sorted(path for path, count in counts.items() if count > 1):
        raise BuilderError(f"{twice[0]} is wished for twice", "give one of them another name")


def _orphans(labels: Mapping[Label, Sequence[LogicalVolume]], wishes: Sequence[VolumeWish]) -> Iterable[Finding]:
    guests = {wish.guest for wish in wishes}
    wished = {wish.label for wish in wishes}
    for label, volumes in labels.items():
        for volume in volumes if label.guest in guests and label not in wished else ():
            message = f"{volume.path} is tagged as {label}, which the profile does not have; it is left alone"
            hint = f"if nobody needs it: lvremove {volume.path}"
            yield Finding("V117", message, hint, severity=Severity.NOTE, guest=label.guest)


def _unused_adoptions(decisions: Sequence[Decision], terms: Terms) -> Iterable[Finding]:
    adopted = {decision.wish.path for decision in decisions if decision.adopted}
    known = {decision.wish.path: decision.wish.guest for decision in decisions}
    for path in sorted(terms.adopt - adopted):
        if path not in known:
            yield Finding(
                "V104", f"no guest of this run has a volume {path} to adopt", "write GROUP/NAME as in the plan"
            )
