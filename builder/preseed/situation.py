"""When the installer asks a question: what a row of asked_rows says, and the situation it is held against."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from builder.profile.model import GuestType, Suite

Priority = Literal["critical", "high", "medium", "low"]
PRIORITIES: tuple[Priority, ...] = ("critical", "high", "medium", "low")
Media = Literal["netboot", "iso"]
Method = Literal["regular", "lvm", "raid", "crypto"]
# Countries for which tzsetup has a template tzsetup/country/CC: there time/zone is asked at high, else at medium.
_ZONES = "AQ AU BR CA CD CL CY EC ES FM GL ID KI KZ MN MX NZ PF PG PT RU UM US"
SEVERAL_ZONES = frozenset(_ZONES.split())


@dataclass(frozen=True, slots=True)
class Situation:
    """What the questions depend on besides the answers. `fresh`: the disk is known to be empty, nothing old is found.

    `boot_in_lvm`: no /boot outside the volume group. `static`: no DHCP. `swap`: the layout has some.
    """

    suite: Suite
    guest_type: GuestType = "pv"
    media: Media = "netboot"
    method: Method = "regular"
    disks: int = 1
    nics: int = 1
    static: bool = False
    swap: bool = True
    boot_in_lvm: bool = False
    efi: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on another answer: the whole of it matches `pattern`; `default` stands where none is given."""

    question: str
    pattern: str
    default: str = ""

    def holds(self, answers: Mapping[str, str]) -> bool:
        """Whether it is met by these answers, by question."""
        return re.fullmatch(self.pattern, answers.get(self.question, self.default)) is not None


@dataclass(frozen=True, slots=True)
class Condition:
    """All that is given must hold; what is left out does not matter."""

    guest_types: frozenset[GuestType] | None = None
    media: frozenset[Media] | None = None
    methods: frozenset[Method] | None = None
    suites: frozenset[Suite] | None = None
    several_disks: bool | None = None
    several_nics: bool | None = None
    static: bool | None = None
    swap: bool | None = None
    boot_in_lvm: bool | None = None
    efi: bool | None = None
    fresh: bool | None = None
    several_zones: bool | None = None
    where: tuple[Where, ...] = ()
    unless: tuple[Where, ...] = ()  # not when all of these hold

    def holds(self, situation: Situation, answers: Mapping[str, str]) -> bool:
        """Whether the question comes up in this situation with these answers."""
        among = (
            (self.guest_types, situation.guest_type),
            (self.media, situation.media),
            (self.methods, situation.method),
            (self.suites, situation.suite),
        )
        same = (
            (self.several_disks, situation.disks > 1),
            (self.several_nics, situation.nics > 1),
            (self.static, situation.static),
            (self.swap, situation.swap),
            (self.boot_in_lvm, situation.boot_in_lvm),
            (self.efi, situation.efi),
            (self.fresh, situation.fresh),
            (self.several_zones, country_of(answers) in SEVERAL_ZONES),
        )
        return (
            all(allowed is None or seen in allowed for allowed, seen in among)
            and all(wanted is None or wanted == seen for wanted, seen in same)
            and all(where.holds(answers) for where in self.where)
            and not (self.unless and all(where.holds(answers) for where in self.unless))
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """One stop of the installer. `shown`: what may be on the screen; `lines`: an example of what answers it.

    It is passed over when every question of one group in `answered_by` has an answer; no group: no answer helps.
    `certain`: asked whenever `condition` holds, else it depends on what the machine turns out to be.
    """

    shown: tuple[str, ...]
    priority: Priority
    when: str
    answered_by: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]
    evidence: str
    condition: Condition = Condition()
    certain: bool = True

    @property
    def mentioned(self) -> frozenset[str]:
        """Every question of this row."""
        return frozenset(self.shown) | {name for group in self.answered_by for name in group}

    def is_answered(self, answers: Mapping[str, str]) -> bool:
        """Whether these answers keep it from being shown."""
        return any(all(name in answers for name in group) for group in self.answered_by)


def country_of(answers: Mapping[str, str]) -> str:
    """The country that the installer will take: asked for, or out of the locale; empty when neither tells."""
    if country := answers.get("debian-installer/country"):
        return country
    match = re.match(r"[a-z]{2,3}_([A-Z]{2})", answers.get("debian-installer/locale", ""))
    return match[1] if match else ""
