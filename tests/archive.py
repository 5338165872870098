"""A signed toy archive and a server on loopback that can be told to answer wrongly, path by path."""

from __future__ import annotations

import hashlib
import shutil
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import unquote, urlsplit

from builder.host.run import run

NOW = datetime.now(UTC).replace(microsecond=0)
IMAGES = "main/installer-amd64/current/images"
NETBOOT = "netboot/debian-installer/amd64"
PACKAGES = "main/debian-installer/binary-amd64/Packages"


def noise(name: str, size: int) -> bytes:
    """Bytes that do not repeat, the same ones for the same name."""
    return hashlib.shake_128(name.encode()).digest(size)


class Keys:
    """Throw-away OpenPGP keys, known by name."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.fingerprints: dict[str, str] = {}

    def make(self, name: str, *, at: str = "", life: str = "never") -> None:
        """A key with this name, made `at` a moment such as 20200101T000000 and expiring after `life`."""
        argv = ["--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", life]
        status = self._gpg("--status-fd", "1", *argv, at=at).decode()
        self.fingerprints[name] = status.split("KEY_CREATED P ")[1].split()[0]

    def sign(self, text: bytes, *names: str, at: str = "", digest: str = "SHA256") -> bytes:
        """`text` clear-signed, as an InRelease is, by each of the keys."""
        signers = [word for name in names for word in ("--local-user", self.fingerprints[name])]
        return self._gpg("--digest-algo", digest, *signers, "--clearsign", stdin=text, at=at)

    def detach(self, text: bytes, *names: str, at: str = "") -> bytes:
        """A signature of `text` alone, as SHA256SUMS.sign is, by each of the keys."""
        signers = [word for name in names for word in ("--local-user", self.fingerprints[name])]
        return self._gpg(*signers, "--armor", "--detach-sign", stdin=text, at=at)

    def wrap(self, text: bytes) -> bytes:
        """An OpenPGP message that nobody signed; `gpg --decrypt` takes it with exit status 0."""
        return self._gpg("--store", stdin=text)

    def keyring(self, path: Path, *names: str) -> Path:
        """A keyring file of these keys' public parts."""
        path.write_bytes(self._gpg("--export", *(self.fingerprints[name] for name in names)))
        return path

    def revoked_keyring(self, path: Path, name: str) -> Path:
        """A keyring in which this key is revoked, by the certificate that gpg made beside it (disarmed by a colon)."""
        certificate = self._home / "openpgp-revocs.d" / f"{self.fingerprints[name]}.rev"
        with _short_folder() as home:
            other = Keys(home)
            other.fingerprints = self.fingerprints
            other._gpg("--import", stdin=self._gpg("--export", self.fingerprints[name]))
            other._gpg("--import", stdin=certificate.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))
            return other.keyring(path, name)

    def _gpg(self, *words: str, stdin: bytes = b"", at: str = "") -> bytes:
        clock = ["--faked-system-time", f"{at}!"] if at else []
        argv = ["gpg", "--homedir", str(self._home), "--batch", "--passphrase", "", "--pinentry-mode", "loopback"]
        done = run([*argv, *clock, *words], stdin=stdin)
        assert done.status == 0, done.complaint
        return done.stdout


@contextmanager
def _short_folder() -> Iterator[Path]:
    """A GnuPG home under a short path, as its agent's socket has at most 107 characters."""
    home = Path(mkdtemp(prefix="gpg-"))
    try:
        yield home
    finally:
        run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"])
        shutil.rmtree(home, ignore_errors=True)  # the agent takes its sockets away while we remove them


@contextmanager
def made_keys() -> Iterator[Keys]:
    """`archive` signs the toy archive; the others are what can be wrong with a key."""
    with _short_folder() as home:
        keys = Keys(home)
        for name in ("archive", "stranger", "revoked"):
            keys.make(name)
        keys.make("expired", at="20200101T000000", life="1y")
        yield keys


