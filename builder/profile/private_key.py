"""Private SSH keys as OpenSSH writes them (its PROTOCOL.key): what kind they are, and their public half.

Reads the frame, which is in clear; of the secret part only whether it is encrypted, and whether it is whole.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from builder.profile.host_keys import KeyKind

_BLOCK = re.compile(
    r"-----BEGIN OPENSSH PRIVATE KEY-----\r?\n(?P<body>[A-Za-z0-9+/=\r\n]+?)\r?\n?-----END OPENSSH PRIVATE KEY-----"
)
_MAGIC = b"openssh-key-v1\0"
_KINDS: dict[str, KeyKind] = {
    "ssh-ed25519": "ed25519",
    "ssh-rsa": "rsa",
    **dict.fromkeys((f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521)), "ecdsa"),
}
_WIDTH = 70  # ssh-keygen's own


class NoKeyError(ValueError):
    """The text is no private key that can be used; says why, and never repeats it."""


class LockedKeyError(NoKeyError):
    """The key wants a passphrase, which nobody would type when a guest starts."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half: `line` as in `ssh-ed25519 AAAA...`."""

    kind: KeyKind
    line: str

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return fingerprint_of(self.line)


def fingerprint_of(public_key: str) -> str:
    """`SHA256:...` of a public key's line, as `ssh-keygen -l` prints it."""
    blob = base64.b64decode(public_key.split()[1] + "===")
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def read_private_key(text: str) -> PublicKey:
    """The public half of the first private key in the text. Raises LockedKeyError, or NoKeyError with the reason."""
    name, blob = _public(_Reader(_decoded(text).removeprefix(_MAGIC)))
    if name not in _KINDS:
        raise NoKeyError("is a key of a type that no host key has")
    return PublicKey(_KINDS[name], f"{name} {base64.b64encode(blob).decode()}")


def clean_private_key(text: str) -> str:
    """The key alone, as ssh-keygen writes it, whatever stood around it. NoKeyError as read_private_key."""
    data = base64.b64encode(_decoded(text)).decode()
    lines = [data[start : start + _WIDTH] for start in range(0, len(data), _WIDTH)]
    return "\n".join(["-----BEGIN OPENSSH PRIVATE KEY-----", *lines, "-----END OPENSSH PRIVATE KEY-----", ""])


def _decoded(text: str) -> bytes:
    match = _BLOCK.search(text)
    if match is None:
        if "PRIVATE KEY-----" in text:
            raise NoKeyError("is not in OpenSSH's own form; ssh-keygen -p -N '' -f FILE writes it so")
        raise NoKeyError("holds no private key")
    try:
        data = base64.b64decode("".join(match["body"].split()), validate=True)
    except binascii.Error as error:
        raise NoKeyError("holds a private key that was damaged") from error
    if not data.startswith(_MAGIC):
        raise NoKeyError("holds a private key of another version of the form")
    return data


def _public(reader: _Reader) -> tuple[str, bytes]:
    cipher, _kdf, _options = (reader.string() for _ in range(3))
    if cipher != b"none":
        raise LockedKeyError("holds a private key that wants a passphrase")
    if reader.number() != 1:
        raise NoKeyError("holds more than one key in one")
    blob, secret = reader.string(), _Reader(reader.string())
    # Two equal numbers in front of the secret part tell that it was decrypted rightly; then the type again.
    if secret.number() != secret.number() or secret.string() != (name := _Reader(blob).string()):
        raise NoKeyError("holds a private key that was damaged")
    return name.decode("ascii", "replace"), blob


@dataclass(slots=True)
class _Reader:
    """SSH's wire format (RFC 4251, section 5)."""

    data: bytes

    def number(self) -> int:
        return int.from_bytes(self._take(4))

    def string(self) -> bytes:
        return self._take(self.number())

    def _take(self, count: int) -> bytes:
        taken, self.data = self.data[:count], self.data[count:]
        if len(taken) != count:
            raise NoKeyError("holds a private key that was cut short")
        return taken
