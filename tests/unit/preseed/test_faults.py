"""Every deliberate fault is found with its code in its line; docs/lint-faults.md tells, and what the stock check says."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from builder.findings import Findings, Severity
from builder.host.catalogue import shipped_catalogue
from builder.host.shell import unparsable
from builder.preseed.commands import shell_scripts
from builder.preseed.given import NOTHING, Given
from builder.preseed.lint import RULES, lint
from builder.preseed.syntax import parse_preseed
from tests.preseed_faults import FAULTS, HEAD, INITRD, NETWORK, SMALL, TAIL, XEN, Fault

PAGE = Path(__file__).parents[3] / "docs" / "lint-faults.md"
STOCK = "debconf-set-selections"
# A database of its own, so that neither this machine's questions nor its rights decide.
DATABASE = """\
Config: own
Templates: own-templates

Name: own
Driver: File
Filename: {folder}/config

Name: own-templates
Driver: File
Filename: {folder}/templates
"""
OPENING = """\
# Deliberate faults, and who finds them

Each fault stands in a small preseed for trixie. `domu lint` finds it with the code and in the line given; the last
column is the verdict of `debconf-set-selections --checkonly` of debconf 1.5.82 on the same file. Tests walk the table
(tests/unit/preseed/test_faults.py); `make golden` writes this page anew.

| fault | the line | code | severity | the stock check |
|---|---|---|---|---|
"""


def lint_fault(data: bytes, given: Given) -> Findings:
    file = parse_preseed(data)
    errors = {script: error.text for script, error in unparsable(shell_scripts(file)).items()}
    known = {suite: shipped_catalogue(suite) for suite in ("trixie", "bookworm")}
    return lint(
        file,
        given=replace(given, catalogue=known["trixie"], others=(known["bookworm"],), shell_errors=errors),
    )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.code} {fault.title}")
def test_a_fault_is_found_in_its_line(fault: Fault) -> None:
    found = lint_fault(fault.data, fault.given)
    assert (fault.code, fault.place) in {(finding.code, finding.place.line) for finding in found}


@pytest.mark.parametrize("given", [NOTHING, INITRD, NETWORK, XEN, SMALL])
def test_around_the_faults_nothing_is_found(given: Given) -> None:
    found = lint_fault(HEAD + TAIL, given)
    assert not [finding for finding in found if finding.severity is not Severity.NOTE]
    assert not found or given.loading == "network"


def test_every_rule_has_a_fault_and_every_fault_a_name() -> None:
    assert {fault.code for fault in FAULTS} == {rule.code for rule in RULES}
    assert len({fault.title for fault in FAULTS}) == len(FAULTS)


@pytest.mark.skipif(shutil.which(STOCK) is None, reason="debconf is not installed")
def test_the_page_shows_the_faults_with_the_stock_verdict(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    page = faults_page(tmp_path)
    if request.config.getoption("--regenerate"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "`make golden` writes it anew"


def faults_page(folder: Path) -> str:
    """The page; runs the stock check on every fault."""
    severity = {rule.code: rule.severity.word for rule in RULES}
    rows, refused, warned = [], 0, 0
    for fault in FAULTS:
        accepts, said = stock_verdict(fault.data, folder)
        refused, warned = refused + (not accepts), warned + (accepts and bool(said))
        verdict = ("accepts" if accepts else "refuses") + (f", `{said}`" if said else "")
        rows.append(f"| {fault.title} | {_shown(fault)} | {fault.code} | {severity[fault.code]} | {verdict} |")
    errors = [fault for fault in FAULTS if severity[fault.code] == "error"]
    closing = (
        f"\n{len(FAULTS)} faults, all found by `domu lint`; {len(errors)} of them are errors. The stock check refuses "
        f"{refused} of the {len(FAULTS)} files, accepts {warned} with a warning, and {len(FAULTS) - refused - warned} "
        "without a word.\n"
    )
    return OPENING + "\n".join(rows) + "\n" + closing


def stock_verdict(data: bytes, folder: Path) -> tuple[bool, str]:
    """Whether the stock check accepts the file in an empty database, and the first thing it says."""
    (folder / "debconf.conf").write_text(DATABASE.format(folder=folder))
    (folder / "preseed.cfg").write_bytes(data)
    done = subprocess.run(
        [STOCK, "--checkonly", str(folder / "preseed.cfg")],
        env={**os.environ, "DEBCONF_SYSTEMRC": str(folder / "debconf.conf"), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    first = next(iter(done.stderr.splitlines()), "").replace("|", "\\|")
    return done.returncode == 0, first if len(first) < 80 else first[:77] + "..."


def _shown(fault: Fault) -> str:
    """The line in question, short, with signs that are not seen written out."""
    line = fault.data.split(b"\n")[fault.place - 1].decode("utf-8", "backslashreplace")
    text = "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in line)
    text = text if len(text) <= 70 else text[:67] + "..."
    return "`" + text.replace("|", "\\|") + "`" if text else "(empty)"


def test_given_nothing_only_syntax_is_judged() -> None:
    found = lint(parse_preseed(HEAD + b"d-i partman/confirm_nooverwrit boolean true\n" + TAIL), given=NOTHING)
    assert not found
