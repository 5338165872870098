"""`domu passwd`: a crypt hash of a password that was typed."""

from __future__ import annotations

from builder.host.passwd import Method, hash_password
from builder.secret import Secret


def make_hash(password: str, method: Method) -> str:
    """The line to write into a profile or a secret's file."""
    return hash_password(Secret(password), method)
