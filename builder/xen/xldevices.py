"""What the strings of `disk` and `vif` in an xl config say (xl-disk-configuration(5), xl-network-configuration(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# libxlu_disk_l.l: how xm's configs name what is behind a disk, and with it their order of words: target, vdev, access.
_PREFIX = re.compile(r"(?:raw|qcow2?|vhd|tapdisk|tap2?|aio|ioemu|file|phy):")
_WRITABLE = {"r": False, "ro": False, "rw": True, "w": True, "": True}
_FORMATS = frozenset({"raw", "qcow", "qcow2", "vhd", "empty", "qed"})
_FLAGS = frozenset({"direct-io-safe", "discard", "no-discard", "trusted", "untrusted", "colo", "no-colo"})


@dataclass(frozen=True, slots=True)
class DiskSpec:
    """One disk: what is behind it (`target`, empty for an empty drive), what the guest calls it, all else by key."""

    target: str
    vdev: str
    writable: bool = True
    cdrom: bool = False
    format: str = "raw"
    more: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NicSpec:
    """One vif, by key; a word without a value has an empty one."""

    values: dict[str, str]

    def get(self, key: str) -> str:
        """The value, or nothing."""
        return self.values.get(key, "")


def parse_disk(text: str) -> DiskSpec:
    """`vdev=xvda,target=/dev/vg0/web1-disk`, `/dev/vg0/web1-disk,raw,xvda,rw` or `phy:vg0/web1-disk,xvda,w`.

    Raises ValueError, in words, for what xl would refuse, or for what it would take for something else.
    """
    values: dict[str, str] = {}
    places = ["target", "format", "vdev", "access"]
    rest = text.lstrip(" \t\n")
    while rest:
        if rest.startswith("target="):  # takes all the rest
            word, rest = rest, ""
        elif "target" not in values and (prefix := _PREFIX.match(rest)):
            values["format"] = prefix[0][:-1] if prefix[0][:-1] in _FORMATS else "raw"
            places, rest = ["target", "vdev", "access"], rest[prefix.end() :]
            continue
        else:
            word, _comma, rest = rest.partition(",")
            rest = rest.lstrip(" \t\n")
        _take(word, values, places)
    return _disk(text, values)


def _take(word: str, values: dict[str, str], places: list[str]) -> None:
    key, equals, value = word.partition("=")
    if word == "cdrom":
        key, value = "devtype", "cdrom"
    elif word in _FLAGS:
        key, value = word, ""
    elif not equals:
        if not (open_places := [place for place in places if place not in values]):
            raise ValueError(f"{word!r} is one word too many")
        key, value = open_places[0], word
        if key in {"format", "vdev"} and (found := re.fullmatch(r"(.*):(cdrom|disk)", word)):
            # `,hdc:cdrom,r`: an empty drive, or xm's way to say what it is
            values["devtype"], value = found[2], found[1]
            if key == "format":
                values["format"], key = "empty", "vdev"
    if key in values:
        raise ValueError(f"{key} is given twice")
    values[key] = value


def _disk(text: str, values: dict[str, str]) -> DiskSpec:
    own = {"target", "vdev", "access", "devtype", "format"}
    access, kind, form = values.get("access", ""), values.get("devtype", "disk"), values.get("format") or "raw"
    if access not in _WRITABLE or kind not in {"disk", "cdrom"} or form not in _FORMATS:
        raise ValueError(f"access {access!r}, devtype {kind!r} or format {form!r} is not known")
    if not values.get("vdev"):
        raise ValueError(f"{text!r} says not what the guest calls it (vdev)")
    more = {key: value for key, value in values.items() if key not in own}
    return DiskSpec(values.get("target", ""), values["vdev"], _WRITABLE[access], kind == "cdrom", form, more)


def parse_nic(text: str) -> NicSpec:
    """`mac=00:16:3e:00:00:01,bridge=xenbr0`. ValueError for a key that is given twice."""
    values: dict[str, str] = {}
    for word in text.split(","):
        if not word.strip(" "):
            continue
        key, _equals, value = word.lstrip(" ").partition("=")
        if key in values:
            raise ValueError(f"{key} is given twice")
        values[key] = value
    return NicSpec(values)


def volume_of(target: str) -> tuple[str, str] | None:
    """Volume group and volume of /dev/GROUP/VOLUME, /dev/mapper/GROUP-VOLUME or xm's GROUP/VOLUME; None for others."""
    parts = target.removeprefix("/dev/").split("/")
    if len(parts) != 2 or not all(parts) or (target.startswith("/") and not target.startswith("/dev/")):
        return None
    if parts[0] != "mapper":
        return None if target.startswith(("/dev/disk/", "/dev/md/", "/dev/zvol/")) else (parts[0], parts[1])
    # The device mapper doubles hyphens within names; a single one stands between them.
    names = re.fullmatch(r"((?:[^-]|--)+)-((?:[^-]|--)+)", parts[1])
    return (names[1].replace("--", "-"), names[2].replace("--", "-")) if names else None
