"""The lab's mirror: the real one, but for a netboot initrd that the lab supplements, in a Release that the lab signs.

A mirror may list udebs that it cannot give; the lab's supplement (tests/boot/supplement.py) stands in for them. It
stays out of domu, which sees an ordinary mirror with a key of its own. It answers on loopback, behind the lab's cacher.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests

from builder.host.site import Site
from builder.host.store import Store
from builder.media.mirror import Mirror, images_path, netboot_path
from builder.media.netboot import INITRD, KERNEL
from builder.media.release import Digest, Release
from builder.progress import Silence
from builder.workflows.access import Access, Terms
from builder.workflows.media import NetbootMedia
from tests.archive import made_keys, sha256, stamp
from tests.boot import supplement
from tests.boot.supplement import make_supplement
from tests.cacher import free_port
from tests.lab.place import ROOT
from tests.media import netboot_media

URL = "http://mirror.example.org/debian"  # as the cacher knows it
ARCH = "amd64"
KEYRING = "keyring.gpg"
_ALIGNMENT = 512  # the kernel looks for the next archive behind zeros


def remap(port: int) -> str:
    """The line of the cacher's configuration that leads to the lab's mirror, past the cacher's own proxy."""
    return f"Remap-lab: {URL} ; http://127.0.0.1:{port}/debian ; proxy="


def lay_mirror(folder: Path, suite: str = "trixie") -> Path:
    """Make what this mirror has of its own, below `folder`; its keyring. The key is thrown away once it has signed."""
    media = netboot_media(suite, folder)
    initrd = _supplemented(media, folder)
    images = {
        netboot_path(ARCH, KERNEL): media.kernel.path.read_bytes(),
        netboot_path(ARCH, INITRD): initrd,
    }
    sums = "".join(f"{sha256(data)}  ./{path}\n" for path, data in images.items()).encode()
    own = {f"{images_path(ARCH)}/{path}": data for path, data in images.items()}
    changed = {f"{images_path(ARCH, build)}/SHA256SUMS": sums for build in ("current", media.installer_version)}
    with made_keys() as keys:
        own |= {**changed, "InRelease": keys.sign(release_text(_release(suite), changed), "archive")}
        for path, data in own.items():
            place = folder / "files/dists" / suite / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        return keys.keyring(folder / KEYRING, "archive")


def release_text(release: Release, changed: Mapping[str, bytes]) -> bytes:
    """A Release that says what this one says, but for the digests of some files."""
    own = {path: Digest(sha256(data), len(data)) for path, data in changed.items()}
    fields = {
        "Origin": release.origin,
        "Suite": release.suite,
        "Codename": release.codename,
        "Date": stamp(release.date),
        "Valid-Until": stamp(release.valid_until) if release.valid_until else "",
        "Acquire-By-Hash": "yes" if release.acquire_by_hash else "no",
        "Components": " ".join(release.components),
        "Architectures": " ".join(release.architectures),
    }
    lines = [f"{name}: {text}" for name, text in fields.items() if text]
    listed = {**release.files, **own}.items()
    return "\n".join([*lines, "SHA256:", *(f" {one.sha256} {one.size} {path}" for path, one in listed), ""]).encode()


def _release(suite: str) -> Release:
    with Access(Store(Site(ROOT).cache), Terms(), progress=Silence(), now=datetime.now(UTC)) as access:
        return access.suite(suite).release


def _supplemented(media: NetbootMedia, folder: Path) -> bytes:
    """Debian's initrd and the supplement behind it; made once for each initrd and each way of making it."""
    way = hashlib.sha256(Path(supplement.__file__).read_bytes()).hexdigest()
    kept = folder / f"initrd-{media.initrd.sha256[:16]}-{way[:16]}.gz"
    if not kept.exists():
        work = folder / "supplement"
        shutil.rmtree(work, ignore_errors=True)
        made = make_supplement(Site(ROOT), media, work, checkpoints=False)
        print(made)
        base = media.initrd.path.read_bytes()
        part = kept.with_suffix(".part")
        part.write_bytes(base + bytes(-len(base) % _ALIGNMENT) + made.archive.read_bytes())
        part.rename(kept)
        shutil.rmtree(work)
    return kept.read_bytes()


@contextmanager
def serving(folder: Path, archive: Mirror, proxy: str | None) -> Iterator[int]:
    """Answer on loopback: what lies below `folder`/files, and whatever else the real mirror has; the port."""
    with _Server(folder / "files", archive, proxy) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path, archive: Mirror, proxy: str | None) -> None:
        super().__init__(("127.0.0.1", free_port()), _Handler)
        self.folder, self.archive = folder, archive
        self.proxies = {"http": proxy} if proxy else {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # apt-cacher-ng 3.7.4 drops its client at times when a connection is not kept
    server: _Server

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix("/debian/")
        own = self.server.folder / path
        if ".." not in path and own.is_file():
            when = formatdate(own.stat().st_mtime, usegmt=True)
            self._give(200, {"Content-Length": str(own.stat().st_size), "Last-Modified": when})
            with own.open("rb") as file:
                shutil.copyfileobj(file, self.wfile)
            return
        url, plain = self.server.archive.file(path), {"Accept-Encoding": "identity"}
        with requests.get(url, headers=plain, proxies=self.server.proxies, stream=True, timeout=60) as answer:
            names = ("Content-Length", "Last-Modified")
            told = {name: answer.headers[name] for name in names if name in answer.headers}
            self._give(answer.status_code, told if "Content-Length" in told else {**told, "Connection": "close"})
            shutil.copyfileobj(answer.raw, self.wfile)

    def _give(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Say nothing: the cacher has a log."""
