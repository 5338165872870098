"""The letters of lv_attr and vg_attr (lvs(8), vgs(8) of lvm2 2.03.16 and 2.03.31) as words; unknown ones are errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builder.errors import BuilderError

# One table for each position: letter -> word.
_ALLOCATION = {"a": "anywhere", "c": "contiguous", "i": "inherit", "n": "normal", "l": "cling"}
_VOLUME: Sequence[tuple[str, Mapping[str, str]]] = (
    (
        "type",
        {
            "-": "plain",
            "C": "cache",
            "m": "mirror",
            "M": "mirror, not synchronised",
            "o": "snapshot origin",
            "O": "snapshot origin, merging",
            "g": "integrity",
            "r": "raid",
            "R": "raid, not synchronised",
            "s": "snapshot",
            "S": "snapshot, merging",
            "p": "pvmove",
            "v": "virtual",
            "i": "image",
            "I": "image, not synchronised",
            "l": "mirror log",
            "c": "under conversion",
            "V": "thin volume",
            "t": "thin pool",
            "T": "thin pool data",
            "d": "vdo pool",
            "D": "vdo pool data",
            "e": "metadata",
        },
    ),
    ("permissions", {"-": "unknown", "w": "writable", "r": "read-only", "R": "read-only while active"}),
    ("allocation", {**_ALLOCATION, **{key.upper(): f"{word}, locked" for key, word in _ALLOCATION.items()}, "-": ""}),
    ("minor", {"-": "", "m": "fixed"}),
    (
        "state",
        {
            "-": "inactive",
            "a": "active",
            "h": "historical",
            "s": "suspended",
            "I": "invalid snapshot",
            "S": "invalid suspended snapshot",
            "m": "snapshot merge failed",
            "M": "suspended snapshot merge failed",
            "d": "device without table",
            "i": "device with inactive table",
            "c": "thin pool needs a check",
            "C": "suspended thin pool needs a check",
            "X": "unknown",
        },
    ),
    ("open", {"-": "", "o": "open", "X": "unknown"}),
    (
        "target",
        {
            "-": "none",
            "C": "cache",
            "m": "mirror",
            "r": "raid",
            "s": "snapshot",
            "t": "thin",
            "u": "unknown",
            "v": "virtual",
        },
    ),
    ("zero", {"-": "", "z": "zeroes"}),
    (
        "health",
        {
            "-": "",
            "p": "partial",
            "X": "unknown",
            "r": "refresh needed",
            "m": "mismatches",
            "w": "write-mostly",
            "s": "reshaping",
            "R": "remove after reshape",
            "F": "failed",
            "D": "out of data space",
            "M": "metadata read only",
            "E": "writecache error",
        },
    ),
    ("activation", {"-": "", "k": "skipped"}),
)
_GROUP: Sequence[tuple[str, Mapping[str, str]]] = (
    ("permissions", {"w": "writable", "r": "read-only"}),
    ("resizeable", {"-": "", "z": "resizeable"}),
    ("exported", {"-": "", "x": "exported"}),
    ("partial", {"-": "", "p": "partial"}),
    ("allocation", _ALLOCATION),
    ("shared", {"-": "", "c": "clustered", "s": "shared"}),
)


# lv_device_open says unknown of every volume that is not active; the letter tells "not active" from "cannot be known".
_OPEN = {"": False, "open": True, "unknown": None}


@dataclass(frozen=True, slots=True)
class VolumeState:
    """lv_attr in words: `kind` as in plain, thin volume, thin pool. `is_open` is None where the kernel cannot tell."""

    kind: str
    permissions: str
    allocation: str
    state: str
    is_open: bool | None
    zeroes: bool
    health: str
    skipped: bool

    @property
    def is_active(self) -> bool | None:
        """The kernel has a device for it; None where that cannot be known."""
        return None if self.state == "unknown" else self.state not in {"inactive", "historical"}

    @property
    def trouble(self) -> str:
        """What is wrong with it, for a refusal: a state or a health that is not plain; empty for a healthy volume."""
        odd = "" if self.state in {"active", "inactive", "unknown"} else self.state
        return ", ".join(filter(None, (odd, self.health)))


@dataclass(frozen=True, slots=True)
class GroupState:
    """vg_attr in words; `partial`: a physical volume is missing."""

    writable: bool
    exported: bool
    partial: bool
    allocation: str
    shared: str


def read_volume_state(path: str, attr: str) -> VolumeState:
    """Ten letters; BuilderError for one that is not known."""
    words = _words(path, attr, _VOLUME, "lvs(8)")
    return VolumeState(
        kind=words["type"],
        permissions=words["permissions"],
        allocation=words["allocation"],
        state=words["state"],
        is_open=_OPEN[words["open"]],
        zeroes=bool(words["zero"]),
        health=words["health"],
        skipped=bool(words["activation"]),
    )


def read_group_state(name: str, attr: str) -> GroupState:
    """Six letters; BuilderError for one that is not known."""
    words = _words(name, attr, _GROUP, "vgs(8)")
    return GroupState(
        writable=words["permissions"] == "writable",
        exported=bool(words["exported"]),
        partial=bool(words["partial"]),
        allocation=words["allocation"],
        shared=words["shared"],
    )


def _words(name: str, attr: str, tables: Sequence[tuple[str, Mapping[str, str]]], page: str) -> dict[str, str]:
    if len(attr) != len(tables):
        raise BuilderError(f"the attributes {attr!r} of {name} are not {len(tables)} letters", f"{page} explains them")
    found = {}
    for letter, (what, table) in zip(attr, tables, strict=True):
        if letter not in table:
            raise BuilderError(f"the {what} {letter!r} in the attributes {attr!r} of {name} is not known", page)
        found[what] = table[letter]
    return found
