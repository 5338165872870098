"""The one door to HTTP: bounded, resumed, retried; a body becomes a file only in the store, under its digest."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import IncompleteRead
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError as WireError  # what a body raises while requests streams it

from builder.host.answers import (
    ASTRAY,
    MOVED,
    MismatchError,
    NotFoundError,
    PassingError,
    RefusedError,
    UnreachableError,
    WrongPartError,
    extent,
    judge,
    next_url,
    shown_url,
    validator,
)
from builder.host.part import Part
from builder.host.store import Blob, DigestError, Store
from builder.media.release import Digest
from builder.progress import Progress

__all__ = ["Fetcher", "MismatchError", "NotFoundError", "RefusedError", "Timeouts", "UnreachableError"]

_T = TypeVar("_T")
_CHUNK = 1 << 18
_REDIRECTS = 5
_LARGEST = 1 << 30  # bytes of a file whose size nobody signed, unless told; netboot images have at most 0.1 GiB
_GAIN = 1 << 20  # an attempt that brought this many bytes starts the count of failures anew
_LONGEST_PAUSE = 30.0
_LONGEST_WISH = 120.0  # Retry-After above this many seconds is not waited for
# The certificates that the machine's administrator trusts, a company's own among them; else certifi's.
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to connect and between two bytes; in each `window` (seconds) at least `least` bytes must come."""

    connect: float = 15.0
    silence: float = 60.0
    window: float = 60.0
    least: int = 16 * 1024


