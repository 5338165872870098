"""The journal's file: what is in it is on the disk, one run at a time, and a torn end goes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from builder.errors import BuilderError, RefusalError
from builder.host.rebuild import journal as rooms
from builder.host.rebuild.journal import is_at_work, open_journal, read_journals, runs_folder


def test_lines_are_added_and_stay(tmp_path: Path) -> None:
    for number in range(3):
        with open_journal(tmp_path, "web1") as journal:
            journal.append(f"line {number}\n")
            assert journal.read() == "".join(f"line {one}\n" for one in range(number + 1))
    assert read_journals(tmp_path) == {"web1": "line 0\nline 1\nline 2\n"}


def test_only_root_sees_it(tmp_path: Path) -> None:
    with open_journal(tmp_path, "web1") as journal:
        journal.append("line\n")
        kept = journal.run_folder("20261123T030000Z")
    for path, mode in ((runs_folder(tmp_path), 0o700), (journal.folder, 0o700), (kept, 0o700), (journal.path, 0o600)):
        assert path.stat().st_mode & 0o777 == mode


def test_a_torn_end_is_cut_off(tmp_path: Path) -> None:
    with open_journal(tmp_path, "web1") as journal:
        journal.append("whole\n")
    journal.path.write_text("whole\nto")
    assert read_journals(tmp_path)["web1"] == "whole\nto"
    with open_journal(tmp_path, "web1") as journal:
        journal.append("next\n")
        assert journal.read() == "whole\nnext\n"


def test_two_runs_on_one_guest_exclude_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "_PATIENCE", 0.0)
    assert not is_at_work(tmp_path, "web1")
    with open_journal(tmp_path, "web1"):
        assert is_at_work(tmp_path, "web1")
        with pytest.raises(RefusalError) as refused, open_journal(tmp_path, "web1"):
            pass
        with open_journal(tmp_path, "db1"):
            assert is_at_work(tmp_path, "db1")
    assert [finding.code for finding in refused.value.findings] == ["G111"]
    assert not is_at_work(tmp_path, "web1")
    with open_journal(tmp_path, "web1"):
        pass


def test_where_there_is_no_room_nothing_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with open_journal(tmp_path, "web1") as journal:
        journal.append("first\n")
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(BuilderError, match="No space left on device"):
            journal.append("second\n")
        monkeypatch.undo()
        assert journal.read() == "first\n"
        journal.append("third\n")
        assert journal.read() == "first\nthird\n"


def test_a_journal_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = runs_folder(tmp_path) / "web1"
    folder.mkdir(parents=True)
    (folder / "journal").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels"), open_journal(tmp_path, "web1"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_without_any_run_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert read_journals(tmp_path) == {}


def test_of_old_runs_the_last_few_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    with open_journal(tmp_path, "web1") as journal:
        runs = [f"20261123T0300{number:02}Z" for number in range(15)]
        for run in runs[1:]:
            (journal.run_folder(run) / "console.txt").write_text("kept")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (journal.folder / "linked").symlink_to(elsewhere)
        journal.append("line\n")
        journal.make_room(["linked", "../../../../../elsewhere", "journal", *runs])
        kept = sorted(path.name for path in journal.folder.iterdir())
        assert kept == [*runs[6:], "journal", "linked", "lock"]
        assert journal.read() == "line\n"
        assert elsewhere.is_dir()
        journal.make_room(runs[6:])
        assert len(list(journal.folder.iterdir())) == 12
