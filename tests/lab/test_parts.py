"""The lab's own small parts, and its record; no QEMU."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.boots import RECORD, Row, record
from tests.lab.console import plain

ROW = Row(
    "4.17.5",
    "bookworm",
    "pv",
    "trixie",
    "6.12.1",
    "zstd",
    "pygrub",
    False,
    "booted",
    90,
    "guest login:",
    {},
    "2026-11-23",
)


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        ("\x1b[?2004lguest login: \r\n", "guest login: \n"),
        ("\x1b[1;1H\x1b[2J  Booting `Debian'\r\r\nLoading ...\r", "  Booting `Debian'\nLoading ...\n"),
        ("\x1b(Bplain\x1b[0m", "plain"),
    ],
)
def test_a_console_is_read_without_its_terminal(raw: str, lines: str) -> None:
    assert plain(raw) == lines


def test_a_row_takes_the_place_of_an_earlier_one_of_its_case(tmp_path: Path) -> None:
    path = tmp_path / "boots.json"
    record(ROW, path)
    record(replace(ROW, method="pvgrub", result="failed"), path)
    record(replace(ROW, seconds=80), path)
    rows = json.loads(path.read_text())
    assert [(row["method"], row["result"], row["seconds"]) for row in rows] == [
        ("pvgrub", "failed", 90),
        ("pygrub", "booted", 80),
    ]


def test_the_record_holds_whole_rows_each_case_once() -> None:
    rows = [Row(**row) for row in json.loads(RECORD.read_text())]
    cases = [(row.xen, row.dom0, row.type, row.suite, row.kernel, row.method, row.hook) for row in rows]
    assert len(set(cases)) == len(cases) > 0
    assert {row.result for row in rows} <= {"booted", "failed"}
