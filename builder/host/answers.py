"""What an HTTP answer means: its status and headers turned into what to do next. Opens nothing itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit, urlunsplit

from builder.errors import BuilderError

MOVED = {301, 302, 303, 307, 308}
_GONE = {404, 410}
_PASSING = {408, 425, 429, 500, 502, 503, 504}
ASTRAY = "something else may answer in the mirror's place; see what the URL gives, or take another mirror"


class UnreachableError(BuilderError):
    """The server cannot be had, or not in the way it must be; another source may be tried."""


class NotFoundError(UnreachableError):
    """The server answers and has no such file: another source may be tried."""


class RefusedError(UnreachableError):
    """The server or a cacher on the way gives no such file to anybody: 403."""


class MismatchError(BuilderError):
    """What came is not what was promised, even past every cache. Not a reason to try elsewhere in silence."""


class PassingError(Exception):
    """It may work when tried again: `gained` bytes came, the server wishes to be left alone for `wish` seconds."""

    def __init__(self, reason: str, *, gained: int = 0, wish: float | None = None) -> None:
        super().__init__(reason)
        self.gained, self.wish = gained, wish


class WrongPartError(PassingError):
    """What was kept cannot be continued: drop it and begin anew."""


def judge(status: int, reason: str, headers: Mapping[str, str], final: str) -> None:
    """Nothing for 200 and 206; else the error that the status means. `final` is the URL to name."""
    if status in {200, 206}:
        return
    if status in _GONE:
        raise NotFoundError(f"{final}: {status} {reason}", "the mirror does not have it; take another")
    if status == 416:
        raise WrongPartError("the server has no such part")
    if status in _PASSING:
        raise PassingError(f"{status} {reason}", wish=wish(headers.get("Retry-After", "")))
    error = RefusedError if status == 403 else UnreachableError
    raise error(f"{final}: {status} {reason}", "the mirror or the proxy refuses; ask whoever runs it, or take another")


def wish(text: str) -> float | None:
    """Seconds of a Retry-After (RFC 9110, 10.2.3: a number or a date), None when it says nothing useful."""
    if text.isascii() and text.isdecimal():
        return float(text)
    with suppress(ValueError, TypeError):  # no date; a date without a zone
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return None


def next_url(current: str, location: str) -> str:
    """Where a redirect leads; UnreachableError unless it is http or https, and never from https to http."""
    try:
        target = urljoin(current, location)
        before, after = urlsplit(current).scheme, urlsplit(target).scheme
    except ValueError as error:  # `http://[`
        raise UnreachableError(f"{shown_url(current)} redirects to {location!r}, which is no URL", ASTRAY) from error
    if not location or after not in {"http", "https"} or (before == "https" and after == "http"):
        raise UnreachableError(
            f"{shown_url(current)} redirects to {shown_url(target)!r}, which is not followed", ASTRAY
        )
    return target


def extent(status: int, headers: Mapping[str, str], kept: int) -> tuple[int, int | None]:
    """Where the body begins in the file and how long the whole file is, None when the answer does not say.

    WrongPartError when it is not what must follow the `kept` bytes.
    """
    length = headers.get("Content-Length", "")
    if status == 200:
        return 0, int(length) if length.isascii() and length.isdecimal() else None
    match = re.fullmatch(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)", headers.get("Content-Range", ""), re.ASCII)
    if match is None or int(match[1]) != kept:
        raise WrongPartError("the server gave another part than it was asked for")
    return kept, int(match[3])


def validator(headers: Mapping[str, str]) -> str:
    """What If-Range takes: a strong ETag, else the date of the last change, else nothing."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def shown_url(url: str) -> str:
    """A URL for messages: without a user's name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