class _Session(requests.Session):
    """Leaves redirects alone: even when not to follow them, requests reads their bodies whole, and stumbles on some."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None for every answer; `answers.next_url` judges."""
        del resp
        return None


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
        self._session = _Session()
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
                if answer.status_code != 200:
                    raise PassingError("a part came where the whole was asked for")
                body = bytearray()
                for chunk in self._chunks(answer):
                    body += chunk
                    _refuse_longer(len(body), final, limit)
                return bytes(body)

        return self._persist(url, attempt)

    def present(self, url: str) -> bool:
        """Can this file be had? Asks for one byte, as HEAD is answered with 404 by some mirrors for everything.

        Raises UnreachableError when the answer is neither yes nor no.
        """

        def attempt() -> bool:
            try:
                with self._answer(url, {"Range": "bytes=0-0"}) as (answer, _final):
                    if answer.headers.get("Content-Length") == "1":
                        answer.raw.read1(1)  # read to its end, the connection serves the next question too
                    return True
            except NotFoundError:
                return False

        return self._persist(url, attempt)

    def download(self, url: str, *, digest: Digest, store: Store, what: str, largest: int = _LARGEST) -> Blob:
        """The file with this digest: from the store, else from `url`, continued where an earlier run ended.

        Where nobody signed its size, it has at most `largest` bytes.

        Raises NotFoundError, UnreachableError, and MismatchError when the URL gives something else.
        """
        if blob := store.find(digest.sha256):
            return blob
        with store.lock(f"fetch-{digest.sha256}", f"fetches {what}"):
            return store.find(digest.sha256) or self._obtain(
                Part(url, digest, store, what, store.incoming(digest.sha256), largest)
            )

    def _obtain(self, part: Part) -> Blob:
        """Plainly; when what came is wrong, once more from zero past the caches on the way."""
        continued = part.arrived() > 0
        try:
            return self._receive_and_admit(part, {})
        except MismatchError as error:
            part.drop()
            if continued:
                self._progress.say(f"{error.message}; an earlier run began it, so now from the start")
                return self._obtain(part)
            self._progress.say(f"{error.message}; asking once more past every cache (Cache-Control: no-cache)")
        try:
            # apt-cacher-ng 3.7.4 fetches afresh on this header and replaces what it kept; Pragma does nothing there.
            blob = self._receive_and_admit(part, _past_caches)
        except MismatchError as error:
            part.drop()
            raise MismatchError(
                f"{error.message}, and so it is past every cache", "the mirror or the cacher is broken: take another"
            ) from error
        self._progress.say(f"{part.what}: right this time; a broken copy in a cacher has been replaced by this one")
        return blob

    def _receive_and_admit(self, part: Part, headers: Mapping[str, str]) -> Blob:
        source = self._persist(part.url, lambda: self._receive(part, headers))
        try:
            blob = part.store.admit(part.path, sha256=part.digest.sha256)
        except DigestError as error:
            raise MismatchError(
                f"{part.what} from {source} has the wrong content"
                f" (SHA-256 {error.seen[:16]}..., due is {error.expected[:16]}...)",
                ASTRAY,
            ) from error
        part.drop()  # its tag
        return blob

    def _receive(self, part: Part, headers: Mapping[str, str]) -> str:
        """Append what is missing to the part, or begin it anew where the server does not continue; tells from where."""
        kept = part.arrived()
        if kept == part.size():
            with part.store.writing(0):
                part.path.touch()  # it may be an empty file
            return "an earlier run"
        if kept > (part.size() or part.largest):
            part.drop()
            kept = 0
        asked = {"Range": f"bytes={kept}-", **part.if_same()} if kept else dict(headers)
        try:
            with self._answer(part.url, asked) as (answer, final):
                kept, total = extent(answer.status_code, answer.headers, kept)
                _refuse_size(part, total, final)
                self._append(part, answer, final, kept, part.digest.size if total is None else total)
                return final
        except WrongPartError:
            part.drop()
            raise

    def _append(self, part: Part, answer: requests.Response, final: str, kept: int, total: int | None) -> None:
        """Write the body behind the first `kept` bytes of the part; `total` is the size of the whole file."""
        arrived = kept
        self._progress.start(part.what, total, done=kept)
        try:
            with part.store.writing((total or kept) - kept), part.path.open("ab") as file:
                file.truncate(kept)
                part.remember(validator(answer.headers), total)
                for chunk in self._chunks(answer):
                    arrived += len(chunk)
                    _refuse_longer(arrived, final, total or part.largest)
                    file.write(chunk)
                    self._progress.advance(len(chunk))
        except PassingError as error:
            error.gained = arrived - kept
            raise
        finally:
            self._progress.finish()
        if arrived < (total or 0):  # without a Content-Length only the end of the connection is seen
            raise PassingError(f"the answer ended after {arrived} of {total} bytes", gained=arrived - kept)

    def _persist(self, url: str, attempt: Callable[[], _T]) -> _T:
        """Try until it works or has failed too often; pauses double, and the server's wish is granted."""
        failures = 0
        while True:
            try:
                return attempt()
            except PassingError as error:
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
                if answer.status_code not in MOVED:
                    moved = f" (redirected to {shown_url(current)})" if current != url else ""
                    final = shown_url(url) + moved + self._via
                    judge(answer.status_code, answer.reason, answer.headers, final)
                    yield answer, final
                    return
                current = next_url(current, answer.headers.get("Location", ""))
            finally:
                answer.close()
        raise UnreachableError(f"{shown_url(url)}{self._via} redirects more than {_REDIRECTS} times", ASTRAY)

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
            raise PassingError(_reason(error)) from error
        except requests.exceptions.RequestException as error:
            raise UnreachableError(f"{shown_url(url)}{self._via}: {_reason(error)}", "look at the URL") from error

    def _chunks(self, answer: requests.Response) -> Iterator[bytes]:
        """The body as it comes. A server that drips bytes is as dead as one that is silent."""
        since, count = time.monotonic(), 0
        while True:
            try:
                chunk: bytes = answer.raw.read1(_CHUNK, decode_content=False)
            except WireError as error:
                raise PassingError(_reason(error)) from error
            if not chunk:
                return
            yield chunk
            count += len(chunk)
            spent = time.monotonic() - since
            if spent >= self._timeouts.window:
                if count < self._timeouts.least:
                    raise PassingError(f"only {count} bytes came in {spent:.0f} s")
                since, count = time.monotonic(), 0


def _refuse_longer(length: int, final: str, limit: int) -> None:
    if length > limit:
        raise MismatchError(f"{final} is longer than the {limit} bytes it may have", ASTRAY)


def _refuse_size(part: Part, total: int | None, final: str) -> None:
    """By what the answer's head promises, before the first byte is read."""
    due = part.digest.size
    if total is not None and due is not None and total != due:
        raise MismatchError(f"{final} has {total} bytes, where {due} are due", ASTRAY)
    _refuse_longer(total or 0, final, part.largest if due is None else due)


_past_caches = {"Cache-Control": "no-cache"}


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words; what lies around it repeats the URL and the proxy's password."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.exceptions.ReadTimeout) or "timed out" in str(error):
        return "no byte came in time"
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    if isinstance(error, IncompleteRead):
        return "the answer ended early"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
