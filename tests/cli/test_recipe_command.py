"""`domu recipe`: exit statuses, JSON with the measured layouts' keys, and what is said when it does not fit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from builder.cli import app

app.load_commands()
TEXT = (
    "x ::\n2000 5000 -1 ext4 $primary{ } method{ format } format{ } use_filesystem{ } filesystem{ ext4 }"
    " mountpoint{ / } .\n512 512 512 linux-swap method{ swap } format{ } .\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe"
    path.write_text(TEXT)
    return path


def recipe(file: Path | str, *words: str, disk: str = "10737418240") -> int:
    return app.call(["recipe", str(file), "--suite", "trixie", "--disk", disk, "--ram", "2G", *words])


def test_a_recipe_that_fits(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipe(file) == app.FINE
    shown = capsys.readouterr()
    assert "The recipe needs 2512 MB: it fits." in shown.out
    assert "5 logical" in shown.out
    assert shown.err == ""


def test_json_has_the_keys_of_the_measured_layouts(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipe(file, "--json") == app.FINE
    data = json.loads(capsys.readouterr().out)
    assert data["fits"] is True
    assert data["decoded"] == [[2000, 5000, -1, "ext4"], [512, 512, 512, "linux-swap"]]
    assert sum(data["expanded_mb"]) == 10737
    assert [(it["num"], it["end"] - it["start"] + 1 - it["size"]) for it in data["partitions"]] == [(1, 0), (5, 0)]
    assert (data["vg_extents"], data["lvs"], data["findings"]) == (None, [], [])


@pytest.mark.parametrize(("disk", "instead"), [("2511999999", "small_disk"), ("2G", "")])
def test_one_that_does_not_fit_says_what_happens_instead(
    file: Path, capsys: pytest.CaptureFixture[str], disk: str, instead: str
) -> None:
    assert recipe(file, "--json", disk=disk) == app.FINDINGS
    data = json.loads(capsys.readouterr().out)
    assert (data["fits"], data["partitions"], data["instead"]) == (False, [], instead)
    assert [(it["code"], it["hint"]) for it in data["findings"]] == [("R303", "it needs 2512MB")]
    assert recipe(file, disk=disk) == app.FINDINGS
    assert "error R303" in capsys.readouterr().err


def test_the_least_disk_is_enough(file: Path) -> None:
    assert recipe(file, disk="2512MB") == app.FINE


def test_stopping_in_the_middle_is_a_finding(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipe(file, "--method", "lvm", "--json") == app.FINDINGS
    data = json.loads(capsys.readouterr().out)
    assert data["fits"] is True
    assert "unusable_recipe" in data["problem"]
    assert [it["code"] for it in data["findings"]] == ["R304"]


def test_reads_standard_input(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with file.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert recipe("-", "--label", "gpt") == app.FINE
    assert "2 primary" in capsys.readouterr().out


def test_a_device_moves_an_end(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The first end is rounded to MiB from 16384 + size in a file, from 1024 + size on a block device.
    file.write_text(TEXT.replace("2000 5000 -1", "1889 1889 1889"))
    sizes = []
    for device in ("file", "block"):
        assert recipe(file, "--device", device, "--json") == app.FINE
        sizes.append(json.loads(capsys.readouterr().out)["partitions"][0]["size"])
    assert sizes == [1888485376, 1887436800]


@pytest.mark.parametrize("words", [["--disk", "10Q"], ["--suite", "sid"], ["--label", "mac"], ["--method", "raid"]])
def test_what_is_not_known_is_a_usage_error(file: Path, words: list[str]) -> None:
    assert recipe(file, *words) == app.USAGE


def test_bytes_that_are_no_text_are_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(b"x ::\n\xff")
    assert recipe(file) == app.FINDINGS
    assert "not UTF-8 text: byte 5 is 0xff" in capsys.readouterr().err
