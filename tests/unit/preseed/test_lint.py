"""The linter's tables: every rule has its page and its examples, and the examples say the truth."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from builder.findings import Findings, Severity
from builder.host.catalogue import shipped_catalogue
from builder.preseed.lint import MOST, RULES, lint
from builder.preseed.rule import Failing, Rule
from builder.preseed.syntax import parse_preseed
from builder.report.rules import rules_page

DOCS = Path(__file__).parents[3] / "docs"
FAILING = [pytest.param(rule, failing, id=rule.code) for rule in RULES for failing in rule.failing]
PASSING = [pytest.param(rule, passing, id=rule.code) for rule in RULES for passing in rule.passing]


def lint_example(rule: Rule, data: bytes) -> Findings:
    given = replace(rule.given, catalogue=shipped_catalogue("trixie"), others=(shipped_catalogue("bookworm"),))
    return lint(parse_preseed(data), "p.cfg", given=given)


def found(data: bytes) -> list[tuple[str, int]]:
    return [(finding.code, finding.place.line) for finding in lint(parse_preseed(data))]


@pytest.mark.parametrize(("rule", "failing"), FAILING)
def test_failing_examples_are_found_once_in_their_line(rule: Rule, failing: Failing) -> None:
    findings = [finding for finding in lint_example(rule, failing.data) if finding.code == rule.code]
    assert [(finding.place.file, finding.place.line) for finding in findings] == [("p.cfg", failing.line)]
    assert findings[0].severity is rule.severity
    assert findings[0].hint


@pytest.mark.parametrize(("rule", "passing"), PASSING)
def test_passing_examples_are_not_found(rule: Rule, passing: bytes) -> None:
    assert rule.code not in {finding.code for finding in lint_example(rule, passing)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_is_documented(rule: Rule) -> None:
    assert rule.failing
    assert rule.passing
    for text in (rule.title, rule.why, rule.mend):
        assert text
    assert re.search(
        rf"^\| {rule.code} \| {re.escape(rule.title)}\.? \|", (DOCS / "findings.md").read_text(), re.MULTILINE
    )


def test_codes_are_in_order_and_not_used_twice() -> None:
    codes = [rule.code for rule in RULES]
    assert codes == sorted(set(codes))


def test_the_page_is_the_tables(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--regenerate"):
        (DOCS / "rules.md").write_text(rules_page(RULES))
    assert (DOCS / "rules.md").read_text() == rules_page(RULES), "`make golden` writes it anew"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"d-i a/b string x\n", [], id="a good entry"),
        pytest.param(b"", [("L130", 1)], id="an empty file"),
        pytest.param(b"x\ny\n", [("L101", 1), ("L101", 2), ("L130", 1)], id="each broken line"),
        pytest.param(b"o a/b string x\n  # x\n", [("L102", 2)], id="an indented comment is one finding"),
        pytest.param(b"d-i a/b\xc2\xa0string x\n", [("L114", 1), ("L121", 1)], id="a no-break space and its effect"),
        pytest.param(
            b"\xff\xfed\0-\0i\0\n\0", [("L101", 1), ("L111", 1), ("L111", 2), ("L116", 1), ("L130", 1)], id="UTF-16"
        ),
        pytest.param(b"o a/b string\tx\n", [], id="a tab is one blank"),
        pytest.param(b"o a/b string  \n", [("L118", 1)], id="blanks for a value"),
        pytest.param(b"o a/b string x \\\r\n y\r\n", [("L112", 1)], id="CRLF behind a backslash"),
        pytest.param(b"o a/b str\n", [("L119", 1)], id="a nickname of a type without a value"),
        pytest.param(b"d-i a/b none\n", [("L121", 1)], id="none is no type"),
    ],
)
def test_findings(data: bytes, expected: list[tuple[str, int]]) -> None:
    assert sorted(set(found(data))) == expected


def test_columns_point_at_the_fault() -> None:
    data = "d-i a/b stri\N{ZERO WIDTH SPACE}ng x\n\td-i a/c blah x\n".encode()
    places = {finding.code: str(finding.place) for finding in lint(parse_preseed(data), "p")}
    assert places["L114"] == "p:1:13"
    assert places["L120"] == "p:2:10"


def test_what_is_lost_behind_a_broken_line_is_counted() -> None:
    first, second = lint(parse_preseed(b"x\no a/b string 1\ny\no a/c string 2\n"))
    assert "2 entries behind it are lost" in first.message
    assert "too" in second.message


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        pytest.param(b"# domu: ignore L122\n", [], id="the line above"),
        pytest.param(b"#domu:ignore L122\n", [], id="without blanks"),
        pytest.param(b"# domu: ignore L101 L122\n", [("L190", 1)], id="one of two is used"),
        pytest.param(b"# domu: ignore L122, L120\n", [("L190", 1)], id="separated by a comma"),
        pytest.param(b"# domu: ignore L122 because\n", [], id="with a reason"),
        pytest.param(b"# domu: ignore L122\n# more\n\n", [], id="with comments and blank lines between"),
        pytest.param(
            b"# domu: ignore L122\nd-i a/a string x\n", [("L122", 3), ("L190", 1)], id="another entry between"
        ),
        pytest.param(b"# domu: ignore-file L122\nd-i a/a string x\n", [], id="for the file"),
        pytest.param(b"# domu: ignore L1222\n", [("L122", 2), ("L191", 1)], id="no code"),
        pytest.param(b"# domu: shut up\n", [("L122", 2), ("L191", 1)], id="no known word"),
        pytest.param(b"  # domu: ignore L122\n", [("L102", 1), ("L122", 2)], id="an indented comment is none"),
    ],
)
def test_comments_silence(comment: bytes, expected: list[tuple[str, int]]) -> None:
    assert sorted(found(comment + b"d-i a/b boolean\n")) == expected


def test_a_comment_behind_all_entries_is_reported_as_useless() -> None:
    assert found(b"d-i a/b boolean true\n# domu: ignore L122\n") == [("L190", 2)]


def test_codes_can_be_ignored_from_outside() -> None:
    file = parse_preseed(b"d-i a/b boolean\n# domu: ignore-file L122\n")
    assert not lint(file, ignored=frozenset({"L122"}))


def test_of_each_code_only_the_first_are_given() -> None:
    findings = [one for one in lint(parse_preseed(b"d-i a/b boolean\n" * 1000)) if one.code == "L122"]
    assert len(findings) == MOST + 1
    assert findings[-1].message.startswith("and more")
    assert findings[-1].severity is Severity.WARNING
