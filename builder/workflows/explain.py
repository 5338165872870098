"""`domu explain`: what is known of one question, from catalogues that are here."""

from __future__ import annotations

from collections.abc import Sequence

from builder.host.catalogue import shipped_suites
from builder.host.site import Site
from builder.preseed import explained
from builder.preseed.explained import Explained
from builder.workflows.look_up import look_up


def explain(site: Site | None, name: str, suites: Sequence[str] = ()) -> Explained:
    """In these suites, else in all that a catalogue ships for. Opens no connection."""
    return explained.explain(name, [look_up(site, suite).catalogue for suite in suites or shipped_suites()])
