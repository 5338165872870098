"""The one door to HTTP: bounded, resumed, retried; a body becomes a file only in the store, under its digest."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from urllib3.exceptions import HTTPError as WireError  # what a body raises while requests streams it

from builder.errors import BuilderError
from builder.host.store import Blob, DigestError, Store
from builder.media.release import Digest
from builder.progress import Progress

_T = TypeVar("_T")
_CHUNK = 1 << 18
_REDIRECTS = 5
_GAIN = 1 << 20  # an attempt that brought this many bytes starts the count of failures anew
_LONGEST_PAUSE = 30.0
_LONGEST_WISH = 120.0  # Retry-After above this many seconds is not waited for
_GONE = {404, 410}
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_MOVED = {301, 302, 303, 307, 308}
# The certificates that the machine's administrator trusts, a company's own among them; else certifi's.
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class UnreachableError(BuilderError):
    """The server cannot be had, or not in the way it must be; another source may be tried."""


class NotFoundError(UnreachableError):
    """The server answers and has no such file: another source may be tried."""


class MismatchError(BuilderError):
    """What came is not what was promised, even past every cache. Not a reason to try elsewhere in silence."""


class _PassingError(Exception):
    """It may work when tried again: `gained` bytes came, the server wishes to be left alone for `wish` seconds."""

    def __init__(self, reason: str, *, gained: int = 0, wish: float | None = None) -> None:
        super().__init__(reason)
        self.gained, self.wish = gained, wish


class _WrongPartError(_PassingError):
    """What was kept cannot be continued: drop it and begin anew."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to connect and between two bytes; in each `window` (seconds) at least `least` bytes must come."""

    connect: float = 15.0
    silence: float = 60.0
    window: float = 60.0
    least: int = 16 * 1024


