"""Facts of what building needs: keyrings, packages, programs, the apt-cacher, and whose clock says what."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from builder.errors import BuilderError
from builder.host.dom0.reading import below, names_in, said, text_or_none
from builder.host.run import Runner
from builder.media.keyring import ArchiveKey, parse_keyring
from builder.media.mirror import Mirror, is_loopback, shown
from builder.xen.doctor.fact import Fact, Known, Unknown
from builder.xen.doctor.facts import Cacher, ClockState, Skew
from builder.xen.doctor.of_archive import REPORT

_PATIENCE = 20.0  # seconds; a cacher fetches from afar first
_BODY = 1 << 18  # bytes; a report page has 14 KiB
_ACNG = "/etc/apt-cacher-ng"
# apt-cacher-ng 3.7.4: what it moved since it was started; the second figure of the row is of its whole log.
_ROW = re.compile(r"Data (fetched|served):.*?> *([0-9.]+(?: [A-Za-z]+)?)</td>", re.DOTALL)


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


def clock(runner: Runner) -> Fact[ClockState]:
    """Does the kernel's clock follow a time server, as systemd sees it?"""
    wanted = ["--property=NTPSynchronized", "--property=CanNTP"]  # systemd 252 takes no list here
    return said(runner, ["timedatectl", "show", *wanted]).then(_clock)


def _clock(text: str) -> ClockState:
    told = dict(line.partition("=")[::2] for line in text.splitlines())
    try:
        return ClockState(*({"yes": True, "no": False}[told[name]] for name in ("NTPSynchronized", "CanNTP")))
    except KeyError as error:
        raise BuilderError(f"timedatectl show says what is not understood: {text.strip()!a}") from error


def cacher(url: str, mirror: Mirror, suite: str) -> Cacher:
    """Ask an apt-cacher for its report page, and for the mirror's InRelease by way of it.

    `mirror` is that of the profiles: its URL leads through the cacher, or the cacher is its proxy.
    """
    parts = urlsplit(url)
    try:
        place = (parts.hostname or "", parts.port or 80)
    except ValueError:
        return Cacher(shown(url), "", "", 0, "its URL has no sound port", here=False)
    here = is_loopback(place[0]) or place[0] == socket.gethostname()
    wanted = mirror.file(f"dists/{suite}/InRelease")
    hidden = wanted.startswith("https:") and not mirror.cacher
    try:
        release = _get(place, urlsplit(wanted).path if mirror.cacher else "/" if hidden else wanted)
        report = _get(place, f"/{REPORT}")
    except (OSError, http.client.HTTPException) as error:
        return Cacher(shown(url), "", "", 0, str(error), here=here)
    moved = ", ".join(f"{what} {amount}" for what, amount in _ROW.findall(report.body))
    date = _date(release.headers) or _date(report.headers)
    return Cacher(
        shown(url), _name(report, release), moved, None if hidden else release.status, release.reason, here, date
    )


def _name(report: _Answer, release: _Answer) -> str:
    """What it calls itself: in the header Server, but apt-cacher-ng's report page has none and says it in its text."""
    named = [answer.headers.get("Server") for answer in (report, release) if answer.headers.get("Server")]
    cachers = [name for name in named if name and "cacher" in name.lower()]
    if not cachers and "Apt-Cacher NG" in report.body:
        return "apt-cacher-ng"
    return (*cachers, *named, "a server without a name")[0] or ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    reason: str
    headers: Message
    body: str


def _get(place: tuple[str, int], target: str) -> _Answer:
    """The beginning of what is at a path, or, of a proxy, at a URL."""
    connection = http.client.HTTPConnection(*place, timeout=_PATIENCE)
    with closing(connection):
        connection.request("GET", target)
        answer = connection.getresponse()
        return _Answer(answer.status, answer.reason, answer.headers, answer.read(_BODY).decode(errors="replace"))


def _date(headers: Message) -> datetime | None:
    """The sender's clock, by the header Date."""
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


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
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_PATIENCE)
    with closing(connection):
        try:
            connection.request("GET", f"{parts.path.rstrip('/')}/dists/", headers={"Range": "bytes=0-0"})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            return Unknown(f"{parts.hostname} does not tell its time ({error})")
    theirs = _date(answer.headers)
    if theirs is None:
        return Unknown(f"{parts.hostname} does not tell its time")
    age = answer.headers.get("Age", "0")  # in a cache on the way; RFC 9111, 5.1
    ahead = (theirs - now()).total_seconds() + (int(age) if age.isdecimal() else 0)
    return Known(Skew(ahead, parts.hostname))
