"""`domu preseed parse`: its table, its JSON, its exit statuses."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from builder.cli import app

app.load_commands()


def parse(path: Path, data: bytes, *words: str) -> int:
    file = path / "preseed.cfg"
    file.write_bytes(data)
    return app.call(["preseed", "parse", str(file), *words])


def test_json_has_one_answer_per_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = b"d-i a/b string one\nd-i a/b string two \\\n  three \nd-i a/b seen false\ntasksel a/c select x\xeb\n"
    assert parse(tmp_path, data, "--json") == app.FINE
    first = {"question": "a/b", "value": "two three", "line": 2, "last_line": 3, "owner": "d-i", "type": "string"}
    second = {"question": "a/c", "value": "x\udceb", "line": 5, "last_line": 5, "owner": "tasksel", "type": "select"}
    assert json.loads(capsys.readouterr().out) == {
        "answers": [{**first, "seen": False}, {**second, "seen": True}],
        "aborts": False,
    }


def test_a_load_that_ends_early_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(tmp_path, b"d-i a/b string v\n  # c\nd-i a/c string w\n", "--json") == app.FINDINGS
    found = json.loads(capsys.readouterr().out)
    assert found["aborts"] is True
    assert [answer["question"] for answer in found["answers"]] == ["a/b"]
    assert parse(tmp_path, b"bad\n") == app.FINDINGS
    assert "stops reading here" in capsys.readouterr().out


def test_the_table_hides_passwords_and_control_signs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = b"d-i passwd/root-password password secret\nd-i a/b string x\x1b[2J\xff\nd-i a/b seen false\n"
    assert parse(tmp_path, data) == app.FINE
    out = capsys.readouterr().out
    assert "secret" not in out
    assert "\x1b" not in out
    assert "not seen" in out


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"d-i a/b string v\n")))
    assert app.call(["preseed", "parse", "-"]) == app.FINE
    assert capsys.readouterr().out == "    1  a/b  v\n"


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert app.call(["preseed", "parse", str(tmp_path / "none")]) == app.USAGE
