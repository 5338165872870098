"""domu's kernel hook in a Debian 13 guest that GRUB for PV guests boots, while kernels come and go in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.bench import Bench
from tests.lab.boots import Case, boot, stop
from tests.lab.dom0 import Lab
from tests.lab.hook import Kernels, install_other_kernel, quicken_initramfs, reinstall_kernel, remove_kernel

pytestmark = pytest.mark.lab
CASE = Case("pv", "trixie", "pvgrub", hook=True)


@pytest.fixture(scope="module")
def running(bench: Bench) -> Iterator[Lab]:
    """dom0, with the guest up."""
    guest = bench.ready_for(CASE)
    row = boot(bench.standing.lab, guest, CASE, bench.folder)
    assert row.result == "booted", row
    quicken_initramfs(bench.standing.lab)
    yield bench.standing.lab
    stop(bench.standing.lab, CASE)


def test_a_reinstalled_kernel_is_made_ready_anew(running: Lab) -> None:
    before = Kernels.read(running)
    print(reinstall_kernel(running))
    after = Kernels.read(running)
    assert after.ready.keys() == before.ready.keys() != set()
    for name, (when, size) in after.ready.items():
        assert when > before.ready[name][0]
        assert size == before.ready[name][1]
    assert after.entries == before.entries


def test_another_kernel_comes_into_the_menu_and_leaves_it(running: Lab) -> None:
    before = Kernels.read(running)
    version = install_other_kernel(running)
    both = Kernels.read(running)
    print(version, both)
    assert f"vmlinuz-{version}" in both.ready
    print(remove_kernel(running, version))
    assert Kernels.read(running) == before


def test_the_guest_still_boots(running: Lab, bench: Bench) -> None:
    stop(running, CASE)
    row = boot(running, bench.ready_for(CASE), CASE, bench.folder)
    print(row)
    assert row.result == "booted"