@dataclass(frozen=True, slots=True)
class _Job:
    """One file on its way: `part` grows in the store's incoming folder, `tag` says which answer it began with."""

    url: str
    digest: Digest
    store: Store
    what: str
    part: Path

    @property
    def tag(self) -> Path:
        return self.part.with_suffix(".tag.part")

    def arrived(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def drop(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


class Fetcher:
    """GETs over HTTP. Only `proxy` is used, for every host; http_proxy, no_proxy and .netrc are not looked at."""

    def __init__(
        self,
        *,
        proxy: str | None,
        progress: Progress,
        sleep: Callable[[float], None] = time.sleep,
        retries: int = 4,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._progress, self._sleep, self._retries = progress, sleep, retries
        self._timeouts = timeouts or Timeouts()
        self._via = f" (through {shown_url(proxy)})" if proxy else ""
        self._session = requests.Session()
        self._session.trust_env = False
        if proxy:
            self._session.proxies = {"http": proxy, "https": proxy}
        if _CERTIFICATES.is_file():
            self._session.verify = str(_CERTIFICATES)
        # identity: some servers compress on the fly, and then neither size nor digest nor a range means the file.
        self._session.headers = requests.structures.CaseInsensitiveDict(
            {"User-Agent": "domu", "Accept": "*/*", "Accept-Encoding": "identity"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that were kept open."""
        self._session.close()

    def text(self, url: str, *, limit: int, fresh: bool = False) -> bytes:
        """A small body of at most `limit` bytes, unverified; `fresh` asks past every cache.

        Raises NotFoundError, UnreachableError, MismatchError (too long).
        """

        def attempt() -> bytes:
            with self._answer(url, _past_caches if fresh else {}) as (answer, final):
                self._refuse_longer(answer, final, limit)
                body = bytearray()
                for chunk in self._chunks(answer):
                    body += chunk
                    if len(body) > limit:
                        raise MismatchError(f"{final} is longer than {limit} bytes{self._via}", _ASTRAY)
                return bytes(body)

        return self._persist(url, attempt)

    def present(self, url: str) -> bool:
        """Can this file be had? Asks for one byte, as HEAD is answered with 404 by some mirrors for everything.

        Raises UnreachableError when the answer is neither yes nor no.
        """

        def attempt() -> bool:
            try:
                with self._answer(url, {"Range": "bytes=0-0"}):
                    return True
            except NotFoundError:
                return False

        return self._persist(url, attempt)

    def download(self, url: str, *, digest: Digest, store: Store, what: str) -> Blob:
        """The file with this digest: from the store, else from `url`, continued where an earlier run ended.

        Raises NotFoundError, UnreachableError, and MismatchError when the URL gives something else.
        """
        if blob := store.find(digest.sha256):
            return blob
        with store.lock(f"fetch-{digest.sha256}"):
            return store.find(digest.sha256) or self._obtain(
                _Job(url, digest, store, what, store.incoming(digest.sha256))
            )

    def _obtain(self, job: _Job) -> Blob:
        """Plainly; when what came is wrong, once more from zero past the caches on the way."""
        try:
            return self._receive_and_admit(job, {})
        except MismatchError as error:
            self._progress.say(f"{error.message}; asking once more past every cache (Cache-Control: no-cache)")
        job.drop()
        try:
            # apt-cacher-ng 3.7.4 fetches afresh on this header and replaces what it kept; Pragma does nothing there.
            blob = self._receive_and_admit(job, _past_caches)
        except MismatchError as error:
            job.drop()
            raise MismatchError(
                f"{error.message}, and so it is past every cache", "the mirror or the cacher is broken: take another"
            ) from error
        self._progress.say(f"{job.what}: right this time; a broken copy in a cacher has been replaced by this one")
        return blob

    def _receive_and_admit(self, job: _Job, headers: Mapping[str, str]) -> Blob:
        with job.store.writing(job.digest.size), job.part.open("ab"):
            pass  # it exists from here on, even when it is to be empty
        self._persist(job.url, lambda: self._receive(job, headers))
        try:
            blob = job.store.admit(job.part, sha256=job.digest.sha256)
        except DigestError as error:
            raise MismatchError(
                f"{job.what} from {shown_url(job.url)}{self._via} has the right size and the wrong content"
                f" (SHA-256 {error.seen[:16]}..., due is {error.expected[:16]}...)",
                _ASTRAY,
            ) from error
        job.tag.unlink(missing_ok=True)
        return blob

    def _receive(self, job: _Job, headers: Mapping[str, str]) -> None:
        """Append what is missing to the part, or begin it anew where the server does not continue."""
        arrived = job.arrived()
        if arrived > job.digest.size:
            job.drop()
            arrived = 0
        elif arrived == job.digest.size:
            return
        asked = {"Range": f"bytes={arrived}-", **_if_same(job)} if arrived else dict(headers)
        try:
            with self._answer(job.url, asked) as (answer, final):
                if answer.status_code == 200:
                    arrived = 0
                    self._refuse_longer(answer, final, job.digest.size, exact=True)
                elif not _continues(answer, arrived, job.digest.size):
                    raise _WrongPartError("the server gave another part than it was asked for")
                self._append(job, answer, final, arrived)
        except _WrongPartError:
            job.drop()
            raise

    def _append(self, job: _Job, answer: requests.Response, final: str, arrived: int) -> None:
        size = job.digest.size
        self._progress.start(job.what, size, done=arrived)
        begun = arrived
        try:
            with job.store.writing(size - arrived), job.part.open("ab") as file:
                file.truncate(arrived)
                job.tag.write_text(json.dumps({"url": job.url, "validator": _validator(answer)}))
                for chunk in self._chunks(answer):
                    arrived += len(chunk)
                    if arrived > size:
                        raise MismatchError(f"{job.what} from {final}{self._via} is longer than {size} bytes", _ASTRAY)
                    file.write(chunk)
                    self._progress.advance(len(chunk))
        except _PassingError as error:
            error.gained = arrived - begun
            raise
        finally:
            self._progress.finish()
        if arrived < size:  # without a Content-Length, the end of the connection is all that is seen
            raise _PassingError(f"the answer ended after {arrived} of {size} bytes", gained=arrived - begun)

    def _persist(self, url: str, attempt: Callable[[], _T]) -> _T:
        """Try until it works or has failed too often; pauses double, and the server's wish is granted."""
        failures = 0
        while True:
            try:
                return attempt()
            except _PassingError as error:
                failures = 1 if error.gained >= _GAIN else failures + 1
                pause = min(2.0 ** (failures - 1), _LONGEST_PAUSE) if error.wish is None else error.wish
                if failures > self._retries or pause > _LONGEST_WISH:
                    raise UnreachableError(
                        f"{shown_url(url)}{self._via}: {error}, after {failures} attempts",
                        "see whether the mirror and the proxy answer; what has arrived is kept, so run it again later",
                    ) from error
                self._progress.say(f"{shown_url(url)}{self._via}: {error}; trying again in {pause:.0f} s")
            self._sleep(pause)

    @contextmanager
    def _answer(self, url: str, headers: Mapping[str, str]) -> Iterator[tuple[requests.Response, str]]:
        """The answer of the last server of a chain of redirects, its status judged, and the URL to show for it."""
        current = url
        for _hop in range(_REDIRECTS + 1):
            answer = self._ask(current, headers)
            try:
                if answer.status_code not in _MOVED:
                    final = shown_url(url) + (f" (redirected to {shown_url(current)})" if current != url else "")
                    _judge(answer, final + self._via)
                    yield answer, final
                    return
                current = _next_url(current, answer.headers.get("Location", ""))
            finally:
                answer.close()
        raise UnreachableError(f"{shown_url(url)}{self._via} redirects more than {_REDIRECTS} times", _ASTRAY)

    def _ask(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise UnreachableError(f"{shown_url(url)} is no http or https URL", "only these two are fetched")
        limits = (self._timeouts.connect, self._timeouts.silence)
        try:
            return self._session.get(url, headers=dict(headers), stream=True, allow_redirects=False, timeout=limits)
        except requests.exceptions.SSLError as error:
            raise UnreachableError(
                f"{shown_url(url)}{self._via}: {_reason(error)}", "apt-get install ca-certificates, or use http"
            ) from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            raise _PassingError(_reason(error)) from error
        except requests.exceptions.RequestException as error:
            raise UnreachableError(f"{shown_url(url)}{self._via}: {_reason(error)}", "look at the URL") from error

    def _chunks(self, answer: requests.Response) -> Iterator[bytes]:
        """The body as it comes. A server that drips bytes is as dead as one that is silent."""
        since, count = time.monotonic(), 0
        while True:
            try:
                chunk: bytes = answer.raw.read1(_CHUNK, decode_content=False)
            except WireError as error:
                raise _PassingError(_reason(error)) from error
            if not chunk:
                return
            yield chunk
            count += len(chunk)
            spent = time.monotonic() - since
            if spent >= self._timeouts.window:
                if count < self._timeouts.least:
                    raise _PassingError(f"only {count} bytes came in {spent:.0f} s")
                since, count = time.monotonic(), 0

    def _refuse_longer(self, answer: requests.Response, final: str, limit: int, *, exact: bool = False) -> None:
        """Refuse a body by its Content-Length, before the first byte: above `limit`, or not exactly it."""
        promised = answer.headers.get("Content-Length", "")
        if promised.isdecimal() and (int(promised) > limit or (exact and int(promised) != limit)):
            due = f"{limit} are due" if exact else f"at most {limit} are taken"
            raise MismatchError(f"{final}{self._via} has {promised} bytes, where {due}", _ASTRAY)


_past_caches = {"Cache-Control": "no-cache"}
_ASTRAY = "something else may answer in the mirror's place; see what the URL gives, or take another mirror"


def shown_url(url: str) -> str:
    """A URL for messages: without a user's name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _judge(answer: requests.Response, final: str) -> None:
    """Nothing for 200 and 206; else the error that the status means."""
    status, said = answer.status_code, f"{final}: {answer.status_code} {answer.reason}"
    if status in {200, 206}:
        return
    if status in _GONE:
        raise NotFoundError(said, "the mirror does not have it; take another, or a newer Release")
    if status == 416:
        raise _WrongPartError("the server has no such part")
    if status in _PASSING:
        raise _PassingError(f"{status} {answer.reason}", wish=_wish(answer.headers.get("Retry-After", "")))
    raise UnreachableError(said, "the mirror or the proxy refuses; ask whoever runs it, or take another")


def _wish(text: str) -> float | None:
    """Seconds of a Retry-After (RFC 9110, 10.2.3: a number or a date), None when it says nothing useful."""
    if text.isdecimal():
        return float(text)
    with suppress(ValueError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return None


def _next_url(current: str, location: str) -> str:
    target = urljoin(current, location)
    before, after = urlsplit(current).scheme, urlsplit(target).scheme
    if not location or after not in {"http", "https"} or (before == "https" and after == "http"):
        raise UnreachableError(
            f"{shown_url(current)} redirects to {shown_url(target)!r}, which is not followed", _ASTRAY
        )
    return target


def _validator(answer: requests.Response) -> str:
    """What If-Range takes: a strong ETag, else the date of the last change."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")


def _if_same(job: _Job) -> dict[str, str]:
    with suppress(FileNotFoundError, ValueError):
        kept = json.loads(job.tag.read_text())
        if kept["url"] == job.url and kept["validator"]:
            return {"If-Range": kept["validator"]}
    return {}  # begun from another mirror: its digest decides


def _continues(answer: requests.Response, arrived: int, size: int) -> bool:
    match = re.fullmatch(r"bytes ([0-9]+)-([0-9]+)/([0-9]+|\*)", answer.headers.get("Content-Range", ""), re.ASCII)
    return match is not None and int(match[1]) == arrived and match[3] in {"*", str(size)}


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words; what lies around it repeats the URL and the proxy's password."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.exceptions.ReadTimeout) or "timed out" in str(error):
        return "no byte came in time"
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
