"""The doctor's answers as text and as data."""

from __future__ import annotations

import json

import pytest

from builder.report.doctor import count_text, doctor_data, doctor_text
from builder.xen.doctor.check import Diagnosis, Verdict
from builder.xen.doctor.fixes import Fix

FIX = Fix("grub", "start with Xen", commands=(("update-grub",),), undo=("update-grub",), left="reboot")


def one(verdict: Verdict, message: str = "said", *mend: str, code: str = "D101", fix: Fix | None = None) -> Diagnosis:
    return Diagnosis(verdict, message, mend, fix, code, "Domain-0")


def test_lines_are_aligned_and_mends_stand_at_the_end_once() -> None:
    shown = doctor_text(
        [
            one(Verdict.WRONG, "no Xen", fix=FIX),
            one(Verdict.WARN, "old", "apt-get update", "reboot"),
            one(Verdict.WARN, "older", "reboot"),
            one(Verdict.OK, "fine"),
        ]
    )
    assert shown.splitlines() == [
        "wrong    D101  Domain-0  no Xen",
        "warn     D101  Domain-0  old",
        "warn     D101  Domain-0  older",
        "ok       D101  Domain-0  fine",
        "",
        "1 fine, 1 to mend, 2 to look at",
        "",
        "To mend, as root:",
        "    domu doctor --fix   # grub",
        "    apt-get update",
        "    reboot",
    ]


def test_nothing_to_mend_is_said_by_the_count_alone() -> None:
    assert doctor_text([one(Verdict.OK)]).splitlines()[1:] == ["", "1 fine"]


@pytest.mark.parametrize(
    ("verdicts", "text"),
    [
        ([], "0 fine"),
        ([Verdict.OK] * 14 + [Verdict.WRONG] * 2 + [Verdict.UNKNOWN] * 3, "14 fine, 2 to mend, 3 cannot be known here"),
        ([Verdict.WARN], "0 fine, 1 to look at"),
    ],
)
def test_the_count(verdicts: list[Verdict], text: str) -> None:
    assert count_text([one(verdict) for verdict in verdicts]) == text


def test_what_is_not_known_for_one_reason_is_one_line() -> None:
    many = [one(Verdict.UNKNOWN, "no Xen", code=f"D10{number}") for number in range(1, 6)]
    shown = doctor_text([*many, one(Verdict.UNKNOWN, "no bus", code="D134")]).splitlines()
    assert shown[0] == "unknown        5 checks  no Xen: Domain-0, Domain-0, Domain-0, Domain-0, Domain-0"
    assert shown[1] == "unknown  D134  Domain-0  no bus"
    assert "6 cannot be known here" in shown[3]


def test_long_messages_go_on_below_themselves() -> None:
    first, second = doctor_text([one(Verdict.OK, "word " * 30)]).splitlines()[:2]
    assert first.index("word") == second.index("word")
    assert max(len(first), len(second)) <= 120


def test_colour_only_where_wanted_and_never_from_outside() -> None:
    answers = [one(Verdict.WRONG, "name \x1b[31mred\x1b[0m", "rm '\x1b[2J'")]
    assert "\x1b" not in doctor_text(answers)
    assert doctor_text(answers, colour=True).count("\x1b") == 2
    assert r"name \x1b[31mred" in doctor_text(answers)


def test_data_is_json_with_every_answer_and_fix() -> None:
    answers = [one(Verdict.WRONG, "no Xen", fix=FIX), one(Verdict.WARN, "x", "y", fix=FIX), one(Verdict.OK)]
    data = json.loads(json.dumps(doctor_data(answers, ok=False)))
    assert data["summary"] == {"wrong": 1, "warn": 1, "unknown": 0, "ok": 1}
    assert data["checks"][0] == {
        "code": "D101",
        "subject": "Domain-0",
        "verdict": "wrong",
        "message": "no Xen",
        "mend": [],
        "fix": "grub",
    }
    assert [fix["name"] for fix in data["fixes"]] == ["grub"]
    assert data["fixes"][0]["commands"] == [["update-grub"]]
