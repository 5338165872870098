"""The keys of a keyring as a maintainer thinks of them: whose, and until when. OpenPGP packets (RFC 9580), no gpg.

Nothing is verified here: a keyring is believed because it lies on this machine.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from builder.errors import BuilderError

_SIGNATURE, _PRIMARY, _USER_ID, _SUBKEY = 2, 6, 13, 14  # RFC 9580, 5
_CERTIFIES = frozenset({0x10, 0x11, 0x12, 0x13})  # 5.2.1: a user id
_DIRECT, _BINDS, _REVOKES, _REVOKES_SUBKEY = 0x1F, 0x18, 0x20, 0x28
_CREATED, _KEY_LIFE, _ISSUER, _ISSUER_V4 = 2, 9, 16, 33  # 5.2.3.7: subpackets


@dataclass(frozen=True, slots=True)
class ArchiveKey:
    """A primary key: fingerprint in capitals, its user ids, and when the last of its keys that signs expires."""

    fingerprint: str
    names: tuple[str, ...]
    expires: datetime | None
    revoked: bool = False

    def is_live(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return not self.revoked and (self.expires is None or now < self.expires)


@dataclass(slots=True)
class _Reading:
    body: bytes
    names: list[str]
    # "" for its user ids, "direct", or a subkey's fingerprint -> newest self-signature's time, seconds of life
    life: dict[str, tuple[int, int]]
    made: dict[str, int]
    revoked: bool = False
    current: str = ""


def parse_keyring(data: bytes) -> tuple[ArchiveKey, ...]:
    """The primary keys of a binary or armoured keyring, in its order; BuilderError when it is neither."""
    found: list[_Reading] = []
    for tag, body in _packets(_unarmoured(data)):
        if tag == _PRIMARY:
            found.append(_Reading(body, [], {}, {"": _made(body)}))
        elif not found:
            raise BuilderError("this is no keyring: it does not begin with a public key")
        elif tag == _USER_ID:
            found[-1].names.append(body.decode(errors="replace"))
        elif tag == _SUBKEY:
            found[-1].current = _fingerprint(body)
            found[-1].made[found[-1].current] = _made(body)
        elif tag == _SIGNATURE:
            _note(found[-1], body)
    if not found:
        raise BuilderError("this keyring holds no key")
    return tuple(_key(reading) for reading in found)


def _key(reading: _Reading) -> ArchiveKey:
    ends = {name: _end(made, reading.life.get(name, (0, 0))[1]) for name, made in reading.made.items()}
    del ends[""]
    # As gpg does: a signature on the key itself decides, if it speaks of an end; one that names a revoker does not.
    life = reading.life.get("direct", (0, 0))[1] or reading.life.get("", (0, 0))[1]
    own = _end(reading.made[""], life)
    below = [end for name, end in ends.items() if name in reading.life]
    last = None if not below or None in below else max(end for end in below if end)
    dates = [date for date in (own, last) if date is not None]
    return ArchiveKey(
        _fingerprint(reading.body), tuple(reading.names), min(dates) if dates else None, revoked=reading.revoked
    )


def _end(made: int, life: int) -> datetime | None:
    return datetime.fromtimestamp(made, UTC) + timedelta(seconds=life) if life else None


def _note(reading: _Reading, body: bytes) -> None:
    """Keep what a version 4 self-signature says of the key's life; others' signatures say nothing of it."""
    if body[:1] != b"\x04" or len(body) < 6:
        return
    kind, length = body[1], int.from_bytes(body[4:6])
    hashed = dict(_subpackets(body[6 : 6 + length]))
    start = 8 + length
    loose = dict(_subpackets(body[start : start + int.from_bytes(body[start - 2 : start])]))
    own = _fingerprint(reading.body)
    issuer = (
        hashed.get(_ISSUER_V4, b"")[1:].hex().upper() or (hashed.get(_ISSUER) or loose.get(_ISSUER, b"")).hex().upper()
    )
    if not issuer or not own.endswith(issuer):
        return
    when = int.from_bytes(hashed.get(_CREATED, b""))
    life = int.from_bytes(hashed.get(_KEY_LIFE, b""))
    if kind == _REVOKES:
        reading.revoked = True
    elif kind == _REVOKES_SUBKEY:
        reading.made.pop(reading.current, None)
    elif kind in {_BINDS, _DIRECT} or kind in _CERTIFIES:
        about = {_BINDS: reading.current, _DIRECT: "direct"}.get(kind, "")
        if when >= reading.life.get(about, (-1, 0))[0]:
            reading.life[about] = (when, life)


def _fingerprint(body: bytes) -> str:
    if body[:1] != b"\x04":
        raise BuilderError(f"a key of version {body[:1].hex() or 'none'}: only version 4 is read")
    if len(body) > 0xFFFF:
        raise BuilderError(f"a key of {len(body)} bytes: no version 4 key is so long")
    return hashlib.sha1(b"\x99" + len(body).to_bytes(2) + body, usedforsecurity=False).hexdigest().upper()


def _made(body: bytes) -> int:
    return int.from_bytes(body[1:5])


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet, of the old and the new format (RFC 9580, 4.2)."""
    at = 0
    while at < len(data):
        head = data[at]
        if not head & 0x80:
            raise BuilderError("this is no OpenPGP keyring")
        if head & 0x40:
            tag, (length, at) = head & 0x3F, _new_length(data, at + 1)
        else:
            tag, width = head >> 2 & 0x0F, 1 << (head & 3)
            if width == 8:
                raise BuilderError("a packet of no stated length, which no keyring has")
            length, at = int.from_bytes(data[at + 1 : at + 1 + width]), at + 1 + width
        if at + length > len(data):
            raise BuilderError("the keyring is cut off")
        yield tag, data[at : at + length]
        at += length


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    """A length of the new format, and where what it measures begins."""
    first = data[at] if at < len(data) else 0
    if first < 192:
        return first, at + 1
    if first < 224:
        return (first - 192 << 8) + int.from_bytes(data[at + 1 : at + 2]) + 192, at + 2
    if first == 255:
        return int.from_bytes(data[at + 1 : at + 5]), at + 5
    raise BuilderError("a packet in parts, which no keyring has")


def _subpackets(area: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(area):
        length, at = _new_length(area, at)
        if not length:
            return
        if at + length > len(area):
            raise BuilderError("a signature in the keyring is cut off")
        yield area[at] & 0x7F, area[at + 1 : at + length]
        at += length


def _unarmoured(data: bytes) -> bytes:
    if not data.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----"):
        return data
    inside = data.split(b"-----END PGP")[0].replace(b"\r", b"").split(b"\n\n", 1)
    text = b"".join(line for line in inside[-1].split(b"\n") if not line.startswith(b"="))
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise BuilderError("the keyring's armour is broken") from error
