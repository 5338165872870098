"""The linter's report in each form that it can be asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal

from builder.findings import Severity
from builder.preseed.lint import RULES
from builder.preseed.linted import Linted
from builder.report.github import github_text
from builder.report.junit import junit_text
from builder.report.lint import lint_data, lint_text, mended_text
from builder.report.sarif import sarif_data

Format = Literal["text", "json", "sarif", "junit", "github"]


def report(
    files: Sequence[Linted], form: Format, limit: Severity, *, mended: Mapping[str, Mapping[str, int]], colour: bool
) -> str:
    """The whole report. `limit`: the mildest severity that fails. `mended`: file -> code -> edits made."""
    match form:
        case "text":
            return lint_text(files, colour=colour) + mended_text(mended)
        case "json":
            ok = all(finding.severity > limit for file in files for finding in file.findings)
            return json.dumps({**lint_data(files, ok=ok), "mended": mended}, indent=2)
        case "sarif":
            return json.dumps(sarif_data(files, RULES), indent=2)
        case "junit":
            return junit_text(files, limit=limit)
        case "github":
            return github_text(files)
