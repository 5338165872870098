from __future__ import annotations

import pytest

from builder.errors import BuilderError
from builder.findings import Severity
from builder.media.mirror import Mirror, answers_for_guest, by_hash_path, is_loopback

THROUGH = "http://192.0.2.1:3142/mirror.example.org/debian"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://mirror.example.org/debian", "http://mirror.example.org/debian"),
        (" http://mirror.example.org/debian/ \n", "http://mirror.example.org/debian"),
        ("https://mirror.example.org:8443", "https://mirror.example.org:8443"),
        ("http://[2001:db8::1]/debian", "http://[2001:db8::1]/debian"),
    ],
)
def test_a_mirror_is_read(text: str, url: str) -> None:
    assert Mirror.parse(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mirror.example.org/debian",
        "ftp://mirror.example.org/debian",
        "http:///debian",
        "http://mirror.example.org:99999/debian",
        "http://mirror.example.org/debian?x=1",
        "http://mirror.example.org/debian#x",
        "http://mirror.example.org/deb ian",
        "http://mirror.example.org/debian\nhttp://evil.example.org",
        "file:///srv/mirror",
    ],
    ids=repr,
)
def test_what_is_no_mirror_is_refused(text: str) -> None:
    with pytest.raises(BuilderError, match="no mirror's URL"):
        Mirror.parse(text)


def test_a_password_is_never_shown() -> None:
    mirror = Mirror.parse("http://me:secret@mirror.example.org/debian")
    assert str(mirror) == "http://mirror.example.org/debian"
    with pytest.raises(BuilderError) as caught:
        Mirror.parse("ftp://me:secret@mirror.example.org/debian")
    assert "secret" not in str(caught.value)


def test_file_urls_quote_what_object_stores_misread() -> None:
    assert Mirror("http://m.example.org/debian").file("pool/a_1+deb13~u1_all.deb") == (
        "http://m.example.org/debian/pool/a_1%2Bdeb13~u1_all.deb"
    )


@pytest.mark.parametrize(
    ("url", "cacher", "behind"),
    [
        ("http://mirror.example.org/debian", "", None),
        ("http://mirror.example.org/pub/debian", "", None),
        (THROUGH, "192.0.2.1:3142", "http://mirror.example.org/debian"),
        ("http://cacher/mirror.example.org/debian", "cacher", "http://mirror.example.org/debian"),
        ("http://cacher:9999/mirror.example.org:8080/debian", "cacher:9999", "http://mirror.example.org:8080/debian"),
        ("http://cacher:3142/debian", "cacher:3142", None),
        ("http://snapshots.example.org/archive/debian/20250101T000000Z", "", None),
    ],
)
def test_a_cacher_in_the_url_is_recognised(url: str, cacher: str, behind: str | None) -> None:
    mirror = Mirror(url)
    assert mirror.cacher == cacher
    assert (mirror.behind.url if mirror.behind else None) == behind


@pytest.mark.parametrize(
    ("url", "proxy", "told"),
    [
        (
            "http://mirror.example.org/debian",
            None,
            ("http", "mirror.example.org", "/debian", ""),
        ),
        (
            "http://mirror.example.org/debian",
            "http://192.0.2.1:3142",
            ("http", "mirror.example.org", "/debian", "http://192.0.2.1:3142/"),
        ),
        (THROUGH, None, ("http", "192.0.2.1:3142", "/mirror.example.org/debian", "")),
        ("https://mirror.example.org", None, ("https", "mirror.example.org", "/", "")),
    ],
)
def test_what_a_guest_is_told(url: str, proxy: str | None, told: tuple[str, str, str, str]) -> None:
    answers, findings = answers_for_guest(Mirror(url), proxy)
    assert (answers.protocol, answers.hostname, answers.directory, answers.proxy) == told
    assert not findings


@pytest.mark.parametrize(
    ("url", "proxy", "code", "told"),
    [
        ("http://mirror.example.org/debian", "http://127.0.0.1:3142", "M202", ("mirror.example.org", "")),
        ("http://mirror.example.org/debian", "http://localhost:3142", "M202", ("mirror.example.org", "")),
        ("http://mirror.example.org/debian", "http://me:secret@proxy:3128", "M204", ("mirror.example.org", "")),
        ("http://me:secret@mirror.example.org/debian", None, "M204", ("mirror.example.org", "")),
        ("http://127.0.0.1:3142/mirror.example.org/debian", None, "M203", ("mirror.example.org", "")),
    ],
)
def test_what_no_guest_can_use_is_left_out_with_a_warning(
    url: str, proxy: str | None, code: str, told: tuple[str, str]
) -> None:
    answers, findings = answers_for_guest(Mirror(url), proxy)
    assert [(finding.code, finding.severity) for finding in findings] == [(code, Severity.WARNING)]
    assert (answers.hostname, answers.proxy) == told
    assert "secret" not in f"{answers} {findings}"


def test_a_loopback_mirror_with_nothing_behind_it_is_an_error() -> None:
    _answers, findings = answers_for_guest(Mirror("http://localhost:3142/debian"), None)
    assert [(finding.code, finding.severity) for finding in findings] == [("M203", Severity.ERROR)]


def test_the_questions_are_those_of_the_protocol() -> None:
    answers, _findings = answers_for_guest(Mirror("https://mirror.example.org/debian"), None)
    assert answers.questions == {
        "mirror/country": "manual",
        "mirror/protocol": "https",
        "mirror/https/hostname": "mirror.example.org",
        "mirror/https/directory": "/debian",
        "mirror/https/proxy": "",
    }


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("apt.localhost", True),
        ("192.0.2.1", False),
        ("localhost.example.org", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_by_hash_lies_beside_the_index() -> None:
    assert by_hash_path("main/binary-amd64/Packages.xz", "ab" * 32) == f"main/binary-amd64/by-hash/SHA256/{'ab' * 32}"
