"""Folders that grow, and the room they have."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builder.host.dom0 import storage
from builder.host.run import run
from builder.xen.doctor.fact import Known, Unknown
from tests.dom0s import MadeUp


def test_what_lies_in_a_folder(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    for day, name in ((1, "a"), (3, "sub/b"), (2, "sub/deep/c")):
        made.write(f"/srv/{name}", b"x" * 5000)
        os.utime(tmp_path / "srv" / name, (0, datetime(2026, 1, day, tzinfo=UTC).timestamp()))
    made.link("/srv/link", "/etc/passwd")
    hoard = storage.hoard(tmp_path, "/srv").get()
    assert hoard
    assert hoard.files == 3
    assert hoard.size.bytes >= 15_000
    assert (hoard.oldest, hoard.newest) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
    assert storage.hoard(tmp_path, "/gone") == Known(None)


def test_an_empty_folder_has_no_oldest_file(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    hoard = storage.hoard(tmp_path, "/srv").get()
    assert hoard
    assert (hoard.files, hoard.size.bytes, hoard.oldest) == (0, 0, None)


def test_room_by_the_real_df(tmp_path: Path) -> None:
    here, later = storage.space(run, tmp_path, "/").get(), storage.space(run, tmp_path, "/not/made/yet").get()
    assert (here.exists, later.exists) == (True, False)
    assert here.size == later.size
    assert 0 < here.free.bytes <= here.size.bytes
    assert Path(here.mount).is_mount()


def test_a_folder_that_cannot_be_looked_at(tmp_path: Path) -> None:
    # A closed folder is open to root, who runs tests, too; a name too long is closed to all.
    seen = storage.space(run, tmp_path, f"/{'x' * 300}")
    assert isinstance(seen, Unknown)
    assert seen.why.endswith("cannot be looked at: File name too long")


@pytest.mark.parametrize("said", ["", "1B-blocks Avail Mounted on\n", "head\n- - /\n"])
def test_df_that_is_not_understood(tmp_path: Path, said: str) -> None:
    made = MadeUp(tmp_path)
    made.says("df", said)
    assert isinstance(storage.space(made, tmp_path, "/"), Unknown)


@pytest.mark.parametrize(
    ("text", "rotated"),
    [
        ("/var/log/xen/console/*.log {\n}", True),
        ("/var/log/xen/console/guest-*.log {\n}", True),
        ("/var/log/xen/*/*.log {\n}", True),
        ("/var/log/xen/*.log {\n}", False),
        ("/var/log/apt/*.log {\n}", False),
    ],
)
def test_whether_logrotate_has_the_consoles(tmp_path: Path, text: str, *, rotated: bool) -> None:
    MadeUp(tmp_path).write("/etc/logrotate.d/some", text)
    assert storage.rotated(tmp_path, "/var/log/xen/console") == Known(rotated)
