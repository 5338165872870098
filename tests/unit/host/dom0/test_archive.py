"""The apt-cacher and other machines' clocks, asked over loopback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from builder.host.dom0 import archive
from builder.media.mirror import Mirror
from builder.xen.doctor.fact import Known, Unknown
from builder.xen.doctor.facts import Skew
from tests.cacher import free_port, running_cacher
from tests.dom0s import MadeUp

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@contextmanager
def mirror(**headers: str) -> Iterator[str]:
    """A server that has an InRelease of trixie, and says these headers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = self.path == "/debian/dists/trixie/InRelease"
            body = b"Origin: Debian\n" if found else b"no"
            self.send_response_only(200 if found else 404)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Last-Modified", format_datetime(NOW, usegmt=True))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", free_port()), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/debian"
        finally:
            server.shutdown()
            thread.join()


def test_a_cacher_that_works_and_one_whose_mirror_lacks_the_suite(tmp_path: Path) -> None:
    report = ["ReportPage: acng-report.html"]
    with mirror() as url, running_cacher(tmp_path / "acng", settings=report) as cacher:
        seen = archive.cacher(cacher.url, Mirror(url), "trixie")
        assert (seen.status, seen.here) == (200, True)
        assert re.search("apt-cacher.ng", seen.server, re.IGNORECASE)
        assert seen.report.startswith("fetched ")
        assert archive.cacher(cacher.url, Mirror(url), "sarge").status == 404


def test_a_cacher_without_report_page_in_the_mirrors_url(tmp_path: Path) -> None:
    with mirror() as url, running_cacher(tmp_path / "acng") as cacher:
        through = Mirror(cacher.through(url).replace("/127.0.0.1:", "/localhost.localdomain:"))
        seen = archive.cacher(cacher.url, through, "trixie")
        assert through.cacher
        assert seen.report == ""
        assert seen.status in {200, 503}  # where localhost.localdomain has no address, the cacher says so


def test_https_is_not_asked_of_a_cacher_that_cannot_look_into_it(tmp_path: Path) -> None:
    with running_cacher(tmp_path / "acng") as cacher:
        seen = archive.cacher(cacher.url, Mirror("https://mirror.example.org/debian"), "trixie")
    assert seen.status is None
    assert "apt-cacher" in seen.server.lower().replace(" ", "-")


def test_a_proxy_without_a_sound_port() -> None:
    seen = archive.cacher("http://cacher.example.org:99999", Mirror("http://mirror.example.org/debian"), "trixie")
    assert (seen.server, seen.said) == ("", "its URL has no sound port")


def test_where_nobody_listens() -> None:
    seen = archive.cacher(f"http://127.0.0.1:{free_port()}", Mirror("http://mirror.example.org/debian"), "trixie")
    assert (seen.server, seen.status) == ("", 0)
    assert "refused" in seen.said


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Date": format_datetime(NOW + timedelta(hours=1), usegmt=True)}, 3600.0),
        ({"Date": format_datetime(NOW, usegmt=True), "Age": "90"}, 90.0),
        ({"Date": format_datetime(NOW, usegmt=True), "Age": "old"}, 0.0),
    ],
)
def test_the_mirrors_clock(headers: dict[str, str], seconds: float) -> None:
    with mirror(**headers) as url:
        assert archive.skew(url, lambda: NOW) == Known(Skew(seconds, "127.0.0.1"))


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_mirror_that_does_not_tell_its_time(date: str) -> None:
    with mirror(**({"Date": date} if date else {})) as url:
        assert archive.skew(url, lambda: NOW) == Unknown("127.0.0.1 does not tell its time")


def test_a_mirror_that_is_not_there() -> None:
    seen = archive.skew(f"http://127.0.0.1:{free_port()}/debian", lambda: NOW)
    assert isinstance(seen, Unknown)
    assert "does not tell its time (" in seen.why
    assert archive.skew("ftp://mirror.example.org/", lambda: NOW) == Unknown(
        "ftp://mirror.example.org/ is no web address"
    )


@pytest.mark.parametrize(
    ("files", "folder"),
    [
        ({}, "/var/cache/apt-cacher-ng"),
        ({"acng.conf": "CacheDir: /srv/acng\n"}, "/srv/acng"),
        ({"acng.conf": "CacheDir: /srv/acng\n", "zz_local.conf": "CacheDir: /srv/other\n"}, "/srv/other"),
        ({"acng.conf": "# CacheDir: /srv/acng\n", "notes.txt": "CacheDir: /x\n"}, "/var/cache/apt-cacher-ng"),
    ],
)
def test_where_the_cacher_keeps_its_files(tmp_path: Path, files: dict[str, str], folder: str) -> None:
    made = MadeUp(tmp_path)
    for name, text in files.items():
        made.write(f"/etc/apt-cacher-ng/{name}", text)
    assert archive.cacher_folder(tmp_path) == Known(folder)


def test_packages_that_are_installed_and_not(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.says("dpkg-query", "ii |a|1.0\nrc |b|2.0\n", status=1)
    assert archive.packages(made, ["a", "b", "c"]) == Known({"a": "1.0"})
    assert isinstance(archive.packages(MadeUp(tmp_path), ["a"]), Unknown)
