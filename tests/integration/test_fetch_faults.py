"""Runs the table of fetch faults on a signed toy archive with real gpgv; then a full disk, two runs, and SIGKILL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import RefusalError
from builder.host.store import Store
from tests.archive import Archive, Keys, served
from tests.faults import LINUX, TABLE, Listener, Row, Scene

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scene(keys: Keys, tmp_path: Path) -> Iterator[Scene]:
    archive = Archive(keys)
    archive.fill()
    archive.publish()
    listener = Listener()
    with served(archive.files) as server:
        keyring = keys.keyring(tmp_path / "keyring.gpg", "archive")
        yield Scene(archive, server, Store(tmp_path / "cache", listener), keyring, listener)


@pytest.mark.parametrize("row", [row for _title, rows in TABLE for row in rows], ids=lambda row: row.fault)
def test_fault(scene: Scene, row: Row) -> None:
    right = scene.archive.files[LINUX]
    row.arrange(scene)
    if row.end is None:
        assert scene.obtain().path.read_bytes() == right
        told = "\n".join(scene.listener.said)
    else:
        with pytest.raises(row.end) as caught:
            scene.obtain()
        assert type(caught.value) is row.end
        told = str(caught.value)
        if isinstance(caught.value, RefusalError):
            told += " ".join(map(str, caught.value.findings))
    assert re.search(row.told, told, re.DOTALL), told
    assert "hunter2" not in told
    assert row.check(scene), [scene.pauses, scene.server.asked]
    scene.no_wrong_artefact()
