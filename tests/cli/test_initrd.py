"""`domu initrd` as a person uses it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from builder.cli.app import call, load_commands
from builder.image.cpio import LINK, Entry, folder, write_newc

BASE = gzip.compress(write_newc([Entry("init", b"#!"), Entry("lib", b"usr/lib", LINK | 0o777), folder("usr")]), mtime=0)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a base initrd and two files."""
    load_commands()
    monkeypatch.chdir(tmp_path)
    Path("base.gz").write_bytes(BASE)
    Path("web.cfg").write_text("d-i passwd/root-password-crypted password $y$secret\n")
    Path("hook").write_text("#!/bin/sh\n")
    Path("hook").chmod(0o700)
    return tmp_path


def repack(*more: str, base: str = "base.gz", output: str = "out.gz") -> int:
    return call(["initrd", "repack", base, "--preseed", "web.cfg", "--output", output, *more])


def test_repack_and_list(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert repack("--add", "/domu/hook=hook") == 0
    said = capsys.readouterr().out
    assert said.startswith("out.gz: 4.0 KiB in front; ")
    assert (place / "out.gz").stat().st_mode & 0o777 == 0o600
    assert (place / "out.gz").read_bytes()[4096:] == BASE

    assert call(["initrd", "list", "out.gz"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "at 0, 4.0 KiB: files put in front by domu",
        "    -r--r--r--         49  /.domu",
        "    drwxr-xr-x          0  /domu/",
        "    -rwxr-xr-x         10  /domu/hook",
        "    -rw-r--r--         52  /preseed.cfg",
        f"at 4096, {len(BASE)} B: compressed with gzip",
    ]


def test_the_list_as_json_never_shows_content(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert repack() == 0
    capsys.readouterr()
    assert call(["initrd", "list", "--json", "out.gz"]) == 0
    text = capsys.readouterr().out
    assert "secret" not in text
    front, behind = json.loads(text)
    assert front["kind"] == "domu"
    assert front["entries"][1] == {"name": "preseed.cfg", "mode": "100644", "size": 52}
    assert behind == {"kind": "gzip", "offset": 4096, "size": len(BASE), "entries": []}


def test_repacking_again_replaces(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert repack("--add", "/domu/hook=hook") == 0
    assert repack(base="out.gz") == 0
    assert "replacing the earlier ones" in capsys.readouterr().out
    assert repack(output="direct.gz") == 0
    assert (place / "out.gz").read_bytes() == (place / "direct.gz").read_bytes()


def test_names_that_a_terminal_would_obey_are_shown_harmless(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.gz").write_bytes(write_newc([Entry("a\x1b[31mred\udcff\n", b"")]) + BASE)
    assert call(["initrd", "list", "odd.gz"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 3


@pytest.mark.parametrize(
    ("more", "status", "complaint"),
    [
        pytest.param(["--add", "/lib/x=hook"], 1, "error I106: /lib/x", id="below a link of the base"),
        pytest.param(["--add", "/init=hook"], 1, "error I105: /init", id="in the base"),
        pytest.param(["--add", "/preseed.cfg=hook"], 1, "/preseed.cfg is given twice", id="two preseeds"),
        pytest.param(["--add", "/domu/x=nowhere"], 1, "nowhere: No such file", id="missing file"),
        pytest.param(["--add", "/domu/x"], 2, "write PATH=FILE", id="no file named"),
    ],
)
def test_refusals(
    place: Path, capsys: pytest.CaptureFixture[str], more: list[str], status: int, complaint: str
) -> None:
    assert repack(*more) == status
    assert complaint in capsys.readouterr().err
    assert not (place / "out.gz").exists()


@pytest.mark.parametrize("command", [["list"], ["repack", "--preseed", "web.cfg", "--output", "out.gz"]])
def test_a_file_that_is_not_there_is_told(place: Path, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert call(["initrd", *command, "nowhere.gz"]) == 1
    assert capsys.readouterr().err == "domu: nowhere.gz: No such file or directory\n"


def test_what_is_no_initrd_is_not_repacked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert repack(base="web.cfg") == 1
    assert "web.cfg is no initrd" in capsys.readouterr().err
