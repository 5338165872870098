"""The boot matrix on real Xen, row by row; each is recorded in tests/data/lab-boots.json."""

from __future__ import annotations

import pytest

from tests.lab.bench import Bench
from tests.lab.boots import Case, boot, record, stop

pytestmark = pytest.mark.lab

BOOTED, ZSTD = "booted", "error: not xen image"
# In an order that lays each guest's disk once. With the hook in the guest all other methods must go on as before.
CASES = [
    (Case("pv", "trixie", "direct"), BOOTED),
    (Case("pv", "trixie", "pvgrub"), ZSTD),
    (Case("pv", "trixie", "pvgrub", hook=True), BOOTED),
    (Case("pv", "trixie", "pygrub", hook=True), BOOTED),
    (Case("pvh", "trixie", "pvhgrub", hook=True), BOOTED),
    (Case("pvh", "trixie", "direct", hook=True), BOOTED),
    (Case("pv", "bookworm", "direct"), BOOTED),
    (Case("pv", "bookworm", "pvgrub"), BOOTED),
    (Case("pv", "bookworm", "pygrub"), BOOTED),
    (Case("pvh", "bookworm", "pvhgrub"), BOOTED),
    (Case("pvh", "bookworm", "direct"), BOOTED),
    (Case("pv", "bookworm", "pvgrub", hook=True), BOOTED),
]


@pytest.mark.parametrize(("case", "expected"), CASES, ids=lambda value: str(value) if isinstance(value, Case) else "")
def test_boot(bench: Bench, case: Case, expected: str) -> None:
    guest = bench.ready_for(case)
    row = boot(bench.standing.lab, guest, case, bench.folder)
    record(row)
    print(row)
    if row.result == BOOTED:
        stop(bench.standing.lab, case)
        assert row.guest["guest_type"].lower() == case.type
        assert row.guest["failed_units"] == "0"
    assert row.result == BOOTED if expected == BOOTED else expected in row.line
