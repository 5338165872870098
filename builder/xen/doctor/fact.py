"""A fact is known, or it is unknown for a reason; nothing in between is made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Never, TypeAlias, TypeVar

from builder.errors import BuilderError

T = TypeVar("T")
U = TypeVar("U")


class UnclearError(Exception):
    """A judgement needed a fact that is unknown; `why` is a sentence's end."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A fact that was read."""

    value: T

    def get(self) -> T:
        """The value."""
        return self.value

    def then(self, read: Callable[[T], U]) -> Known[U] | Unknown:
        """What `read` makes of the value; unknown where it raises BuilderError."""
        try:
            return Known(read(self.value))
        except BuilderError as error:
            return Unknown(error.message)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be read, and why."""

    why: str

    def get(self) -> Never:
        """Raises UnclearError, which a check's answer becomes."""
        raise UnclearError(self.why)

    def then(self, _read: Callable[..., object]) -> Unknown:
        """Still unknown, for the same reason."""
        return self


Fact: TypeAlias = Known[T] | Unknown
