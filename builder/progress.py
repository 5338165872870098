"""What a long task says while it runs. Passed in, so that nothing below `cli` prints."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A listener for one run; `report` has one for terminals and one for logs."""

    def say(self, text: str) -> None:
        """A line worth reading in a log: what was chosen, retried, healed."""

    def start(self, label: str, total: int | None, *, done: int = 0) -> None:
        """Bytes of `label` begin to move; `total` None when unknown, `done` when resumed."""

    def advance(self, count: int) -> None:
        """`count` more bytes of what was started."""

    def finish(self) -> None:
        """What was started has ended, well or not."""


class Silence:
    """A listener that ignores everything."""

    def say(self, text: str) -> None:
        """Ignore it."""

    def start(self, label: str, total: int | None, *, done: int = 0) -> None:
        """Ignore it."""

    def advance(self, count: int) -> None:
        """Ignore it."""

    def finish(self) -> None:
        """Ignore it."""
