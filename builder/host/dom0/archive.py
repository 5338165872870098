"""Facts of what building needs: keyrings, packages, programs, the apt-cacher, and whose clock says what."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from builder.errors import BuilderError
from builder.host.dom0.reading import below, names_in, said, text_or_none
from builder.host.run import Runner
from builder.media.keyring import ArchiveKey, parse_keyring
from builder.media.mirror import shown
from builder.xen.doctor.fact import Fact, Known, Unknown
from builder.xen.doctor.facts import Cacher, Skew
from builder.xen.doctor.of_archive import REPORT

_PATIENCE = 5.0  # seconds
_REPORT = 1 << 18  # bytes of a report page
_ACNG = "/etc/apt-cacher-ng"
_ROW = re.compile(r"Data (fetched|served):.*?<td[^>]*>.*?> *([0-9.]+ [A-Za-z]+)</td>", re.DOTALL)


def keyring(root: Path, path: str) -> Fact[tuple[ArchiveKey, ...]]:
    """The keys of a keyring."""
    try:
        data = below(root, path).read_bytes()
    except FileNotFoundError:
        return Unknown("there is no such file")
    except OSError as error:
        return Unknown(f"cannot be read: {error.strerror}")
    return Known(data).then(parse_keyring)


def packages(runner: Runner, names: Iterable[str]) -> Fact[Mapping[str, str]]:
    """Those of these packages that are installed, with their versions."""
    try:  # it ends with status 1 when it knows one of them not at all
        done = runner(["dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}|${Package}|${Version}\\n", *names])
    except BuilderError as error:
        return Unknown(error.message)
    rows = [line.split("|") for line in done.text.splitlines()]
    return Known({row[1]: row[2] for row in rows if len(row) == 3 and row[0].startswith("ii")})


def program(root: Path, name: str) -> Fact[bool]:
    """Is this program in one of the folders where Debian has programs?"""
    folders = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
    path = ":".join(str(below(root, folder)) for folder in folders)
    return Known(shutil.which(name, path=path) is not None)


def synchronised(runner: Runner) -> Fact[bool]:
    """Does the kernel's clock follow a time server, as systemd sees it?"""
    listed = said(runner, ["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    return listed.then(_yes_or_no)


def _yes_or_no(text: str) -> bool:
    if text.strip() not in {"yes", "no"}:
        raise BuilderError(f"timedatectl says {text.strip()!a}, neither yes nor no")
    return text.strip() == "yes"


def cacher(url: str) -> Cacher:
    """Ask the apt-cacher for its report page; `server` is empty where nothing answers."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    here = host in {"localhost", socket.gethostname()} or host.startswith("127.") or host == "::1"
    connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    with closing(connection):
        try:
            connection.request("GET", f"/{REPORT}")
            answer = connection.getresponse()
            body = answer.read(_REPORT).decode(errors="replace")
        except (OSError, http.client.HTTPException):
            return Cacher(shown(url), "", "", here)
    server = answer.headers.get("Server") or "a server without a name"
    moved = [f"{what} {amount}" for what, amount in _ROW.findall(body)]
    report = ", ".join(moved) if moved else ("its page is there" if answer.status == 200 else "")
    return Cacher(shown(url), server, report, here)


def cacher_folder(root: Path) -> Fact[str]:
    """Where apt-cacher-ng keeps its files: CacheDir of the last of its *.conf that has one."""
    names = names_in(root, _ACNG)
    if isinstance(names, Unknown):
        return names
    found = "/var/cache/apt-cacher-ng"
    for name in names.value or ():
        text = text_or_none(root, f"{_ACNG}/{name}") if name.endswith(".conf") else Known(None)
        if isinstance(text, Known):
            found = next(iter(re.findall(r"^\s*CacheDir:\s*(\S+)", text.value or "", re.MULTILINE)), found)
    return Known(found)


def skew(url: str, now: Callable[[], datetime]) -> Fact[Skew]:
    """How far the clock of the server at `url` is ahead of ours, by the header Date of its answer."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return Unknown(f"{shown(url)} is no web address")
    if parts.hostname == "localhost" or parts.hostname.startswith("127."):
        return Unknown("the only server to ask is this machine")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_PATIENCE)
    with closing(connection):
        try:
            connection.request("GET", f"{parts.path.rstrip('/')}/dists/", headers={"Range": "bytes=0-0"})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            return Unknown(f"{parts.hostname} does not tell its time ({error})")
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return Unknown(f"{parts.hostname} does not tell its time")
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    age = int(answer.headers.get("Age", "0")) if answer.headers.get("Age", "0").isdecimal() else 0
    return Known(Skew((theirs - now()).total_seconds() + age, parts.hostname))
