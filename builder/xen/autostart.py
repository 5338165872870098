"""Which guests xendomains starts with dom0, and in which order: links in /etc/xen/auto, taken by their names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter

from builder.profile.model import Guest
from builder.xen.config import run_config_path

# XENDOMAINS_AUTO of Debian's /etc/default/xendomains.
AUTO = "/etc/xen/auto"


@dataclass(frozen=True, slots=True, order=True)
class AutoLink:
    """A symbolic link on dom0: its own path, and that of the run config."""

    path: str
    target: str


def plan_autostart(guests: Iterable[Guest]) -> tuple[AutoLink, ...]:
    """One link for each guest with `autostart`, in the order of starting: `/etc/xen/auto/010-db1.cfg`.

    Guests that wait for none come first; all of one rank by name. Raises graphlib.CycleError for a circle, which the
    rules of profiles refuse (P206).
    """
    chosen = {guest.name: guest for guest in guests if guest.autostart}
    before = {name: [one for one in guest.start_after if one in chosen] for name, guest in chosen.items()}
    ranks: dict[str, int] = {}
    for name in TopologicalSorter(before).static_order():
        ranks[name] = 1 + max((ranks[one] for one in before[name]), default=0)
    return tuple(
        sorted(AutoLink(f"{AUTO}/{ranks[name]:02}0-{name}.cfg", run_config_path(chosen[name])) for name in chosen)
    )
