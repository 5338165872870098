"""`domu passwd`: asks twice on a terminal, reads a line elsewhere, prints a hash and nothing else."""

from __future__ import annotations

import io
import os
import pty
import sys
from pathlib import Path

import pytest

from builder.cli.app import call, load_commands
from builder.profile.fields import CRYPT_HASH

load_commands()
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("options", "prefix"), [([], "$y$"), (["--method", "sha512"], "$6$")])
def test_a_line_on_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], prefix: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("canary\nmore\n"))
    assert call(["passwd", *options]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(prefix)
    assert CRYPT_HASH.fullmatch(out.rstrip("\n"))
    assert "canary" not in out + err


def test_nothing_on_standard_input_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert call(["passwd"]) == 1
    assert "empty password" in capsys.readouterr().err


def test_an_unknown_method_is_a_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["passwd", "--method", "md5"]) == 2


def test_a_terminal_is_asked_twice_and_shows_nothing() -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        program = "from builder.cli import main; main()"
        os.execv(sys.executable, [sys.executable, "-c", program, "passwd"])  # noqa: S606 - a terminal of its own is what forkpty gives
    seen = b""
    for answer in (b"canary\n", b"canary\n"):
        while not seen.endswith(b": "):
            seen += os.read(terminal, 1000)
        os.write(terminal, answer)
        seen += b"|"
    try:
        while data := os.read(terminal, 1000):
            seen += data
    except OSError:
        pass  # the child closed its side
    os.close(terminal)
    assert os.waitpid(child, 0)[1] == 0
    lines = seen.decode().replace("\r", "").replace("|", "").split()
    assert lines[0] == "Password:"
    assert CRYPT_HASH.fullmatch(lines[-1])
    assert b"canary" not in seen
