"""Findings as JUnit XML, in the form that CI servers read: a suite per file, a case per finding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from builder.findings import Severity
from builder.preseed.linted import Linted, Spot
from builder.report.lint import only

# What XML 1.0 cannot hold (section 2.2, Char), not even escaped.
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_text(files: Sequence[Linted], *, limit: Severity) -> str:
    """The document. Findings of `limit` and worse are failures, others pass with a note; a clean file is one case."""
    root = ET.Element("testsuites", name="domu lint")
    total = sum(len(_suite(root, file, limit)) for file in files)
    failures = sum(int(suite.get("failures", "0")) for suite in root)
    for key, value in (("tests", total), ("failures", failures), ("errors", 0)):
        root.set(key, str(value))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}'


def _suite(root: ET.Element, file: Linted, limit: Severity) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", name=_fit(file.name))
    for spot in file.spots:
        _case(suite, spot, file, limit)
    if not file.spots:
        ET.SubElement(suite, "testcase", classname=_fit(file.name), name="no findings", time="0")
    failures = sum(case.find("failure") is not None for case in suite)
    for key, value in (("tests", len(suite)), ("failures", failures), ("errors", 0), ("skipped", 0), ("time", 0)):
        suite.set(key, str(value))
    return suite


def _case(suite: ET.Element, spot: Spot, file: Linted, limit: Severity) -> None:
    finding = spot.finding
    where = f" line {finding.place.line}" if finding.place.line else ""
    case = ET.SubElement(suite, "testcase", classname=_fit(file.name), name=f"{finding.code}{where}", time="0")
    if finding.place.line:
        case.set("file", _fit(file.name))
        case.set("line", str(finding.place.line))
    message = _fit(finding.message + only(spot, file.suites))
    text = f"{_fit(str(finding.place) or file.name)}: {message}\n{_fit(finding.hint)}".rstrip()
    if finding.severity <= limit:
        ET.SubElement(case, "failure", type=finding.severity.word, message=message).text = text
    else:
        ET.SubElement(case, "system-out").text = f"{finding.severity.word}: {text}"


def _fit(text: str) -> str:
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
