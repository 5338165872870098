from __future__ import annotations

from dataclasses import replace

import pytest

from builder.errors import BuilderError
from builder.media.lock import MediaKey, Pin, describe_change, parse_lock, render_lock
from builder.media.release import Digest

PIN = Pin("20250803+deb13u7", "package", "6.12.107+deb13-amd64", Digest("a" * 64, 12), Digest("b" * 64, 40))
PINS: dict[MediaKey, Pin] = {
    ("trixie", "amd64"): PIN,
    ("bookworm", "amd64"): replace(PIN, version="20230607+deb12u15"),
}
TEXT = render_lock(PINS)
TRIXIE = TEXT[: TEXT.index("trixie/amd64")].count("\n") + 1


def test_what_is_written_is_read_again() -> None:
    assert parse_lock(TEXT, name="media.lock") == PINS


def test_the_order_of_fetching_does_not_show() -> None:
    assert render_lock(dict(reversed(PINS.items()))) == TEXT
    assert TEXT.index("bookworm") < TEXT.index("trixie")


@pytest.mark.parametrize("text", ["", "\n", "  \n"], ids=repr)
def test_an_empty_file_is_an_empty_lock(text: str) -> None:
    assert parse_lock(text, name="media.lock") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT[:100], r"media\.lock:\d+:\d+: is no JSON"),
        (TEXT.replace('"format": 1,', '"format": 1,\n<<<<<<< HEAD'), r"media\.lock:3:1: is no JSON"),
        ("[]", "is no media lock of format 1"),
        ("null", "is no media lock of format 1"),
        ('{"format": 2, "media": {}}', "is no media lock of format 1"),
        ('{"format": 1}', "is no media lock of format 1"),
        (TEXT.replace("a" * 64, "a" * 63), r"media\.lock:\d+: the entry bookworm/amd64 'a+' is no SHA-256"),
        (TEXT.replace("a" * 64, "A" * 64), "is no SHA-256"),
        (TEXT.replace('"size": 12', '"size": -12'), "never negative"),
        (TEXT.replace('"size": 12', '"size": "12"'), "whole number size"),
        (TEXT.replace('"size": 12', '"size": true'), "whole number size"),
        (TEXT.replace('"size": 12', '"size": null'), "whole number size"),
        (TEXT.replace('"version"', '"versoin"'), "lacks 'version'"),
        (TEXT.replace('"kernel"', '"kernal"'), "lacks 'kernel'"),
        (TEXT.replace("20250803+deb13u7", "a\\nb"), rf"media\.lock:{TRIXIE}: the entry trixie/amd64 has version"),
        (TEXT.replace("20250803+deb13u7", ""), "has version ''"),
        (TEXT.replace("trixie/amd64", "trixie"), "'trixie' is not SUITE/ARCHITECTURE"),
        (TEXT.replace("trixie/amd64", "bookworm/amd64"), rf"media\.lock:{TRIXIE}: bookworm/amd64 is there twice"),
        ('{"format": 1, "media": {"trixie/amd64": []}}', r"media\.lock:1: the entry trixie/amd64"),
        ('{"format": 1, "media": {"trixie/amd64": "x"}}', r"media\.lock:1: the entry trixie/amd64"),
    ],
    ids=[
        "cut off",
        "a merge conflict",
        "a list",
        "null",
        "another format",
        "no media",
        "a short digest",
        "a digest in capitals",
        "a negative size",
        "a size as text",
        "a size as truth",
        "no size",
        "no version",
        "no kernel",
        "a line break",
        "an empty version",
        "no architecture",
        "an entry twice",
        "a list for an entry",
        "a text for an entry",
    ],
)
def test_a_broken_lock_says_where_and_why(text: str, words: str) -> None:
    with pytest.raises(BuilderError, match=words) as caught:
        parse_lock(text, name="media.lock")
    assert "domu fetch" in caught.value.hint


def test_a_change_tells_old_and_new() -> None:
    new = replace(PIN, version="20250803+deb13u8", initrd=Digest("c" * 64, 41))
    assert describe_change(PIN, new) == (
        "installer: 20250803+deb13u7 -> 20250803+deb13u8",
        f"initrd.gz: {'b' * 16} -> {'c' * 16}",
    )


def test_no_change_tells_nothing() -> None:
    assert describe_change(PIN, PIN) == ()


def test_a_first_pin_is_told() -> None:
    assert describe_change(None, PIN) == ("pinned 20250803+deb13u7 (kernel 6.12.107+deb13-amd64)",)
