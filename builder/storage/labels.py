"""The tags by which a volume is known as ours: whose it is, and what it is to its guest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

MARK = "domu"
DISK = "domu.disk"
KEEP = "domu.keep"
# Between lvcreate and the last wipe: what is on it is nobody's yet, or still somebody else's.
UNFINISHED = "domu.unfinished"
_GUEST, _VOLUME = "domu.guest=", "domu.volume="
_FLAGS = frozenset({MARK, DISK, KEEP, UNFINISHED})


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """A guest's system disk (`volume` is empty), or a data volume of it by its name in the profile."""

    guest: str
    volume: str = ""

    def __str__(self) -> str:
        return f"{self.guest}'s volume {self.volume!r}" if self.volume else f"{self.guest}'s system disk"

    @property
    def tags(self) -> tuple[str, ...]:
        """What LVM is given."""
        return (MARK, f"{_GUEST}{self.guest}", f"{_VOLUME}{self.volume}" if self.volume else DISK)

    @classmethod
    def read(cls, tags: Collection[str]) -> Self | None:
        """Whose a volume is by its tags; None where none is ours. ValueError where ours make no sense together."""
        ours = {tag for tag in tags if tag == MARK or tag.startswith(f"{MARK}.")}
        if not ours:
            return None
        guests = [tag.removeprefix(_GUEST) for tag in ours if tag.startswith(_GUEST)]
        volumes = [tag.removeprefix(_VOLUME) for tag in ours if tag.startswith(_VOLUME)]
        known = ours & _FLAGS | {f"{_GUEST}{name}" for name in guests} | {f"{_VOLUME}{name}" for name in volumes}
        if unknown := sorted(ours - known):
            raise ValueError(f"{', '.join(unknown)} is not known")
        if MARK not in ours or len(guests) != 1 or len(volumes) + (DISK in ours) != 1:
            raise ValueError(f"{', '.join(sorted(ours))}: one guest and either {DISK} or one {_VOLUME}... belong there")
        if not guests[0] or volumes == [""]:
            raise ValueError(f"{', '.join(sorted(ours))}: a name is empty")
        return cls(guests[0], volumes[0] if volumes else "")
