"""Domains and volumes of one moment, though a domain comes or goes while they are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host.moment import read_moment
from builder.host.run import Completed
from tests.clocks import QuickClock
from tests.lvm_reports import lv, report, text
from tests.xl import DOM0, LONG_HEAD, UUID, row

ZERO = DOM0.rstrip("\n") + " 00000000-0000-0000-0000-000000000000        -                -\n"
RUNS, STOPPED, DYING, PAUSED = "-b----", "---s--", "-----d", "--p---"


class Dom0:
    """`states` of web1's domain, one for each time that it is listed, the last for ever; empty when it is gone."""

    def __init__(self, *states: str) -> None:
        self.states, self.seen, self.clock = list(states), "", QuickClock()

    def __call__(self, argv: Sequence[str], **_options: object) -> Completed:
        out = ""
        if argv[:3] == ["xl", "list", "--verbose"]:
            self.seen = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            web1 = row("web1", 3, self.seen, f" {UUID}        -                -") if self.seen else ""
            out = LONG_HEAD + ZERO + web1
        elif argv[0] == "xl":
            out = json.dumps([])
        elif argv[0] == "lvm":
            out = text(report([lv(lv_attr="-wi-ao----" if self.seen else "-wi-a-----")]))
        return Completed(tuple(argv), 0, out.encode(), b"")

    def read(self) -> tuple[list[str], bool]:
        """Names of the domains, and whether the volume is open."""
        domains, storage = read_moment(self, Path("/nowhere"), self.clock)
        volume = storage.find("vg0", "web1-disk")
        assert volume
        return [domain.name for domain in domains], bool(volume.is_open)


@pytest.mark.parametrize(
    ("states", "names", "is_open"),
    [
        ([RUNS], ["Domain-0", "web1"], True),
        ([RUNS, ""], ["Domain-0"], False),
        (["", RUNS], ["Domain-0", "web1"], True),
        ([RUNS, STOPPED, DYING, DYING, ""], ["Domain-0"], False),
        ([PAUSED, PAUSED, RUNS], ["Domain-0", "web1"], True),
    ],
)
def test_what_is_told_is_of_one_moment(states: list[str], names: list[str], is_open: bool) -> None:
    assert Dom0(*states).read() == (names, is_open)


def test_what_holds_still_is_not_waited_for() -> None:
    dom0 = Dom0(RUNS)
    dom0.read()
    assert dom0.clock.seconds() == 0


def test_a_domain_that_is_dead_for_long_is_told_of() -> None:
    dom0 = Dom0(DYING)
    assert dom0.read() == (["Domain-0", "web1"], True)
    assert 10 <= dom0.clock.seconds() < 15


def test_a_dom0_that_never_holds_still_is_an_error() -> None:
    with pytest.raises(BuilderError, match="came and went for 10 s"):
        Dom0(*[RUNS, ""] * 100).read()
