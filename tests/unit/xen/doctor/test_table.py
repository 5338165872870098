"""The table of checks and its documentation: no row without its line in docs/doctor.md and docs/findings.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from builder.report.doctor import checks_table
from builder.xen.doctor.check import Check
from builder.xen.doctor.checks import CHECKS

DOCS = Path(__file__).parents[4] / "docs"
BEGIN, END = "<!-- checks -->\n", "<!-- end -->\n"


def test_the_page_has_the_table(request: pytest.FixtureRequest) -> None:
    page = DOCS / "doctor.md"
    head, rest = page.read_text().split(BEGIN)
    shown, tail = rest.split(END)
    if request.config.getoption("--regenerate"):
        page.write_text(head + BEGIN + checks_table(CHECKS) + END + tail)
        shown = checks_table(CHECKS)
    assert shown == checks_table(CHECKS), "`make golden` writes it anew"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_every_row_is_whole_and_has_its_line_in_the_findings(check: Check) -> None:
    assert all([check.subject, check.looks_at, check.trouble, check.mend])
    assert f"| {check.code} | {check.trouble} | {check.mend} |\n" in (DOCS / "findings.md").read_text()


def test_every_fix_has_its_line() -> None:
    sources = (DOCS.parent / "builder/xen/doctor").glob("*.py")
    names = {name for path in sources for name in re.findall(r'\bFix\(\s*"([a-z-]+)"', path.read_text())}
    _head, part = (DOCS / "doctor.md").read_text().split("| mend | does |\n|---|---|\n")
    assert set(re.findall(r"^\| ([a-z-]+) \|", part.split("\n\n")[0], re.MULTILINE)) == names


def test_codes_are_in_order_and_not_used_twice() -> None:
    codes = [check.code for check in CHECKS]
    assert codes == sorted(set(codes))
