"""What dom0 keeps of drills: records that grow by whole lines, one drill at a time, and the mark of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import RefusalError
from builder.host.drills import add_record, alone, mark, marked, read_records, unmark


def test_records_grow_line_by_line(tmp_path: Path) -> None:
    assert read_records(tmp_path) == {}
    add_record(tmp_path, "web1", "one\n")
    add_record(tmp_path, "web1", "two\n")
    add_record(tmp_path, "db1", "three\n")
    assert read_records(tmp_path) == {"db1": "three\n", "web1": "one\ntwo\n"}
    path = tmp_path / "var/lib/domu/runs/web1/drills"
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_a_crash_left_of_a_line_goes_before_the_next(tmp_path: Path) -> None:
    add_record(tmp_path, "web1", "one\n")
    with (tmp_path / "var/lib/domu/runs/web1/drills").open("a") as records:
        records.write('{"gue')
    add_record(tmp_path, "web1", "two\n")
    assert read_records(tmp_path) == {"web1": "one\ntwo\n"}


def test_drills_exclude_each_other(tmp_path: Path) -> None:
    with alone(tmp_path):
        with pytest.raises(RefusalError) as caught, alone(tmp_path):
            pass
        assert [finding.code for finding in caught.value.findings] == ["G148"]
    with alone(tmp_path):
        pass


def test_the_mark_stays_until_it_is_taken_away(tmp_path: Path) -> None:
    assert marked(tmp_path) == ()
    mark(tmp_path, ("web1", "db1"))
    assert marked(tmp_path) == ("web1", "db1")
    unmark(tmp_path)
    unmark(tmp_path)
    assert marked(tmp_path) == ()
