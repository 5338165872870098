"""Crypt hashes by Debian's own libcrypt (libxcrypt), so that they are what its passwd would write; see crypt(3)."""

from __future__ import annotations

import ctypes
from typing import Literal

from builder.errors import BuilderError
from builder.profile.fields import CRYPT_HASH
from builder.secret import Secret

Method = Literal["yescrypt", "sha512"]
_PREFIXES: dict[Method, bytes] = {"yescrypt": b"$y$", "sha512": b"$6$"}
# crypt.h: CRYPT_GENSALT_OUTPUT_SIZE, sizeof(struct crypt_data), CRYPT_MAX_PASSPHRASE_SIZE with its final NUL.
_SETTING, _DATA, _LONGEST = 192, 32768, 512


def hash_password(password: Secret, method: Method = "yescrypt") -> str:
    """A crypt hash with a fresh salt and libcrypt's default cost; BuilderError when it cannot be made."""
    phrase = password.reveal().encode()
    if not phrase:
        raise BuilderError("an empty password lets everybody in", "type one, or leave the password out of the profile")
    if b"\0" in phrase or len(phrase) >= _LONGEST:
        raise BuilderError(f"a password has no NUL and fewer than {_LONGEST} bytes", "choose a shorter one")
    library = _library()
    setting = ctypes.create_string_buffer(_SETTING)
    # Cost 0: the library's default. No random bytes given: it asks the kernel for them.
    if not library.crypt_gensalt_rn(_PREFIXES[method], 0, None, 0, setting, _SETTING):
        raise BuilderError(f"this machine's libcrypt has no {method}", "choose another: domu passwd --method sha512")
    data = ctypes.create_string_buffer(_DATA)
    made = library.crypt_rn(phrase, setting.value, data, _DATA)
    text = made.decode() if made else ""
    if not CRYPT_HASH.fullmatch(text):
        raise BuilderError(
            f"this machine's libcrypt made no {method} hash", "see crypt(5); is this Debian 12 or later?"
        )
    return text


def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libcrypt.so.1")
        library.crypt_gensalt_rn.restype = library.crypt_rn.restype = ctypes.c_char_p
    except (OSError, AttributeError) as error:
        raise BuilderError("libcrypt.so.1 of libxcrypt is not on this machine", "apt-get install libcrypt1") from error
    pointer = ctypes.c_char_p
    library.crypt_gensalt_rn.argtypes = [pointer, ctypes.c_ulong, pointer, ctypes.c_int, pointer, ctypes.c_int]
    library.crypt_rn.argtypes = [pointer, pointer, ctypes.c_void_p, ctypes.c_int]
    return library
