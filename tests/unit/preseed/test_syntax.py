"""Preseed syntax against recorded verdicts of the installer's own parser, and the laws of taking a file apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builder.preseed.loader import SeenMark, load, lost_entries
from builder.preseed.syntax import Broken, Entry, Fault, LineKind, parse_preseed, unparse

CASES = json.loads((Path(__file__).parents[2] / "data" / "grammar-cases.json").read_text())


def vector(case: dict[str, Any]) -> tuple[bytes, dict[str, list[str]]]:
    """Input and what d-i's database held; the long ones are recorded by their length."""
    values = case["di_values"]
    if case["case"].startswith("long_"):
        value = "x" * int(case["case"].removeprefix("long_"))
        return f"d-i a/b string {value}\n".encode(), {"a/b": [value, "seen"]}
    return case["input"].encode("latin-1"), values


def held(data: bytes) -> dict[str, str]:
    """Question and value as the installer would hold them."""
    return {answer.question: answer.value for answer in load(parse_preseed(data)).answers}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_recorded_verdicts_of_the_installer(case: dict[str, Any]) -> None:
    data, values = vector(case)
    loaded = load(parse_preseed(data))
    found = {
        answer.question: [
            answer.value.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
            "seen" if answer.seen else "",
        ]
        for answer in loaded.answers
    }
    assert found == values
    assert loaded.aborts == bool(case["di_rc"])


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b"o a/b string x \\\n\\\ny\n", "x  y", id="a lone backslash adds a blank"),
        pytest.param(b"\\\no a/b string y\n", "y", id="a lone backslash in front adds nothing"),
        pytest.param(b"o a/b string x\\\\\ny\n", "x\\ y", id="of two backslashes one stays"),
        pytest.param(b"o a/b string x\t \\\n\t y\n", "x y", id="blanks around a join become one"),
        pytest.param(b"o a/b string x \\\n-n\n", "x", id="echo takes -n for its option"),
        pytest.param(b"o a/b string x \\\n-nEe\n", "x", id="echo takes several options"),
        pytest.param(b"o a/b string x \\\n -n\n", "x -n", id="an indented -n is text"),
        pytest.param(b"o a/b string x \\\n-n y\n", "x -n y", id="-n with a word behind is text"),
        pytest.param(b"o a/b string x \\\n-no\n", "x -no", id="-no is text"),
        pytest.param(b"o a/b string -n\n", "-n", id="-n is a value"),
        pytest.param(b"o a/b string x \\\r\n  y\r\n", "x y", id="CRLF continues"),
        pytest.param(b"o a/b string x\ry\n", "xy", id="CR vanishes anywhere"),
        pytest.param(b"o a/b string x \\\n# c\n\ny\n", "x y", id="comment and blank in a continuation vanish"),
        pytest.param(b"o a/b string x \\\n # c \\\ny\n", "x # c y", id="an indented comment joins"),
        pytest.param(b"o a/b string \xc2\xa0x\n", "\N{NO-BREAK SPACE}x", id="no-break space is no blank"),
        pytest.param(b"o a/b string x\xc2\x85\n", "x\x85", id="C1 controls stay at the end"),
        pytest.param(b"o a/b string x\x1c\n", "x\x1c", id="file separator is no blank"),
        pytest.param(b"o a/b string\x0bx\n", "x", id="vertical tab separates"),
        pytest.param(b"o a/b string v\0#c\nx \n", "v", id="NUL ends a line, so # is a comment behind it"),
    ],
)
def test_values(data: bytes, value: str) -> None:
    assert held(data)["a/b"] == value


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(b"x\n", Fault.OWNER, id="owner alone"),
        pytest.param(b"x \n", Fault.QUESTION, id="owner and a blank"),
        pytest.param(b"x y\n", Fault.QUESTION, id="owner and question"),
        pytest.param(b"x y \n", Fault.TYPE, id="question and a blank"),
        pytest.param(b"-n\n", Fault.OWNER, id="echo option alone"),
        pytest.param(b"\r#\n", Fault.OWNER, id="CR before a comment"),
        pytest.param(b"x y z \\\n", Fault.UNFINISHED, id="backslash on the last line"),
        pytest.param(b"x y z \\\n#c\n\n", Fault.UNFINISHED, id="backslash before comments only"),
        pytest.param(b"\\\n", Fault.UNFINISHED, id="backslash alone"),
    ],
)
def test_lines_that_set_nothing(data: bytes, fault: Fault) -> None:
    (item,) = parse_preseed(data).items
    assert isinstance(item, Broken)
    assert item.fault is fault
    assert load(parse_preseed(data)).aborts == (fault is not Fault.UNFINISHED)


