"""The linter's report for machines: each form against a reader of its kind, with hostile findings."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.findings import Finding, Findings, Place, Severity
from builder.preseed.lint import RULES
from builder.preseed.linted import Linted, gather
from builder.preseed.syntax import parse_preseed
from builder.report.formats import Format, report

HOSTILE = "a % b\r\n::error::c, d: <&\"'> \x00\x1b \udcff \N{GRINNING FACE}"
# The parts of the SARIF 2.1.0 schema that are used here, by sections 3.13 to 3.52 of the specification.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {"$ref": "#/$defs/run"}},
    },
    "additionalProperties": False,
    "$defs": {
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1}, "markdown": {"type": "string"}},
            "additionalProperties": False,
        },
        "artifactLocation": {
            "type": "object",
            "properties": {
                "uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~!$&'()*+,;=@%/:-]+$"},
                "index": {"type": "integer", "minimum": -1},
            },
            "additionalProperties": False,
        },
        "rule": {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "string"},
                "shortDescription": {"$ref": "#/$defs/message"},
                "fullDescription": {"$ref": "#/$defs/message"},
                "help": {"$ref": "#/$defs/message"},
                "defaultConfiguration": {"type": "object", "properties": {"level": {"$ref": "#/$defs/level"}}},
            },
            "additionalProperties": False,
        },
        "region": {
            "type": "object",
            "properties": {
                name: {"type": "integer", "minimum": 1} for name in ("startLine", "startColumn", "endColumn")
            },
            "additionalProperties": False,
        },
        "location": {
            "type": "object",
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation"],
                    "properties": {
                        "artifactLocation": {"$ref": "#/$defs/artifactLocation"},
                        "region": {"$ref": "#/$defs/region"},
                    },
                    "additionalProperties": False,
                }
            },
            "additionalProperties": False,
        },
        "result": {
            "type": "object",
            "required": ["message"],
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": -1},
                "level": {"$ref": "#/$defs/level"},
                "message": {"$ref": "#/$defs/message"},
                "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
                "properties": {"type": "object"},
            },
            "additionalProperties": False,
        },
        "run": {
            "type": "object",
            "required": ["tool"],
            "properties": {
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "properties": {
                        "driver": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {
                                "name": {"type": "string"},
                                "version": {"type": "string"},
                                "rules": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/rule"}},
                            },
                            "additionalProperties": False,
                        }
                    },
                    "additionalProperties": False,
                },
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "artifacts": {
                    "type": "array",
                    "uniqueItems": True,
                    "items": {"type": "object", "properties": {"location": {"$ref": "#/$defs/artifactLocation"}}},
                },
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
            "additionalProperties": False,
        },
    },
}


def linted(*findings: Finding, name: str = "p.cfg", data: bytes = b"d-i a/b string x\n") -> Linted:
    found = Findings()
    found.extend(findings)
    return gather(name, parse_preseed(data), {"trixie": found})


def finding(
    severity: Severity = Severity.ERROR, *, code: str = "L101", message: str = "wrong", line: int = 1
) -> Finding:
    return Finding(code, message, "do this", Place("p.cfg", line, 5 if line else 0), severity)


def made(form: Format, *files: Linted, limit: Severity = Severity.ERROR) -> str:
    text = report(files, form, limit, mended={}, colour=False)
    text.encode()  # no surrogate is left
    return text


def test_sarif_is_sarif() -> None:
    text = made("sarif", linted(finding(), finding(Severity.NOTE, code="Q101", line=0)), linted(name="clean file.cfg"))
    data = json.loads(text)
    jsonschema.Draft202012Validator(SARIF).validate(data)
    (run,) = data["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted({"Q101"} | {rule.code for rule in RULES})
    whole, at_line = run["results"]
    assert [rules[result["ruleIndex"]]["id"] for result in (whole, at_line)] == ["Q101", "L101"]
    assert [result["level"] for result in (whole, at_line)] == ["note", "error"]
    assert "region" not in whole["locations"][0]["physicalLocation"]
    assert at_line["locations"][0]["physicalLocation"]["region"] == {"startLine": 1, "startColumn": 5, "endColumn": 8}
    assert run["artifacts"][1]["location"]["uri"] == "clean%20file.cfg"


def test_every_rule_brings_its_page_into_sarif() -> None:
    (run,) = json.loads(made("sarif", linted()))["runs"]
    for rule, described in zip(RULES, run["tool"]["driver"]["rules"], strict=True):
        assert described["help"]["text"] == rule.mend
        assert described["fullDescription"]["text"] == rule.why
        assert described["defaultConfiguration"]["level"] == rule.severity.word


def test_junit_counts_failures() -> None:
    some = linted(finding(), finding(Severity.WARNING, code="L102"), finding(Severity.NOTE, code="L104"))
    for limit, failures in ((Severity.ERROR, 1), (Severity.WARNING, 2)):
        root = ET.fromstring(made("junit", some, linted(name="q.cfg"), limit=limit))  # noqa: S314 (our own)
        assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "4", str(failures))
        first, second = root.findall("testsuite")
        assert [case.get("name") for case in first] == ["L101 line 1", "L102 line 1", "L104 line 1"]
        assert len(first.findall("testcase/failure")) == failures == int(first.get("failures", ""))
        assert [case.get("name") for case in second] == ["no findings"]
        assert second.get("failures") == "0"


UNESCAPED = {"%25": "%", "%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","}


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """As the runner of GitHub Actions reads a command (ActionCommand.TryParseV2)."""
    match = re.fullmatch(r"::(\w+) ([^\r\n]*?)::([^\r\n]*)", line)
    assert match
    properties = dict(pair.split("=", 1) for pair in match[2].split(","))
    return match[1], {key: undone(value) for key, value in properties.items()}, undone(match[3])


def undone(text: str) -> str:
    return re.sub("%(?:25|0D|0A|3A|2C)", lambda match: UNESCAPED[match[0]], text)


def test_github_gets_a_command_per_finding() -> None:
    some = linted(
        finding(),
        finding(Severity.WARNING, code="L102"),
        finding(Severity.NOTE, code="L104", line=0),
        name="a,b:c%.cfg",
    )
    whole, *others = made("github", some).splitlines()
    assert read_command(whole) == ("notice", {"file": "a,b:c%.cfg", "title": "L104"}, "wrong\ndo this")
    assert [read_command(line)[0] for line in others] == ["error", "warning"]
    assert read_command(others[0])[1] == {
        "file": "a,b:c%.cfg",
        "line": "1",
        "col": "5",
        "endColumn": "8",
        "title": "L101",
    }
    assert made("github", linted()) == ""


def fit_for(form: Format, text: str) -> None:
    """Read it as a reader of this form does."""
    match form:
        case "json" | "sarif":
            json.loads(text)
        case "junit":
            ET.fromstring(text)  # noqa: S314 (our own)
        case "github":
            for line in text.split("\n"):
                read_command(line)
        case "text":
            assert all(sign.isprintable() or sign == "\n" for sign in text)


@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit", "github"])
def test_hostile_messages_and_names_are_inert(form: Format) -> None:
    some = linted(finding(message=HOSTILE), name=HOSTILE.replace("\x00", ""))
    text = made(form, some)
    fit_for(form, text)
    if form == "github":
        assert read_command(text)[2].startswith("a % b\r\n::error::c, d: <&")


@given(st.text(), st.text(min_size=1), st.binary(max_size=80))
def test_any_message_name_and_file_can_be_reported(message: str, name: str, data: bytes) -> None:
    forms: tuple[Format, ...] = ("text", "json", "sarif", "junit", "github")
    for form in forms:
        fit_for(form, made(form, linted(finding(message=message), name=name, data=data)))


def test_a_name_comes_back_out_of_sarif() -> None:
    (run,) = json.loads(made("sarif", linted(name="/srv/pre seed/ä:1.cfg")))["runs"]
    assert unquote(run["artifacts"][0]["location"]["uri"]) == "file:///srv/pre seed/ä:1.cfg"
