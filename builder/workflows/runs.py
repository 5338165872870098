"""The journals of rebuilds on this dom0, read: for estimates, and for whoever asks how guests stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuilderError
from builder.host.rebuild.journal import read_journals
from builder.plan.journal import Run, parse_journal


@dataclass(frozen=True, slots=True)
class Journals:
    """Runs by guest, the oldest first; `strange`: guest -> why its journal cannot be understood."""

    runs: Mapping[str, tuple[Run, ...]]
    strange: Mapping[str, BuilderError]


def read_runs(root: Path) -> Journals:
    """Every journal; BuilderError where they may not be read."""
    runs: dict[str, tuple[Run, ...]] = {}
    strange = {}
    for guest, text in read_journals(root).items():
        try:
            runs[guest] = parse_journal(text, f"the journal of {guest}")
        except BuilderError as error:
            strange[guest] = error
    return Journals(runs, strange)
