"""The lab's own small parts, and its record; no QEMU."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from builder.media.mirror import Mirror
from builder.media.release import parse_release
from tests.archive import NOW, Archive, made_keys
from tests.archive import served as toy_mirror
from tests.cacher import running_cacher
from tests.lab.boots import RECORD, Row, record
from tests.lab.console import plain
from tests.lab.mirror import URL, release_text, remap, serving
from tests.lab.rebuild import Served, served

ROW = Row(
    "4.17.5",
    "bookworm",
    "pv",
    "trixie",
    "6.12.1",
    "zstd",
    "pygrub",
    False,
    "booted",
    90,
    "guest login:",
    {},
    "2026-11-23",
)


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        ("\x1b[?2004lguest login: \r\n", "guest login: \n"),
        ("\x1b[1;1H\x1b[2J  Booting `Debian'\r\r\nLoading ...\r", "  Booting `Debian'\nLoading ...\n"),
        ("\x1b(Bplain\x1b[0m", "plain"),
    ],
)
def test_a_console_is_read_without_its_terminal(raw: str, lines: str) -> None:
    assert plain(raw) == lines


def test_a_row_takes_the_place_of_an_earlier_one_of_its_case(tmp_path: Path) -> None:
    path = tmp_path / "boots.json"
    record(ROW, path)
    record(replace(ROW, method="pvgrub", result="failed"), path)
    record(replace(ROW, seconds=80), path)
    rows = json.loads(path.read_text())
    assert [(row["method"], row["result"], row["seconds"]) for row in rows] == [
        ("pvgrub", "failed", 90),
        ("pygrub", "booted", 80),
    ]


def test_the_record_holds_whole_rows_each_case_once() -> None:
    rows = [Row(**row) for row in json.loads(RECORD.read_text())]
    cases = [(row.xen, row.dom0, row.type, row.suite, row.kernel, row.method, row.hook) for row in rows]
    assert len(set(cases)) == len(cases) > 0
    assert {row.result for row in rows} <= {"booted", "failed"}


def test_the_mirror_gives_its_own_files_and_else_those_behind_it(tmp_path: Path) -> None:
    own = tmp_path / "mirror/files/dists/toy/InRelease"
    own.parent.mkdir(parents=True)
    own.write_text("our own")
    behind = {"debian/dists/toy/InRelease": b"theirs", "debian/pool/a_1+b_all.deb": b"a package"}
    with (
        toy_mirror(behind) as real,
        serving(tmp_path / "mirror", Mirror(f"{real.url}/debian"), None) as port,
        running_cacher(tmp_path / "cacher", settings=[remap(port)]) as cacher,
        requests.Session() as session,
    ):
        session.proxies = {"http": cacher.url}
        # 3.7.4 closes a new connection without an answer now and then; domu, too, asks again.
        session.mount("http://", HTTPAdapter(max_retries=Retry(3)))
        paths = ("dists/toy/InRelease", "pool/a_1%2bb_all.deb", "pool/b_1_all.deb")
        answers = [session.get(f"{URL}/{path}") for path in paths]
    assert [(one.status_code, one.text) for one in answers[:2]] == [(200, "our own"), (200, "a package")]
    assert answers[2].status_code == 404


def test_a_release_of_the_labs_says_what_the_real_one_says() -> None:
    with made_keys() as keys:
        archive = Archive(keys)
        archive.fill()
        theirs = parse_release(archive.release(Acquire_By_Hash="yes").decode())
    changed = "main/installer-amd64/current/images/SHA256SUMS"
    ours = parse_release(release_text(theirs, {changed: b"ours"}).decode())
    assert ours.date < NOW
    assert replace(ours, files=theirs.files) == theirs
    assert {path for path, digest in theirs.files.items() if ours.files[path] != digest} == {changed}


def test_what_the_cacher_sent_is_counted() -> None:
    log = "1|I|10|127.0.0.1|a\n1|O|100|127.0.0.1|a\n2|E|9|127.0.0.1|a [HTTP error, code: 503]\n3|O|900|127.0.0.1|b\n"
    assert served(log) == Served(sent=1000, fetched=10, files=10)
    assert served(log).share == 0.99
    lists = "4|I|7|127.0.0.1|m/debian/dists/sid/Release\n5|I|20|127.0.0.1|m/dists/sid/main/by-hash/SHA256/Release\n"
    assert served(log + lists) == Served(sent=1000, fetched=37, files=30)