@dataclass
class Archive:
    """One suite of one mirror: `files` maps paths below the mirror's root to contents; `publish` signs what is there."""

    keys: Keys
    suite: str = "toy"
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def dists(self) -> str:
        return f"dists/{self.suite}"

    @property
    def linux(self) -> str:
        """A file whose digest only SHA256SUMS tells, and nobody its size."""
        return f"{self.dists}/{IMAGES}/{NETBOOT}/linux"

    @property
    def packages(self) -> str:
        """A file whose digest and size the Release tells."""
        return f"{self.dists}/{PACKAGES}"

    def fill(self) -> None:
        """Netboot images, their SHA256SUMS, and an index."""
        images = {f"{NETBOOT}/{name}": noise(name, 300_000) for name in ("linux", "initrd.gz")}
        sums = "".join(f"{sha256(data)}  ./{path}\n" for path, data in images.items())
        self.files |= {f"{self.dists}/{IMAGES}/{path}": data for path, data in images.items()}
        self.files[f"{self.dists}/{IMAGES}/SHA256SUMS"] = sums.encode()
        self.files[self.packages] = noise("Packages", 200_000)

    def release(self, **changed: str) -> bytes:
        """The text of a Release with everything below dists/SUITE; a changed field of "" is left out."""
        listed = {path.removeprefix(f"{self.dists}/"): data for path, data in self.files.items()}
        fields = {
            "Origin": "Toy",
            "Suite": "stable",
            "Codename": self.suite,
            "Date": stamp(NOW - timedelta(hours=2)),
            "Valid-Until": stamp(NOW + timedelta(days=7)),
            "Components": "main",
            "Architectures": "amd64",
            "SHA256": "".join(
                f"\n {sha256(data)} {len(data)} {path}"
                for path, data in listed.items()
                if path.endswith(("SHA256SUMS", "Packages", "Packages.xz", "Sources.xz"))
            ),
        }
        fields |= {name.replace("_", "-"): text for name, text in changed.items()}
        lines = (f"{name}: {text}" for name, text in fields.items() if text)
        return "".join(f"{line}\n" for line in lines).replace(": \n", ":\n").encode()

    def publish(self, *, by: tuple[str, ...] = ("archive",), **changed: str) -> None:
        """Sign the Release and put it in its place."""
        self.put(self.keys.sign(self.release(**changed), *by))

    def put(self, inrelease: bytes) -> None:
        """Serve these bytes as the InRelease."""
        self.files[f"{self.dists}/InRelease"] = inrelease


def stamp(moment: datetime) -> str:
    """As Release files write a moment."""
    return moment.strftime("%a, %d %b %Y %H:%M:%S UTC")


