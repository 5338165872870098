"""Runs the table of fetch faults on a signed toy archive with real gpgv; then a full disk, two runs, and SIGKILL."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import RefusalError
from builder.host.fetch import Fetcher, UnreachableError
from builder.host.store import Store
from tests.archive import Archive, Fault, Keys, error, held, served, sha256, whole
from tests.faults import INDEX, LINUX, TABLE, Listener, Row, Scene

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


@pytest.mark.parametrize(
    ("fault", "says"),
    [(None, True), (error(404), False), (error(410), False), (whole, True), (error(403), None), (error(503), None)],
    ids=["there", "404", "410", "200 for a range", "403", "503"],
)
def test_presence_is_asked_with_one_byte(scene: Scene, fault: Fault | None, says: bool | None) -> None:
    if fault:
        scene.server.always(INDEX, fault)
    with Fetcher(proxy=None, progress=scene.listener, sleep=scene.pauses.append, retries=1) as fetcher:
        if says is None:
            with pytest.raises(UnreachableError):
                fetcher.present(f"{scene.server.url}/{INDEX}")
        else:
            assert fetcher.present(f"{scene.server.url}/{INDEX}") is says
    assert {headers["Range"] for headers in scene.server.requests_for(INDEX)} == {"bytes=0-0"}


def test_many_questions_use_one_connection(scene: Scene) -> None:
    with Fetcher(proxy=None, progress=scene.listener) as fetcher:
        assert all(fetcher.present(f"{scene.server.url}/{path}") for path in (INDEX, LINUX, INDEX))
    assert scene.server.connections == 1


def test_the_environment_is_not_asked_for_a_proxy(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert scene.obtain().path.read_bytes() == scene.archive.files[LINUX]
    scene.proxy = scene.server.url
    monkeypatch.setenv("no_proxy", "*")
    assert scene.obtain().path.read_bytes() == scene.archive.files[LINUX]


def test_the_table_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "fetching.md").read_text()
    assert render_table() in text, f"put this into docs/fetching.md:\n{render_table()}"


def render_table() -> str:
    """The faults and how they end, as docs/fetching.md shows them."""
    parts = []
    for title, rows in TABLE:
        lines = [f"| {row.fault} | {'right file' if row.end is None else 'error'}: {row.outcome} |" for row in rows]
        parts.append("\n".join([f"### {title}\n", "| fault | ends in |", "|---|---|", *lines]))
    return "\n\n".join(parts)


def child(scene: Scene, *before: str) -> subprocess.Popen[str]:
    """A process of its own that downloads linux into the scene's store."""
    body = scene.archive.files[LINUX]
    words = [f"{scene.server.url}/{LINUX}", sha256(body), str(len(body)), str(scene.store.root)]
    return subprocess.Popen(
        [*before, sys.executable, "-m", "tests.fetch_child", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def last_line(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=30)
    return out.splitlines()[-1]


def test_two_runs_at_once_share_one_download(scene: Scene) -> None:
    sent, go = threading.Event(), threading.Event()
    scene.server.always(LINUX, held(sent, go))
    with child(scene) as first:
        assert sent.wait(20)
        with child(scene) as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "says waiting for another run, which fetches the file\n"
            go.set()
            assert last_line(first) == last_line(second)
    assert first.returncode == second.returncode == 0
    assert len(scene.server.requests_for(LINUX)) == 1
    scene.no_wrong_artefact()


def test_a_killed_run_is_continued_by_the_next(scene: Scene) -> None:
    sent, go = threading.Event(), threading.Event()
    body = scene.archive.files[LINUX]
    part = scene.store.incoming(sha256(body))
    scene.server.once(LINUX, held(sent, go))
    with child(scene) as first:
        assert sent.wait(20)
        while not part.exists() or part.stat().st_size < len(body) // 2:
            assert first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        assert first.wait(20) == -signal.SIGKILL
    go.set()
    scene.no_wrong_artefact()
    assert scene.store.find(sha256(body)) is None
    with child(scene) as second:
        assert last_line(second).startswith("has ")
    again = scene.server.requests_for(LINUX)[-1]
    assert again["Range"] == f"bytes={len(body) // 2}-"
    assert again["If-Range"] == f'"{sha256(body)[:16]}"'
    scene.no_wrong_artefact()


def test_a_full_disk_is_said_and_can_be_continued(scene: Scene) -> None:
    """A file system of 128 KiB of the child's own, or a limit on the size of a file where none may be mounted."""
    scene.store.root.mkdir()
    full = 'mount -t tmpfs -o size=128k none "$0" && exec "$@"'
    own = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    can = subprocess.run([*own, "sh", "-c", full, scene.store.root, "true"], capture_output=True, check=False)
    limited = ["sh", "-c", 'ulimit -f 128; exec "$@"', "sh"]
    with child(
        scene, *([*own, "sh", "-c", full, str(scene.store.root)] if can.returncode == 0 else limited)
    ) as process:
        said = last_line(process)
    assert said.startswith(f"error no room in {scene.store.root}: 300000 bytes (293.0 KiB) more are needed"), said
    assert process.returncode == 1
    scene.no_wrong_artefact()
    assert scene.obtain().path.read_bytes() == scene.archive.files[LINUX]
