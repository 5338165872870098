"""Preseeds of public projects, each finding of which was judged: docs/public-preseeds.md tells how to run this.

The folder DOMU_PUBLIC_PRESEEDS holds OWNER/PROJECT/PATH, as clones of the projects at the commits named in the data
make it. The files are not ours and are not kept here.
"""

from __future__ import annotations

import hashlib
import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from builder.findings import Severity
from builder.workflows.lint import Terms, lint_files

ROOT = Path(__file__).parents[2]
ROWS: list[dict[str, Any]] = json.loads((ROOT / "tests/data/public-preseeds.json").read_text())
PAGE = ROOT / "docs/public-preseeds.md"


@pytest.fixture(scope="module")
def folder() -> Path:
    """Where the files are."""
    named = os.environ.get("DOMU_PUBLIC_PRESEEDS")
    if not named:
        pytest.skip("DOMU_PUBLIC_PRESEEDS names no folder")
    return Path(named)


@pytest.mark.public
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['repository']}/{row['path']}")
def test_errors_are_the_judged_ones(row: dict[str, Any], folder: Path) -> None:
    path = folder / row["repository"] / row["path"]
    if not path.exists():
        pytest.skip(f"there is no {path}")
    data = path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == row["sha256"], "another version of the file: judge it anew"
    (treated,) = lint_files(None, [str(path)], Terms(("trixie", "bookworm")), stdin=BytesIO())
    errors = [finding for finding in treated.linted.findings if finding.severity is Severity.ERROR]
    assert sorted({(finding.place.line, finding.code) for finding in errors}) == judged(row)


def judged(row: dict[str, Any]) -> list[tuple[int, str]]:
    split = (entry.split(":") for entry in row["errors"])
    return sorted((int(line), code) for code, line in split)


def test_the_page_tells_of_each_file_and_of_each_code() -> None:
    page = PAGE.read_text()
    for row in ROWS:
        assert f"| {row['repository']} | `{row['path']}` |" in page
        assert all(f"\n| {code} |" in page for _line, code in judged(row))
    assert len({row["repository"] for row in ROWS}) >= 20
    errors = sum(len(row["errors"]) for row in ROWS)
    assert f"{len(ROWS)} files of {len({row['repository'] for row in ROWS})} projects" in page
    assert f"{errors} errors" in page
