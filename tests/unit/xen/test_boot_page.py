"""docs/boot-matrix.md: its tables are the program's, and agree with what was booted in the lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builder.report.boot_page import matrix_page
from builder.xen.boot_facts import assumed_facts
from builder.xen.boot_matrix import WAYS, judge
from builder.xen.kernel import Kernel

ROOT = Path(__file__).parent.parent.parent.parent
PAGE = ROOT / "docs" / "boot-matrix.md"
RECORD = ROOT / "tests" / "data" / "lab-boots.json"
BOOTS: list[dict[str, Any]] = json.loads(RECORD.read_text()) if RECORD.exists() else []


def test_the_page_has_the_tables_of_the_program(request: pytest.FixtureRequest) -> None:
    page = PAGE.read_text()
    made = matrix_page(page, BOOTS)
    if request.config.getoption("--regenerate"):
        PAGE.write_text(made)
        return
    assert page == made, "run make golden"
    assert page.count("<!-- end -->") == 4


@pytest.mark.parametrize(
    "boot", BOOTS, ids=lambda boot: "-".join(map(str, (boot["type"], boot["kernel"], boot["method"], boot["hook"])))
)
def test_the_lab_and_the_matrix_agree(boot: dict[str, Any]) -> None:
    kernel = Kernel(boot["compression"], boot["kernel"], "read in the lab")
    major, minor = boot["xen"].split(".")[:2]
    verdict = judge(WAYS[boot["type"], boot["method"]], "amd64", kernel, assumed_facts(f"{major}.{minor}"))
    expected = verdict.outcome != "cannot" and (boot["hook"] or not verdict.hook)
    assert (boot["result"] == "booted") is expected, boot["line"]


def test_a_boot_is_shown_in_its_row_and_a_failed_one_is_not() -> None:
    host = {"date": "2026-11-23", "xen": "4.17.5", "dom0": "bookworm"}
    guest = {"type": "pv", "suite": "trixie", "kernel": "6.12", "compression": "zstd"}
    boot = {**host, **guest, "method": "pvgrub", "hook": True, "seconds": 57}
    booted = {**boot, "result": "booted", "line": "guest login: "}
    failed = {**boot, "result": "failed", "hook": False, "line": "error: not xen image."}
    page = matrix_page("<!-- matrix -->\n<!-- end -->\n<!-- boots -->\n<!-- end -->\n", [booted, failed])
    (row,) = [line for line in page.splitlines() if line.startswith("| pv | trixie | **pvgrub**")]
    assert row.endswith("| 2026-11-23, Xen 4.17.5, hook: 57 s |")
    assert "| `error: not xen image.` |" in page
    assert page.count("not booted yet") == 2 * len(WAYS) - 1
