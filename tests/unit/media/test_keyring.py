"""Keyrings read packet by packet say what gpg says of them."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builder.errors import BuilderError
from builder.media.keyring import ArchiveKey, parse_keyring

DEBIAN = sorted(Path("/usr/share/keyrings").glob("debian-archive-*.gpg"))
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def as_gpg_says(path: Path) -> list[tuple[str, tuple[str, ...], bool]]:
    """Of each primary key: fingerprint, user ids, and whether it or all its subkeys can still be used."""
    argv = ["gpg", "--batch", "--show-keys", "--with-colons", "--fixed-list-mode", str(path)]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    keys: list[tuple[str, list[str], bool]] = []
    wanted = False
    for row in (line.split(":") for line in listed.splitlines()):
        if row[0] == "pub":
            keys.append(("", [], row[1] == "r"))
            wanted = True
        elif row[0] == "fpr" and wanted:
            keys[-1] = (row[9], *keys[-1][1:])
            wanted = False
        elif row[0] == "uid":
            keys[-1][1].append(row[9].replace("\\x3a", ":"))
    return [(fingerprint, tuple(names), revoked) for fingerprint, names, revoked in keys]


def ends_as_gpg_says(path: Path) -> dict[str, int]:
    """Fingerprint's last 16 signs -> seconds, of every primary key that has an end."""
    argv = ["gpg", "--batch", "--show-keys", "--with-colons", "--fixed-list-mode", str(path)]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    rows = [line.split(":") for line in listed.splitlines()]
    return {row[4]: int(row[6]) for row in rows if row[0] == "pub" and row[6]}


@pytest.mark.parametrize("path", DEBIAN, ids=lambda path: path.stem)
def test_debians_keyrings(path: Path) -> None:
    keys = parse_keyring(path.read_bytes())
    told = {fingerprint: (set(names), revoked) for fingerprint, names, revoked in as_gpg_says(path)}
    assert {key.fingerprint: (set(key.names), key.revoked) for key in keys} == told
    ends = ends_as_gpg_says(path)
    for key in keys:
        # A subkey that signs may end before its primary key, never after.
        end = ends.get(key.fingerprint[-16:])
        assert key.expires is not None if end else True
        assert end is None or (key.expires and key.expires.timestamp() <= end)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "gnupg").mkdir(mode=0o700)
    return tmp_path / "gnupg"


def gpg(home: Path, *words: str, stdin: bytes = b"") -> bytes:
    argv = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--passphrase", "", *words]
    done = subprocess.run(argv, input=stdin, capture_output=True, check=True)
    return done.stdout


@pytest.fixture
def made(home: Path) -> bytes:
    """One key that ends after 30 days, with a subkey that signs and ends after ten."""
    gpg(home, "--quick-generate-key", "Lab Key <lab@example.org>", "ed25519", "cert,sign", "30d")
    (row,) = [
        line for line in gpg(home, "--list-keys", "--with-colons").decode().splitlines() if line.startswith("fpr")
    ]
    gpg(home, "--quick-add-key", row.split(":")[9], "ed25519", "sign", "10d")
    return gpg(home, "--export")


def test_a_keyring_made_here(home: Path, made: bytes) -> None:
    (key,) = parse_keyring(made)
    assert key.names == ("Lab Key <lab@example.org>",)
    assert key.expires
    left = key.expires - datetime.now(UTC)
    assert timedelta(days=9) < left < timedelta(days=11)  # the subkey's
    assert parse_keyring(gpg(home, "--export", "--armor")) == (key,)


def test_a_longer_life_given_later_counts(home: Path, made: bytes) -> None:
    fingerprint = parse_keyring(made)[0].fingerprint
    later = ["--faked-system-time", f"{int(datetime.now(UTC).timestamp()) + 60}!"]
    gpg(home, *later, "--quick-set-expire", fingerprint, "400d", "*")
    gpg(home, *later, "--quick-set-expire", fingerprint, "300d")
    (key,) = parse_keyring(gpg(home, "--export"))
    assert key.expires
    assert timedelta(days=299) < key.expires - datetime.now(UTC) < timedelta(days=301)


def test_a_revoked_key(home: Path, made: bytes) -> None:
    fingerprint = parse_keyring(made)[0].fingerprint
    text = (home / f"openpgp-revocs.d/{fingerprint}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    gpg(home, "--import", stdin=text.encode())
    (key,) = parse_keyring(gpg(home, "--export"))
    assert key.revoked
    assert not key.is_live(datetime.now(UTC))


@pytest.mark.parametrize(
    ("expires", "revoked", "live"),
    [(None, False, True), (NOW, False, False), (NOW + timedelta(days=1), False, True), (None, True, False)],
)
def test_whether_a_key_is_alive(expires: datetime | None, *, revoked: bool, live: bool) -> None:
    assert ArchiveKey("A" * 40, (), expires, revoked=revoked).is_live(NOW) is live


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="a page"),
        pytest.param(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n????\n-----END PGP", id="broken armour"),
        pytest.param(b"\xb4\x03abc", id="begins with a user id"),
        pytest.param(b"\x99\x01\x00\x04", id="cut off"),
        pytest.param(b"\x98\x06\x03\x00\x00\x00\x00\x00", id="version 3"),
        pytest.param(b"\x9b\x04", id="no length"),
        pytest.param(b"\xc6\xe5\x04", id="in parts"),
    ],
)
def test_what_is_no_keyring_is_refused(data: bytes) -> None:
    with pytest.raises(BuilderError):
        parse_keyring(data)


@given(st.binary(max_size=200), st.integers(0, 4000))
@example(b"\x00\x00\x00", 2317)  # a signature's subpacket that begins behind its end
@example(b"\xc6\xff\x00\x01\x00\x00\x04" + bytes(0xFFFF) + b"\xcd\x01a\xc2\x06\x04\x13\x01\x08\x00\x00", 0)
def test_nothing_but_builder_errors(noise: bytes, at: int) -> None:
    whole = DEBIAN[0].read_bytes() if DEBIAN else b""
    for data in (noise, whole[:at] + noise + whole[at:]):
        try:
            parse_keyring(data)
        except BuilderError:
            continue
