"""GRUB's menu as grub-mkconfig writes it (grub.cfg): which entry a plain start takes, and whether that loads Xen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from builder.errors import BuilderError

# grub.d/20_linux_xen loads the hypervisor by one of these; Linux alone comes by `linux`, which may load a module, too.
_LOADS_XEN = re.compile(r"\s*(?:multiboot2?|xen_hypervisor)\s+\S*/xen[-.\w]*", re.ASCII)
_ENTRY = re.compile(r"\s*(?P<kind>menuentry|submenu)\s+(?P<quote>['\"])(?P<title>.*?)(?P=quote)(?P<rest>.*)\{\s*")
_ID = re.compile(r"(?:\$menuentry_id_option|--id)\s+(['\"]?)(?P<id>[^'\"\s]+)\1")
_DEFAULT = re.compile(r"\s*set default=(?P<quote>['\"]?)(?P<value>.*?)(?P=quote)\s*")


@dataclass(frozen=True, slots=True)
class GrubEntry:
    """An entry or, with `below`, a submenu of it."""

    title: str
    id: str
    is_xen: bool
    below: tuple[GrubEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class GrubMenu:
    """The menu, what `set default=` says with grubenv's values filled in, and the entry for the next start only."""

    entries: tuple[GrubEntry, ...]
    default: str
    next_entry: str = ""

    @property
    def chosen(self) -> GrubEntry:
        """The entry that a plain start takes; BuilderError when there is none."""
        return self.find(self.default)

    def find(self, wanted: str) -> GrubEntry:
        """By number from 0, title or id; of a submenu by `>` between, where `>>` is the sign itself (GRUB's manual).

        What names nothing is the first entry, as in GRUB. Of a submenu without more: its first entry.
        """
        here, found = self.entries, None
        for part in re.split(r"(?<!>)>(?!>)", wanted):
            found = _pick(here, part.replace(">>", ">"))
            if found is None:
                break
            here = found.below
        if found is None and self.entries:
            found = self.entries[0]
        while found is not None and found.below:
            found = found.below[0]
        if found is None:
            raise BuilderError("GRUB's menu has no entry")
        return found

    @property
    def has_xen(self) -> bool:
        """Does any entry load Xen?"""
        return any(_any_xen(entry) for entry in self.entries)


def parse_grub(text: str, environment: Mapping[str, str] | None = None) -> GrubMenu:
    """grub.cfg with the variables of grubenv; BuilderError when its braces do not match."""
    known = dict(environment or {})
    lines = iter(text.splitlines())
    entries = tuple(_entries(lines, depth=0))
    default = "0"
    for line in text.splitlines():
        if (match := _DEFAULT.fullmatch(line)) and not match["value"].startswith(("${next_entry}", "$next_entry")):
            default = match["value"]
    saved = known.get("saved_entry", "")
    default = default.replace("${saved_entry}", saved).replace("$saved_entry", saved)
    return GrubMenu(entries, default or "0", known.get("next_entry", ""))


def parse_grubenv(text: str) -> Mapping[str, str]:
    """The lines `name=value` of GRUB's environment block."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value for name, mark, value in (line.partition("=") for line in lines) if mark}


@dataclass(slots=True)
class _Open:
    title: str
    id: str
    is_xen: bool = False
    below: list[GrubEntry] = field(default_factory=list)


def _entries(lines: Iterator[str], *, depth: int) -> Iterator[GrubEntry]:
    """The entries up to the brace that closes this menu; other blocks (if, function) are passed over."""
    braces = 0
    for line in lines:
        if match := _ENTRY.fullmatch(line):
            name = _ID.search(match["rest"])
            opened = _Open(match["title"], name["id"] if name else "")
            if match["kind"] == "submenu":
                opened.below = list(_entries(lines, depth=depth + 1))
            else:
                opened.is_xen = _body_loads_xen(lines)
            yield GrubEntry(opened.title, opened.id, opened.is_xen, tuple(opened.below))
            continue
        braces += _braces(line)
        if braces < 0:
            if depth == 0:
                raise BuilderError("grub.cfg closes a brace that is not open")
            return
    if depth:
        raise BuilderError("grub.cfg ends within a submenu")


def _body_loads_xen(lines: Iterator[str]) -> bool:
    found, braces = False, 0
    for line in lines:
        found = found or bool(_LOADS_XEN.match(line))
        braces += _braces(line)
        if braces < 0:
            return found
    raise BuilderError("grub.cfg ends within a menu entry")


def _braces(line: str) -> int:
    """Opened less closed, but for those of variables and in quotes."""
    bare = re.sub(r"\$\{\w+\}|'[^']*'|\"[^\"]*\"", "", line).split("#")[0]
    return bare.count("{") - bare.count("}")


def _pick(entries: tuple[GrubEntry, ...], wanted: str) -> GrubEntry | None:
    for entry in entries:
        if wanted in {entry.title, entry.id} and wanted:
            return entry
    return entries[int(wanted)] if wanted.isdecimal() and int(wanted) < len(entries) else None


def _any_xen(entry: GrubEntry) -> bool:
    return entry.is_xen or any(_any_xen(below) for below in entry.below)
