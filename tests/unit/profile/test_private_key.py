"""Private keys by the real ssh-keygen: their public halves come out, everything else is refused unseen."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.profile.private_key import LockedKeyError, NoKeyError, clean_private_key, read_private_key


def made(folder: Path, *options: str, phrase: str = "") -> str:
    path = folder / "key"
    argv = ["ssh-keygen", "-q", *options, "-N", phrase, "-C", "someone", "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path.read_text()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("ed25519", ["-t", "ed25519"], id="ed25519"),
        pytest.param("ecdsa", ["-t", "ecdsa", "-b", "256"], id="ecdsa-256"),
        pytest.param("ecdsa", ["-t", "ecdsa", "-b", "521"], id="ecdsa-521"),
        pytest.param("rsa", ["-t", "rsa", "-b", "2048"], id="rsa"),
    ],
)
def test_the_public_half_is_what_ssh_keygen_says(tmp_path: Path, kind: str, options: list[str]) -> None:
    text = made(tmp_path, *options)
    found = read_private_key(text)
    assert found.kind == kind
    assert found.line == " ".join((tmp_path / "key.pub").read_text().split()[:2])
    told = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "key.pub"], capture_output=True, text=True, check=True)
    assert found.fingerprint == told.stdout.split()[1]
    assert clean_private_key(text) == text


def test_what_stands_around_it_goes(tmp_path: Path) -> None:
    text = made(tmp_path, "-t", "ed25519")
    around = "host key of web1\r\n" + text.replace("\n", "\r\n") + "user: root\n"
    assert clean_private_key(around) == text
    assert read_private_key(around) == read_private_key(text)


def test_a_passphrase_is_told_from_damage(tmp_path: Path) -> None:
    with pytest.raises(LockedKeyError, match="wants a passphrase"):
        read_private_key(made(tmp_path, "-t", "ed25519", phrase="secret"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["-t", "rsa", "-b", "2048", "-m", "PEM"], "not in OpenSSH's own form", id="PEM"),
        pytest.param(["-t", "ecdsa", "-m", "PKCS8"], "not in OpenSSH's own form", id="PKCS8"),
    ],
)
def test_other_forms_are_refused_with_the_way_out(tmp_path: Path, options: list[str], words: str) -> None:
    with pytest.raises(NoKeyError, match=words):
        read_private_key(made(tmp_path, *options))


@pytest.mark.parametrize(
    "text", ["", "canary", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 canary", "-----BEGIN OPENSSH PRIVATE KEY-----"]
)
def test_what_is_no_private_key_is_refused_unseen(text: str) -> None:
    with pytest.raises(NoKeyError) as refusal:
        read_private_key(text)
    assert "canary" not in str(refusal.value)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_damage_is_noticed_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    text = _kept(tmp_path_factory)
    body = text.splitlines()[1:-1]
    line = data.draw(st.integers(0, len(body) - 1))
    place = data.draw(st.integers(0, len(body[line]) - 1))
    sign = data.draw(st.sampled_from("Aa0+/=\n*"))
    body[line] = body[line][:place] + sign + body[line][place + 1 :]
    outcome: str
    try:
        outcome = read_private_key("\n".join([text.splitlines()[0], *body, text.splitlines()[-1], ""])).kind
    except NoKeyError as error:
        outcome = str(error)
    assert outcome == "ed25519" or (outcome.startswith(("holds ", "is ")) and body[0] not in outcome)


_KEYS: list[str] = []


def _kept(factory: pytest.TempPathFactory) -> str:
    """Made once: ssh-keygen for every example would take minutes."""
    if not _KEYS:
        _KEYS.append(made(factory.mktemp("key"), "-t", "ed25519"))
    return _KEYS[0]
