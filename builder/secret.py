"""A value that must not be seen: it shows itself as `Secret(...)` wherever it is printed by mistake."""

from __future__ import annotations

import hmac
from typing import Never


class Secret:
    """Text that only `reveal()` gives away; not printed, formatted, pickled, or turned into JSON."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one artefact that must hold it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __reduce__(self) -> Never:
        raise TypeError("a Secret is not written anywhere but by reveal()")
