"""Links by which xendomains starts guests: those before others sort before them."""

from __future__ import annotations

from graphlib import CycleError

import pytest

from builder.xen.autostart import AutoLink, plan_autostart
from tests.guests import guest


def test_guests_start_in_their_order() -> None:
    guests = [
        guest(name="web1", autostart=True, start_after=["db1", "cache1"]),
        guest(name="db1", autostart=True, start_after=["dns1"]),
        guest(name="dns1", autostart=True),
        guest(name="cache1", autostart=True),
        guest(name="test1", start_after=["dns1"]),
        guest(name="log1", autostart=True, start_after=["test1"]),
    ]
    links = plan_autostart(guests)
    assert [link.path for link in links] == [
        "/etc/xen/auto/010-cache1.cfg",
        "/etc/xen/auto/010-dns1.cfg",
        "/etc/xen/auto/010-log1.cfg",
        "/etc/xen/auto/020-db1.cfg",
        "/etc/xen/auto/030-web1.cfg",
    ]
    assert links[3] == AutoLink("/etc/xen/auto/020-db1.cfg", "/var/lib/domu/db1/db1.cfg")


def test_ranks_of_a_hundred_still_sort() -> None:
    guests = [guest(name="g0", autostart=True)]
    guests += [guest(name=f"g{n}", autostart=True, start_after=[f"g{n - 1}"]) for n in range(1, 99)]
    assert [link.path.rpartition("-")[2] for link in plan_autostart(guests)] == [f"g{n}.cfg" for n in range(99)]


def test_a_circle_has_no_order() -> None:
    with pytest.raises(CycleError):
        plan_autostart([guest(name="a", autostart=True, start_after=["a"])])