def test_the_first_broken_line_ends_the_load() -> None:
    file = parse_preseed(b"o a/b string 1\n\nbad\no a/c string 2\nbad\no a/d string 3\n")
    assert load(file).abort_line == 3
    assert [answer.question for answer in load(file).answers] == ["a/b"]
    assert lost_entries(file) == 2


@pytest.mark.parametrize(
    ("value", "seen"),
    [("true", True), ("false", False), ("yes", False), ("", True), ("false x", True), ("false ", False)],
)
def test_seen_lines(value: str, seen: bool) -> None:
    (answer,) = load(parse_preseed(f"o a/b string v\no a/b seen {value}\n".encode())).answers
    assert answer.seen is seen


def test_seen_lines_for_questions_the_file_does_not_set_are_kept_apart() -> None:
    loaded = load(parse_preseed(b"o a/b seen false\no a/c seen true\no a/c string v\no a/d seen\n"))
    assert loaded.marks == (SeenMark("a/b", seen=False, line=1),)
    assert [(answer.question, answer.seen) for answer in loaded.answers] == [("a/c", True)]


def test_the_last_entry_wins_and_answers_are_in_line_order() -> None:
    answers = load(parse_preseed(b"o a/b string 1\no a/c string 2\nO a/b select 3\n")).answers
    assert [(a.question, a.value, a.line, a.owner, a.type) for a in answers] == [
        ("a/c", "2", 2, "o", "string"),
        ("a/b", "3", 3, "O", "select"),
    ]


def test_fields_know_their_bytes_through_continuations() -> None:
    data = b"# c\n\t d-i \\\r\n# c\n  a/b\tstr\ring  one\\\n two\r \nx y z\n"
    file = parse_preseed(data)
    entry = file.items[0]
    assert isinstance(entry, Entry)
    assert (entry.line, entry.last_line) == (2, 5)
    assert b"".join(line.raw for line in file.texts(entry)) == data[4:-6].replace(b"# c\n", b"")
    assert file.start(entry) == data.index(b"d-i")
    assert [data[field.start : field.end] for field in entry[4:]] == [
        b"d-i",
        b"a/b",
        b"str\ring",
        b"one\\\n two\r ",
    ]
    assert [field.text for field in entry[4:]] == ["d-i", "a/b", "string", "one two "]
    assert file.position(entry.question.start) == (4, 3)


def test_columns_count_characters_and_lines_count_newlines() -> None:
    data = "d-i a/ä string x\n\0ö d-i a/c string y".encode()
    file = parse_preseed(data)
    second = file.items[1]
    assert isinstance(second, Entry)
    assert file.position(data.index(b"string")) == (1, 9)
    assert file.position(second.question.start) == (2, 4)
    assert second.line == 2
    assert parse_preseed(b"").position(0) == (1, 1)


def test_lines_are_kept_with_their_kind() -> None:
    data = b"#c\n \t\r\nx \\\n"
    file = parse_preseed(data)
    assert unparse(file) == data
    assert [line.kind for line in file.lines] == [LineKind.COMMENT, LineKind.BLANK, LineKind.TEXT]
    assert [line.continues for line in file.lines] == [False, False, True]
