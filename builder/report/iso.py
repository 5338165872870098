"""What was found on an installer image, or put there, for people and as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from builder.image.iso.verify import Check
from builder.report.findings import finding_data
from builder.storage.table import align
from builder.units import Size


def checks_text(path: Path, size: int, checks: Sequence[Check]) -> str:
    """A table, a line for each thing that was looked at: `ok`, `wrong`, or a dash where there is none."""
    rows = [(_state(check), shown(check.what), shown(check.detail)) for check in checks]
    return "\n".join([f"{path}: {Size(size).human}", *(f"  {line}" for line in align(rows))])


def checks_data(path: Path, size: int, checks: Sequence[Check]) -> Mapping[str, Any]:
    """The same as JSON data."""
    return {
        "file": str(path),
        "size": size,
        "sound": not any(check.findings for check in checks),
        "checks": [
            {
                "what": shown(check.what),
                "there": check.there,
                "detail": shown(check.detail),
                "findings": [finding_data(finding) for finding in check.findings],
            }
            for check in checks
        ],
    }


def repacked_text(path: Path, size: int, added: int, way: str, initrds: Sequence[str]) -> str:
    """Two lines: the file, and what carries the preseed."""
    grown = f", {Size(added).human} more than before" if added else ""
    carried = ", ".join(map(shown, initrds))
    return f"{path}: {Size(size).human}{grown}; the rest {way}\n  verified; the preseed is in {carried}"


def repacked_data(path: Path, size: int, added: int, way: str, initrds: Sequence[str]) -> Mapping[str, Any]:
    """The same as JSON data."""
    return {"file": str(path), "size": size, "added": added, "way": way, "initrds": [*map(shown, initrds)]}


def _state(check: Check) -> str:
    if check.findings:
        return "wrong"
    return "ok" if check.there else "-"


def shown(text: str) -> str:
    """What an image says, without signs that a terminal would obey."""
    clean = text.encode(errors="surrogateescape").decode(errors="replace")
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in clean)