def sha256(data: bytes) -> str:
    """In small hex."""
    return hashlib.sha256(data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """One connection; serves `server.files`, with ranges and entity tags, unless the script says otherwise."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")  # as a proxy it is asked for whole URLs
        self.server.asked.append((path, dict(self.headers)))
        body = self.server.files.get(path)
        if fault := self.server.next_fault(path):
            fault(self, body or b"")
        elif body is None:
            self.fail(404)
        elif path in self.server.spoilt and self.headers["Cache-Control"] != "no-cache":
            self.give(self.server.spoilt[path])
        else:
            self.server.spoilt.pop(path, None)  # as apt-cacher-ng 3.7.4 does
            self.give(body)

    def give(self, body: bytes) -> None:
        """The right answer: 206 when a range was asked for and the file is still the same one, else 200."""
        tag = f'"{sha256(body)[:16]}"'
        asked, condition = self.headers["Range"], self.headers["If-Range"]
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked and condition in {None, tag} else None
        if start is not None and start >= len(body):
            self.fail(416)
            return
        end = int(asked.split("-")[1] or len(body) - 1) if start is not None else len(body) - 1
        part = body[start or 0 : end + 1]
        where = {"Content-Range": f"bytes {start}-{end}/{len(body)}"} if start is not None else {}
        self.head(200 if start is None else 206, {"Content-Length": str(len(part)), "ETag": tag, **where})
        self.wfile.write(part)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Status line and headers."""
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()

    def fail(self, status: int, **headers: str) -> None:
        """An error with the kind of page that must not become a file."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        self.head(status, {"Content-Type": "text/html", "Content-Length": str(len(PAGE)), **named})
        self.wfile.write(PAGE)

    def log_message(self, *_words: object) -> None:
        """Say nothing; `Server.asked` remembers."""


PAGE = b"<html><body>It works! Please log in to the hotel's network.</body></html>\n"
Fault = Callable[[Handler, bytes], None]


class Server(ThreadingHTTPServer):
    """Serves `files` on a free loopback port, directly or as an HTTP proxy."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.files = files
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.spoilt: dict[str, bytes] = {}  # what a cacher keeps until it is asked with no-cache
        self.connections = 0
        self.ending = threading.Event()
        self._script: dict[str, list[Fault]] = {}
        self._always: dict[str, Fault] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def once(self, path: str, *faults: Fault) -> None:
        """Answer the next requests for `path` so, then rightly."""
        self._script[path] = list(faults)

    def always(self, path: str, fault: Fault) -> None:
        """Answer every request for `path` so."""
        self._always[path] = fault

    def next_fault(self, path: str) -> Fault | None:
        """What the script has for this request."""
        waiting = self._script.get(path)
        return waiting.pop(0) if waiting else self._always.get(path)

    def requests_for(self, path: str) -> list[dict[str, str]]:
        """The headers of each request for this path."""
        return [headers for asked, headers in self.asked if asked == path]

    def handle_error(self, *_words: Any) -> None:
        """A client that went away is what these tests are about."""


@contextmanager
def served(files: dict[str, bytes], port: int = 0) -> Iterator[Server]:
    """A running server, and its end."""
    with Server(files, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            server.shutdown()
            thread.join()


def error(status: int, **headers: str) -> Fault:
    """An error page; headers with _ for -."""
    return lambda handler, _body: handler.fail(status, **headers)


def other(body: bytes) -> Fault:
    """A proper answer with another body."""
    return lambda handler, _body: handler.give(body)


def flipped(handler: Handler, body: bytes) -> None:
    """One bit in the middle is wrong."""
    handler.give(flip(body))


def flip(body: bytes) -> bytes:
    """The same bytes but for one bit in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def cut(after: int) -> Fault:
    """The connection ends in order when the file has come as far as `after`."""

    def fault(handler: Handler, body: bytes) -> None:
        _begin(handler, body, after)
        handler.close_connection = True

    return fault


def reset(after: int) -> Fault:
    """The connection is reset (RST) after some bytes."""

    def fault(handler: Handler, body: bytes) -> None:
        _begin(handler, body, after)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True

    return fault


def _begin(handler: Handler, body: bytes, until: int) -> None:
    """Promise what was asked for, and give it only as far as the file's byte `until`."""
    asked = handler.headers["Range"]
    start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
    where = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if asked else {}
    handler.head(206 if asked else 200, {"Content-Length": str(len(body) - start), **where})
    handler.wfile.write(body[start:until])
    handler.wfile.flush()


def promise(length: int) -> Fault:
    """A Content-Length that is not the body's."""

    def fault(handler: Handler, body: bytes) -> None:
        handler.head(200, {"Content-Length": str(length)})
        handler.wfile.write(body)
        handler.close_connection = True

    return fault


def endless(handler: Handler, body: bytes) -> None:
    """No length promised, and more than the file."""
    handler.head(200, {"Connection": "close"})
    handler.wfile.write(body + body)


def unpromised(handler: Handler, body: bytes) -> None:
    """Right, but only the end of the connection tells the length."""
    handler.head(200, {"Connection": "close"})
    handler.wfile.write(body)


def whole(handler: Handler, body: bytes) -> None:
    """Ranges are not understood here."""
    handler.head(200, {"Content-Length": str(len(body))})
    handler.wfile.write(body)


def shifted(handler: Handler, body: bytes) -> None:
    """Another part than the one asked for, rightly labelled."""
    handler.head(206, {"Content-Length": str(len(body) - 1), "Content-Range": f"bytes 1-{len(body) - 1}/{len(body)}"})
    handler.wfile.write(body[1:])


def redirect(to: str) -> Fault:
    """302 to another place."""
    return lambda handler, _body: handler.fail(302, Location=to)


def silent(handler: Handler, _body: bytes) -> None:
    """Accepts the request and never answers."""
    handler.server.ending.wait()
    handler.close_connection = True


def drip(handler: Handler, body: bytes) -> None:
    """A byte now and then, often enough that no read ever times out."""
    handler.head(200, {"Content-Length": str(len(body))})
    for byte in body[:500]:  # ten seconds, should nobody lose patience
        handler.wfile.write(bytes([byte]))
        if handler.server.ending.wait(0.02):
            break
    handler.close_connection = True


def nonsense(handler: Handler, _body: bytes) -> None:
    """Not HTTP at all."""
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n")
    handler.close_connection = True


def held(sent: threading.Event, go: threading.Event) -> Fault:
    """Half of the body, then the rest when `go` is set."""

    def fault(handler: Handler, body: bytes) -> None:
        half = len(body) // 2
        handler.head(200, {"Content-Length": str(len(body)), "ETag": f'"{sha256(body)[:16]}"'})
        handler.wfile.write(body[:half])
        handler.wfile.flush()
        sent.set()
        go.wait(20)
        handler.wfile.write(body[half:])

    return fault
