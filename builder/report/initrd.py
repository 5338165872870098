"""What an initrd consists of, for people and as plain data; never the content of a file."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from typing import Any

from builder.image.cpio import FOLDER
from builder.image.initrd import Segment
from builder.units import Size

_KINDS = {
    "domu": "files put in front by domu",
    "cpio": "an uncompressed archive",
    "unknown": "nothing the kernel knows",
}


def segments_text(segments: Sequence[Segment]) -> str:
    """A paragraph per part; the entries of uncompressed ones below it as `ls -l` shows them."""
    lines = []
    for part in segments:
        kind = _KINDS.get(part.kind, f"compressed with {part.kind}")
        lines.append(f"at {part.offset}, {Size(part.size).human}: {kind}")
        lines += [
            f"    {stat.filemode(entry.mode)} {entry.size:>10}  /{_shown(entry.name)}{'/' * (entry.format == FOLDER)}"
            for entry in part.entries
        ]
    return "\n".join(lines)


def segments_data(segments: Sequence[Segment]) -> list[Mapping[str, Any]]:
    """The same as JSON has it; modes in octal as text, sizes and offsets in bytes."""
    return [
        {
            "kind": part.kind,
            "offset": part.offset,
            "size": part.size,
            "entries": [
                {"name": _shown(entry.name), "mode": f"{entry.mode:06o}", "size": entry.size} for entry in part.entries
            ],
        }
        for part in segments
    ]


def _shown(name: str) -> str:
    """A name without signs that a terminal would obey."""
    clean = name.encode(errors="surrogateescape").decode(errors="replace")
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in clean)
