"""gpgv's word, and what is made of it; the faults of an InRelease are rows of tests/faults.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builder.errors import BuilderError, RefusalError
from builder.host.run import run
from builder.host.store import Store
from builder.host.trust import (
    DEBIAN_KEYRING,
    SignatureError,
    VerifiedRelease,
    read_status,
    refuse_replay,
    verify_release,
)
from tests.archive import NOW, Archive, Keys, sha256, stamp

GOOD = """\
[GNUPG:] NEWSIG archive@example.org
[GNUPG:] KEY_CONSIDERED 5F2CF0AAA45C12E5C8C20A11038ECF832DEDAB90 0
[GNUPG:] GOODSIG 038ECF832DEDAB90 archive <archive@example.org>
[GNUPG:] VALIDSIG 5F2CF0AAA45C12E5C8C20A11038ECF832DEDAB90 2026-11-22 1795383124 0 4 0 22 8 01 \
0F2CF0AAA45C12E5C8C20A11038ECF832DEDAB9F
"""
UNKNOWN = """\
[GNUPG:] NEWSIG
[GNUPG:] ERRSIG 310453E229C2B5FB 22 8 01 1795383124 9 C77B26B945EAA95FBB2D989C310453E229C2B5FB
[GNUPG:] NO_PUBKEY 310453E229C2B5FB
"""


@pytest.fixture
def archive(keys: Keys) -> Archive:
    archive = Archive(keys)
    archive.fill()
    return archive


@pytest.fixture
def keyring(keys: Keys, tmp_path: Path) -> Path:
    return keys.keyring(tmp_path / "keyring.gpg", "archive")


def verified(archive: Archive, keyring: Path, **changed: str) -> VerifiedRelease:
    data = archive.keys.sign(archive.release(**changed), "archive")
    return verify_release(data, keyring=keyring, suite="toy", now=NOW, runner=run)


def test_a_verified_release_tells_who_signed_what(archive: Archive, keyring: Path) -> None:
    release = verified(archive, keyring)
    assert release.signers == (archive.keys.fingerprints["archive"],)
    assert release.sha256 == sha256(archive.release())
    assert release.release.codename == "toy"
    assert release.findings == ()


def test_nobody_else_makes_a_verified_release(archive: Archive, keyring: Path) -> None:
    release = verified(archive, keyring)
    with pytest.raises(TypeError, match="verify_release"):
        VerifiedRelease(release.release, (), "", (), object())  # type: ignore[arg-type]  # what mypy refuses
    with pytest.raises((TypeError, ValueError)):
        replace(release, signers=("me",))  # type: ignore[call-arg]  # and this one


def test_a_missing_keyring_names_its_package(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(BuilderError, match=r"none.gpg does not exist\n.*debian-archive-keyring"):
        verified(archive, tmp_path / "none.gpg")


def test_a_keyring_that_is_none_trusts_nobody(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "empty.gpg").write_bytes(b"")
    with pytest.raises(SignatureError):
        verified(archive, tmp_path / "empty.gpg")


def test_the_debian_keyring_does_not_trust_the_toy_archive(archive: Archive) -> None:
    with pytest.raises(SignatureError, match=f"not in the keyring.*\n.*{DEBIAN_KEYRING}"):
        verified(archive, DEBIAN_KEYRING)


def test_a_relative_keyring_is_not_looked_for_in_a_home(
    archive: Archive, keyring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(keyring.parent)
    assert verified(archive, Path(keyring.name)).signers


@pytest.mark.parametrize(
    ("status", "signers"),
    [
        (GOOD, ["0F2CF0AAA45C12E5C8C20A11038ECF832DEDAB9F"]),
        (UNKNOWN, [""]),
        (GOOD + UNKNOWN, ["0F2CF0AAA45C12E5C8C20A11038ECF832DEDAB9F", ""]),
        (GOOD.replace("GOODSIG", "EXPKEYSIG"), [""]),
        (GOOD.replace("GOODSIG", "REVKEYSIG"), [""]),
        (GOOD.replace("GOODSIG", "EXPSIG"), [""]),
        (GOOD.replace(" 22 8 01 ", " 22 2 01 "), [""]),
        (GOOD.replace(" 22 8 01 ", " 22 8 10 "), [""]),
        (GOOD.replace(" 01 0F2CF0AAA45C12E5C8C20A11038ECF832DEDAB9F", " 01"), [""]),
        (GOOD.replace("[GNUPG:] GOODSIG", "gpgv: GOODSIG"), [""]),
        (GOOD.replace("[GNUPG:] NEWSIG archive@example.org\n", ""), []),
        ("", []),
    ],
    ids=[
        "good",
        "unknown key",
        "good and unknown",
        "expired key",
        "revoked key",
        "expired signature",
        "SHA-1",
        "certifies a key, not a text",
        "line too short",
        "prose",
        "belongs to no signature",
        "nothing",
    ],
)
def test_which_signatures_count(status: str, signers: list[str]) -> None:
    assert [signature.signer for signature in read_status(status)[1]] == signers


def test_the_newest_release_is_remembered_across_mirrors(archive: Archive, keyring: Path, tmp_path: Path) -> None:
    dated = {hours: verified(archive, keyring, Date=stamp(NOW - timedelta(hours=hours))) for hours in (3, 2, 1)}
    store = Store(tmp_path / "cache")
    for hours in (2, 2, 1):
        refuse_replay(dated[hours], store)
    refuse_replay(dated[3], store, allow_older=True)
    with pytest.raises(RefusalError) as caught:
        refuse_replay(dated[2], Store(tmp_path / "cache"))
    (finding,) = caught.value.findings
    assert finding.code == "M104"
    for hours in (2, 1):
        assert f"{NOW - timedelta(hours=hours):%Y-%m-%d %H:%M} UTC" in finding.message


def test_other_suites_have_dates_of_their_own(archive: Archive, keyring: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    refuse_replay(verified(archive, keyring), store)
    older = {"Date": stamp(NOW - timedelta(days=1))}
    refuse_replay(verified(archive, keyring, Codename="other", Suite="toy", **older), store)
    refuse_replay(verified(archive, keyring, Origin="../../Elsewhere", **older), store)
    assert len(list((tmp_path / "cache" / "notes" / "release").iterdir())) == 3
