"""Values made safe for the lines they are written to: debconf's and the shell's. What cannot be is refused."""

from __future__ import annotations

import shlex

LINE_ENDS = "\n\r\0\v\f\x1c\x1d\x1e\x85\u2028\u2029"


class UnfitValueError(ValueError):
    """The value cannot stand where it is written, however it is quoted; says why."""


def literal(value: object) -> str:
    """The value as installer scripts write it: `true` and `false`, numbers, text. None has no form: UnfitValueError."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        raise UnfitValueError("nothing (None) is written as a value")
    return str(value)


def one_line(value: object) -> str:
    """The value as text that ends no line; shown in messages by its Python form, so that a newline is seen."""
    text = literal(value)
    if bad := next((sign for sign in text if sign in LINE_ENDS), None):
        raise UnfitValueError(f"{text!a} contains {bad!a}, which would end or corrupt its line")
    return text


def debconf(value: object) -> str:
    """The value for the end of a preseed line, which the installer's loader must give back unchanged.

    That loader (preseed-common 1.117 and 1.125, debconf-set-selections) strips blanks at both ends and takes a
    backslash at the end for a continuation; there is no quoting, and every other byte is taken as it stands. But what
    is loaded from the initrd goes through cdebconf's file (rfc822db, 0.280), where a backslash and n are a newline.
    """
    text = one_line(value)
    if text != text.strip():
        raise UnfitValueError(f"{text!a} begins or ends with blanks, which the installer drops")
    if text.endswith("\\"):
        raise UnfitValueError(f"{text!a} ends with a backslash, which would join the next line to it")
    if "\\n" in text:
        raise UnfitValueError(f"{text!a} has a backslash and n, which cdebconf reads back from disk as a newline")
    return text


def shell(value: object) -> str:
    """The value as one word of a shell script."""
    return shlex.quote(one_line(value))
