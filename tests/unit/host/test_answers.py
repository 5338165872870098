from __future__ import annotations

import pytest

from builder.host.answers import (
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
    wish,
)

HERE = "https://mirror.example.org/debian/a"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, NotFoundError),
        (410, NotFoundError),
        (400, UnreachableError),
        (401, UnreachableError),
        (403, RefusedError),
        (407, UnreachableError),
        (204, UnreachableError),
        (304, UnreachableError),
        (501, UnreachableError),
        (408, PassingError),
        (429, PassingError),
        (500, PassingError),
        (503, PassingError),
        (416, WrongPartError),
    ],
)
def test_a_status_is_an_error_of_its_kind(status: int, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        judge(status, "Why", {}, HERE)
    assert type(caught.value) is error


@pytest.mark.parametrize("status", [200, 206])
def test_a_status_is_fine(status: int) -> None:
    judge(status, "OK", {}, HERE)


def test_a_missing_file_may_be_elsewhere_and_a_wrong_one_may_not() -> None:
    assert issubclass(NotFoundError, UnreachableError)
    assert not issubclass(MismatchError, UnreachableError)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00", None),
        ("", None),
        ("-1", None),
        ("soon", None),
        ("²", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    assert wish(text) == seconds


@pytest.mark.parametrize(
    ("current", "location", "target"),
    [
        (HERE, "b", "https://mirror.example.org/debian/b"),
        (HERE, "/b", "https://mirror.example.org/b"),
        (HERE, "//cdn.example.org/b", "https://cdn.example.org/b"),
        ("http://a.example.org/", "https://b.example.org/", "https://b.example.org/"),
        ("http://a.example.org/", "HTTP://b.example.org/", "http://b.example.org/"),
    ],
)
def test_a_redirect_is_followed(current: str, location: str, target: str) -> None:
    assert next_url(current, location) == target


@pytest.mark.parametrize(
    "location",
    [
        "",
        "http://cdn.example.org/b",
        "file:///etc/passwd",
        "ftp://a.example.org/b",
        "data:,hello",
        "http://[",
        "gopher:x",
    ],
)
def test_a_redirect_is_not_followed(location: str) -> None:
    with pytest.raises(UnreachableError, match="redirects to"):
        next_url(HERE, location)


@pytest.mark.parametrize(
    ("status", "headers", "kept", "found"),
    [
        (200, {"Content-Length": "9"}, 5, (0, 9)),
        (200, {}, 5, (0, None)),
        (200, {"Content-Length": "nine"}, 0, (0, None)),
        (206, {"Content-Range": "bytes 5-8/9"}, 5, (5, 9)),
        (206, {"Content-Range": "bytes 0-8/9"}, 0, (0, 9)),
    ],
)
def test_where_a_body_belongs(status: int, headers: dict[str, str], kept: int, found: tuple[int, int | None]) -> None:
    assert extent(status, headers, kept) == found


@pytest.mark.parametrize("range_", ["", "bytes 4-8/9", "bytes 5-8/*", "bytes */9", "items 5-8/9", "bytes 5-8/9, 1-2/9"])
def test_a_part_that_does_not_fit(range_: str) -> None:
    with pytest.raises(WrongPartError):
        extent(206, {"Content-Range": range_}, 5)


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"ETag": '"a"', "Last-Modified": "then"}, '"a"'),
        ({"ETag": 'W/"a"', "Last-Modified": "then"}, "then"),
        ({"ETag": 'W/"a"'}, ""),
        ({}, ""),
    ],
)
def test_only_a_strong_tag_goes_into_if_range(headers: dict[str, str], text: str) -> None:
    assert validator(headers) == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:hunter2@proxy.example.org:3142", "http://proxy.example.org:3142"),
        ("http://user:p@ss@proxy.example.org/a?b", "http://proxy.example.org/a?b"),
        (HERE, HERE),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert shown_url(url) == shown
