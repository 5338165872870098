"""What /etc/network/interfaces says of interfaces that a plan configures: after a boot, both would be at work."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

# interfaces(5): what begins a stanza, and so ends the one before; options stand in between.
_BEGINNERS = ("iface", "auto", "allow-", "no-auto-down", "no-scripts", "mapping", "rename", "source", "template")


@dataclass(frozen=True, slots=True)
class Stanza:
    """An `iface` stanza: its interface, and its lines (numbers from 1, `last` included)."""

    interface: str
    first: int
    last: int


def stanzas_of(text: str, owned: Collection[str]) -> tuple[Stanza, ...]:
    """Those that give an owned interface something; `iface eth0 inet manual` without options gives nothing."""
    return tuple(one for one, lines in _stanzas(text) if one.interface in owned and not _is_harmless(lines))


def _stanzas(text: str) -> Iterator[tuple[Stanza, list[str]]]:
    begun: tuple[str, int, list[str]] | None = None
    last = 0
    for number, line in _logical(text):
        words = line.replace("\\\n", " ").split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith(_BEGINNERS):
            if begun:
                yield Stanza(begun[0], begun[1], last), begun[2]
            begun = (words[1], number, [line]) if words[0] == "iface" and len(words) > 1 else None
        elif begun:
            begun[2].append(line)
        last = number + line.count("\n")
    if begun:
        yield Stanza(begun[0], begun[1], last), begun[2]


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; one that ends in a backslash goes on in the next, which stays part of the text."""
    held, start = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        start = start if held else number
        held += line
        if line.endswith("\\") and not held.lstrip().startswith("#"):
            held += "\n"
            continue
        yield start, held
        held = ""
    if held:
        yield start, held.rstrip("\n")


def _is_harmless(lines: list[str]) -> bool:
    words = lines[0].replace("\\\n", " ").split()
    return len(lines) == 1 and words[-1] == "manual"


def commented(text: str, owned: Collection[str]) -> str:
    """The same with these stanzas as comments."""
    hidden = {number for one in stanzas_of(text, owned) for number in range(one.first, one.last + 1)}
    lines = text.splitlines(keepends=True)
    return "".join(f"#domu: {line}" if number in hidden else line for number, line in enumerate(lines, start=1))
