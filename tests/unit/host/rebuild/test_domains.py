"""Domains of a guest stopped, taken away and made, against an xl that answers as it was recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from builder.errors import BuilderError
from builder.host.clock import StopRequestError
from builder.host.rebuild.domains import GONE, create_domain, destroy_domain, find_domain, stop_domain
from builder.host.run import Completed
from tests.clocks import QuickClock
from tests.xl import DOM0, LONG_HEAD, UUID, row

OTHER = UUID.replace("3f", "4f")


def domain(domid: int, state: str = "-b----", uuid: str = UUID, name: str = "web1") -> str:
    return row(name, domid, state, f" {uuid}        -                -")


@dataclass
class Xl:
    """`rows` are the domains; what is asked for is kept, and `on` says what becomes of the rows then."""

    clock: QuickClock
    rows: list[str]
    on: dict[str, Callable[[Xl], int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    later: list[tuple[float, list[str]]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str], **_options: object) -> Completed:
        while self.later and self.clock.seconds() >= self.later[0][0]:
            self.rows = self.later.pop(0)[1]
        if argv[1] == "list":
            return Completed(tuple(argv), 0, (LONG_HEAD + DOM0ROW + "".join(self.rows)).encode(), b"")
        self.asked.append(" ".join(argv[1:]))
        status = self.on[argv[1]](self) if argv[1] in self.on else 0
        return Completed(tuple(argv), status, b"", b"xl: it failed\n" if status else b"")


DOM0ROW = DOM0.rstrip("\n") + " 00000000-0000-0000-0000-000000000000        -                -\n"


def gone(xl: Xl) -> int:
    xl.rows = []
    return 0


def after(seconds: float, *rows: str) -> Callable[[Xl], int]:
    def act(xl: Xl) -> int:
        xl.later.append((xl.clock.seconds() + seconds, list(rows)))
        return 0

    return act


def test_a_guest_that_shuts_down_is_not_destroyed() -> None:
    clock = QuickClock()
    xl = Xl(clock, [domain(3)], {"shutdown": after(40)})
    stop_domain(xl, clock, UUID, 120)
    assert xl.asked == ["shutdown -F 3"]
    assert 40 <= clock.seconds() < 45


def test_one_that_does_not_is_destroyed_after_the_limit() -> None:
    clock = QuickClock()
    xl = Xl(clock, [domain(3)], {"destroy": gone})
    stop_domain(xl, clock, UUID, 120)
    assert xl.asked == ["shutdown -F 3", "destroy 3"]
    assert 120 <= clock.seconds() < 125


@pytest.mark.parametrize(
    ("rows", "on", "asked"),
    [
        pytest.param([], {}, [], id="gone already"),
        pytest.param([domain(4, uuid=OTHER)], {}, [], id="another domain of the name"),
        pytest.param([domain(3, "---s--")], {"destroy": gone}, ["destroy 3"], id="kept after its power off"),
        pytest.param(
            [domain(3)], {"shutdown": after(5, domain(3, "---s--")), "destroy": gone}, ["shutdown -F 3", "destroy 3"],
            id="kept, on_poweroff = preserve",
        ),
        pytest.param(
            [domain(3)], {"shutdown": after(5, domain(9)), "destroy": gone}, ["shutdown -F 3", "destroy 9"],
            id="back again, on_poweroff = restart",
        ),
        pytest.param([domain(3)], {"shutdown": lambda _: 1, "destroy": gone}, ["shutdown -F 3", "destroy 3"], id="deaf"),
    ],
)  # fmt: skip
def test_what_is_done_to_stop_it(rows: list[str], on: dict[str, Callable[[Xl], int]], asked: list[str]) -> None:
    clock = QuickClock()
    xl = Xl(clock, rows, on)
    stop_domain(xl, clock, UUID, 120)
    assert xl.asked == asked
    assert clock.seconds() < 15


def test_the_name_is_free_when_it_is_destroyed() -> None:
    clock = QuickClock()
    xl = Xl(clock, [domain(3)], {"destroy": after(20)})
    destroy_domain(xl, clock, UUID)
    assert clock.seconds() >= 20
    assert find_domain(xl, UUID) is None


def test_a_domain_that_does_not_go_is_told() -> None:
    clock = QuickClock()
    xl = Xl(clock, [domain(3, "-----d")])
    with pytest.raises(BuilderError, match="still there after"):
        destroy_domain(xl, clock, UUID)
    assert xl.asked == []
    assert clock.seconds() > GONE


def test_what_xl_refuses_to_destroy_is_told() -> None:
    clock = QuickClock()
    with pytest.raises(BuilderError, match="xl destroy 3 failed: xl: it failed"):
        destroy_domain(Xl(clock, [domain(3)], {"destroy": lambda _: 1}), clock, UUID)


def test_a_stop_is_heard_while_a_guest_shuts_down() -> None:
    clock = QuickClock()

    def stop(_xl: Xl) -> int:
        clock.stop.set()
        return 0

    xl = Xl(clock, [domain(3)], {"shutdown": stop})
    with pytest.raises(StopRequestError):
        stop_domain(xl, clock, UUID, 120)
    assert xl.asked == ["shutdown -F 3"]


def test_a_domain_is_made_of_a_config() -> None:
    xl = Xl(QuickClock(), [])
    create_domain(xl, "/var/lib/domu/web1/web1.cfg")
    assert xl.asked == ["create /var/lib/domu/web1/web1.cfg"]
    with pytest.raises(BuilderError, match=r"xl create /etc/xen/x\.cfg failed: xl: it failed"):
        create_domain(Xl(QuickClock(), [], {"create": lambda _: 1}), "/etc/xen/x.cfg")
