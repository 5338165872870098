"""Findings: sorted, once each, told with their place and what to do."""

from __future__ import annotations

import json
import pickle

import pytest

from builder.findings import Finding, Findings, Place, Severity, did_you_mean
from builder.report.findings import count_text, finding_data, findings_text
from builder.secret import Secret

LATE = Finding("P201", "memory is no size", "write 1024M", Place("profiles/web1.yaml", 7, 9))
EARLY = Finding("P202", "odd name", place=Place("profiles/web1.yaml", 2, 1), severity=Severity.WARNING)


def test_each_is_kept_once_and_sorted_by_place() -> None:
    findings = Findings()
    findings.extend([LATE, EARLY, LATE])
    assert list(findings) == [EARLY, LATE]
    assert findings.errors == (LATE,)


def test_the_text_has_place_severity_code_message_and_hint() -> None:
    assert findings_text([LATE]) == "profiles/web1.yaml:7:9: error P201: memory is no size\n    write 1024M"
    assert "\x1b[1;33mwarning P202\x1b[0m" in findings_text([EARLY], colour=True)


def test_the_data_has_the_same_in_fields() -> None:
    assert json.loads(json.dumps(finding_data(LATE))) == {
        "code": "P201",
        "severity": "error",
        "guest": "",
        "file": "profiles/web1.yaml",
        "line": 7,
        "column": 9,
        "message": "memory is no size",
        "hint": "write 1024M",
    }


def test_counts_are_words() -> None:
    assert count_text([LATE, LATE, EARLY]) == "2 errors, 1 warning"
    assert count_text([]) == "no findings"


def test_a_near_word_is_offered() -> None:
    assert did_you_mean("memmory", ["memory", "vcpus"]) == "did you mean 'memory'?"
    assert did_you_mean("zzz", ["memory"]) == ""


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("$6$salt$hash")
    assert {str(secret), repr(secret), f"{secret}", f"{secret!r:>5}", "%s" % secret} == {"Secret(...)"}  # noqa: UP031
    assert secret == Secret("$6$salt$hash")
    assert secret != Secret("other")
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(secret)
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(secret)
