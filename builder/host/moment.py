"""Domains and volumes of dom0 as of one moment: looked at again while a domain comes or goes.

One that ends between the two looks would otherwise be gone, and its volumes still open: in use by nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builder.errors import BuilderError
from builder.host.clock import Clock
from builder.host.lvm import read_storage, settle
from builder.host.run import Runner
from builder.host.xl import list_domains
from builder.storage.facts import StorageFacts
from builder.xen.readings import Domain

# Seconds. A domain that was ended a moment ago is taken apart within a few; one that is dead for longer is looked into
# by a person.
_LIMIT, _PAUSE = 10.0, 0.5


def read_moment(runner: Runner, root: Path, clock: Clock | None = None) -> tuple[tuple[Domain, ...], StorageFacts]:
    """Every domain and every volume. BuilderError when one of them cannot be read, or when it never holds still."""
    clock = clock or Clock()
    end = clock.seconds() + _LIMIT
    while True:
        settle(runner)
        before = list_domains(runner)
        storage = read_storage(runner, root)
        after = list_domains(runner)
        held_still = _who(before) == _who(after)
        if held_still and not any(_is_changing(domain) for domain in after):
            return after, storage
        if clock.seconds() > end:
            break
        clock.pause(_PAUSE)
    if held_still:
        return after, storage
    raise BuilderError(f"domains came and went for {_LIMIT:.0f} s while they were looked at", "look at: xl list")


def _who(domains: Sequence[Domain]) -> list[tuple[int, str, bool, bool]]:
    return [(one.domid, one.uuid, one.state.is_alive, one.config is None) for one in domains]


def _is_changing(domain: Domain) -> bool:
    """About to be taken apart, or still being made."""
    state = domain.state
    return state.dying or state.shutdown in {"poweroff", "reboot"} or (state.paused and domain.config is None)
