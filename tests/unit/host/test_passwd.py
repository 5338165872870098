"""Hashes by libcrypt, judged by other programs."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from builder.errors import BuilderError
from builder.host.passwd import Method, hash_password
from builder.profile.fields import CRYPT_HASH
from builder.secret import Secret


@pytest.mark.parametrize("method", ["yescrypt", "sha512"])
@pytest.mark.parametrize("password", ["hunter2", "größe 例え", " ", "a" * 511, "$(reboot)`'\""])
def test_perls_crypt_agrees(method: Method, password: str) -> None:
    made = hash_password(Secret(password), method)
    assert CRYPT_HASH.fullmatch(made)
    script = 'chomp(my ($p, $h) = <STDIN>); print crypt($p, $h) eq $h ? "same" : "other"'
    judge = subprocess.run(
        ["perl", "-e", script], input=f"{password}\n{made}\n".encode(), capture_output=True, check=True
    )
    assert judge.stdout == b"same"


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_openssl_agrees() -> None:
    made = hash_password(Secret("hunter2"), "sha512")
    salt = made.split("$")[2]
    judge = subprocess.run(
        ["openssl", "passwd", "-6", "-salt", salt, "-stdin"], input=b"hunter2\n", capture_output=True, check=True
    )
    assert judge.stdout.decode().strip() == made


def test_salts_are_fresh() -> None:
    assert hash_password(Secret("a"), "sha512") != hash_password(Secret("a"), "sha512")


@pytest.mark.parametrize("password", ["", "a\0b", "a" * 512, "ö" * 256])
def test_passwords_that_crypt_would_misread_are_refused_unseen(password: str) -> None:
    with pytest.raises(BuilderError) as refused:
        hash_password(Secret(password))
    assert not password or password not in str(refused.value)
