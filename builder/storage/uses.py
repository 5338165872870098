"""Who holds a volume's device, by the kernel's own tables: mounts and swap. It explains `open`, and decides nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping


def parse_mountinfo(text: str) -> dict[str, tuple[str, ...]]:
    """/proc/self/mountinfo (proc(5)): kernel number of the device, as in 253:4 -> `mounted on /srv`, each once."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) > 4:
            found[words[2]][f"mounted on {_plain(words[4])}"] = None
    return {device: tuple(words) for device, words in found.items()}


def parse_swaps(text: str) -> tuple[str, ...]:
    """/proc/swaps: the paths in use as swap."""
    rows = (line.split() for line in text.splitlines()[1:])
    return tuple(_plain(row[0]) for row in rows if row)


def join_uses(*all_uses: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Several readings as one."""
    joined: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for uses in all_uses:
        for device, words in uses.items():
            joined[device] += words
    return dict(joined)


def _plain(text: str) -> str:
    """The kernel writes blanks, tabs, newlines and backslashes as octal."""
    for sign in " \t\n\\":
        text = text.replace(f"\\{ord(sign):03o}", sign)
    return text
