"""`domu report`: what the drills of this dom0 said of its guests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builder.host.drills import marked, read_records
from builder.host.site import Site, load
from builder.plan.recovery import Report, parse_records, report
from builder.workflows.check import choose


def make_report(site: Site, names: Sequence[str] = (), *, root: Path = Path("/")) -> tuple[Report, tuple[str, ...]]:
    """Of these guests, or all; and the guests of a drill that is under way, or was killed.

    BuilderError for a name that no guest has, or where records cannot be read or understood.
    """
    loaded = load(site)
    chosen = choose(loaded, names)
    texts = read_records(root)
    records = {name: parse_records(texts[name], f"the records of {name}'s drills") for name in chosen if name in texts}
    guests = [guest for guest in loaded.guests if guest.name in chosen]
    return report(guests, records, loaded.dom0.installs_at_once), marked(root)
