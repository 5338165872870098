from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import BuilderError
from builder.findings import Severity
from builder.media.release import Digest, judge_release, parse_release, parse_sha256sums

ONE, TWO = "1" * 64, "2" * 64
TEXT = f"""\
Origin: Debian
Suite: stable
Codename: trixie
Date: Sat, 06 Sep 2025 09:37:54 UTC
Valid-Until: Sat, 13 Sep 2025 09:37:54 UTC
Acquire-By-Hash: yes
Architectures: all amd64
Components: main contrib
MD5Sum:
 d41d8cd98f00b204e9800998ecf8427e        0 main/empty
SHA256:
 {ONE}   123456 main/binary-amd64/Packages.xz
 {TWO}        0 main/empty
"""
DATE = datetime(2025, 9, 6, 9, 37, 54, tzinfo=UTC)


def test_a_release_is_read() -> None:
    release = parse_release(TEXT)
    assert (release.origin, release.suite, release.codename) == ("Debian", "stable", "trixie")
    assert (release.date, release.valid_until) == (DATE, DATE + timedelta(days=7))
    assert (release.components, release.architectures) == (("main", "contrib"), ("all", "amd64"))
    assert release.files == {"main/binary-amd64/Packages.xz": Digest(ONE, 123456), "main/empty": Digest(TWO, 0)}
    assert release.name == "trixie"


def test_a_file_is_asked_for_by_its_hash_first() -> None:
    release = parse_release(TEXT)
    by_hash = f"main/binary-amd64/by-hash/SHA256/{ONE}"
    assert release.places("main/binary-amd64/Packages.xz") == (by_hash, "main/binary-amd64/Packages.xz")
    without = parse_release(TEXT.replace("Acquire-By-Hash: yes\n", ""))
    assert without.places("main/empty") == ("main/empty",)


def test_a_file_that_is_not_listed_is_an_error() -> None:
    with pytest.raises(BuilderError, match="trixie lists no main/other"):
        parse_release(TEXT).digest("main/other")


def test_a_date_with_an_offset_is_taken_at_its_word() -> None:
    text = TEXT.replace("09:37:54 UTC", "11:37:54 +0200")
    assert parse_release(text).date == DATE


MALFORMED = {
    "empty": ("", "0 paragraphs"),
    "a page": ("<html>\n<body>hello</body>\n", "paragraphs|neither"),
    "two paragraphs": (TEXT + "\nSuite: evil\n", "2 paragraphs"),
    "no name": (TEXT.replace("Suite: stable\nCodename: trixie\n", ""), "neither Suite nor Codename"),
    "no date": (TEXT.replace("Date: Sat, 06", "X-Date: Sat, 06"), "it has no Date"),
    "date is no date": (TEXT.replace("Sat, 06 Sep 2025", "soon"), "its Date is no date: 'soon"),
    "Valid-Until is no date": (TEXT.replace("Sat, 13 Sep 2025", "later"), "its Valid-Until is no date"),
    "no SHA256": (TEXT.split("SHA256:", maxsplit=1)[0], "no SHA256 digests"),
    "digest too short": (TEXT.replace(ONE, "1" * 63), "its SHA256 has the line"),
    "digest in capitals": (TEXT.replace(ONE, "A" * 64), "its SHA256 has the line"),
    "size is negative": (TEXT.replace("123456", "-1"), "its SHA256 has the line"),
    "size in other digits": (TEXT.replace("123456", "١٢٣"), "its SHA256 has the line"),
    "two digests for one path": (TEXT + f" {ONE} 9 main/empty\n", "two digests for main/empty"),
    "path goes up": (TEXT.replace("main/empty", "main/../../etc/passwd"), "leads astray"),
    "path is absolute": (TEXT.replace("main/empty", "/etc/passwd"), "leads astray"),
    "path has a control character": (TEXT.replace("main/empty", "main/\x1b[2J"), "leads astray"),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_is_an_error(text: str, message: str) -> None:
    with pytest.raises(BuilderError, match=message):
        parse_release(text)


@given(st.text(), st.integers(0, len(TEXT)), st.integers(0, 40))
def test_whatever_it_says_only_a_builder_error_comes_of_it(put_in: str, start: int, length: int) -> None:
    with suppress(BuilderError):
        parse_release(TEXT[:start] + put_in + TEXT[start + length :])
    with suppress(BuilderError):
        parse_sha256sums(put_in)


@pytest.mark.parametrize(
    ("suite", "now", "codes"),
    [
        ("trixie", DATE + timedelta(days=1), []),
        ("stable", DATE + timedelta(days=1), []),
        ("bookworm", DATE + timedelta(days=1), ["M101"]),
        ("Trixie", DATE + timedelta(days=1), ["M101"]),
        ("", DATE + timedelta(days=1), ["M101"]),
        ("trixie", DATE - timedelta(minutes=59), []),
        ("trixie", DATE - timedelta(minutes=61), ["M102"]),
        ("trixie", DATE + timedelta(days=7), []),
        ("trixie", DATE + timedelta(days=7, seconds=1), ["M103"]),
        ("bookworm", DATE + timedelta(days=8), ["M101", "M103"]),
    ],
)
def test_suite_and_dates_are_judged(suite: str, now: datetime, codes: list[str]) -> None:
    findings = judge_release(parse_release(TEXT), suite=suite, now=now, allow_expired=False)
    assert [finding.code for finding in findings.errors] == codes


def test_an_expired_release_can_be_allowed_but_not_another_suite() -> None:
    late = DATE + timedelta(days=30)
    findings = judge_release(parse_release(TEXT), suite="bookworm", now=late, allow_expired=True)
    assert {finding.code: finding.severity for finding in findings} == {
        "M101": Severity.ERROR,
        "M103": Severity.WARNING,
    }


def test_no_valid_until_never_expires() -> None:
    text = TEXT.replace("Valid-Until: Sat, 13 Sep 2025 09:37:54 UTC\n", "")
    later = DATE + timedelta(days=3000)
    assert not judge_release(parse_release(text), suite="trixie", now=later, allow_expired=False)


def test_an_empty_suite_is_not_asked_for() -> None:
    unnamed = parse_release(TEXT.replace("Suite: stable\n", ""))
    assert judge_release(unnamed, suite="", now=DATE, allow_expired=False).errors


def test_sha256sums_are_read() -> None:
    text = f"{ONE}  ./netboot/linux\n{TWO} *netboot/initrd.gz\n{TWO}  hd-media/a b\n\n{ONE}  netboot/linux\n"
    assert parse_sha256sums(text) == {"netboot/linux": ONE, "netboot/initrd.gz": TWO, "hd-media/a b": TWO}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html>\n", "line 1 of SHA256SUMS"),
        (f"{ONE}  a\n{ONE}\n", "line 2 of SHA256SUMS"),
        (f"{ONE[:-1]}  a\n", "line 1"),
        (f"{ONE}  ../a\n", "leads astray"),
        (f"{ONE}  /a\n", "leads astray"),
        (f"{ONE}  ././a\n", "leads astray"),
        (f"{ONE}  a\n{TWO}  ./a\n", "two digests for a"),
    ],
)
def test_malformed_sha256sums_are_an_error(text: str, message: str) -> None:
    with pytest.raises(BuilderError, match=message):
        parse_sha256sums(text)


@pytest.mark.parametrize(("sha256", "size"), [("", 1), (ONE.upper().replace("1", "A"), 1), (ONE + "\n", 1), (ONE, -1)])
def test_a_digest_is_one(sha256: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"SHA-256|negative"):
        Digest(sha256, size)
