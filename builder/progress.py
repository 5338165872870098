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


class Stages(Protocol):
    """A listener for runs on several guests at once, each at its own stage; may be called from several threads."""

    def say(self, text: str) -> None:
        """A line worth reading in a log."""

    def stage(self, guest: str, title: str, percent: int | None = None) -> None:
        """The guest is at this now; `percent` of it, of an installation the whole's, None where it cannot be known.

        Saying the same again is fine.
        """

    def expect(self, guest: str, left: float | None) -> None:
        """About so many seconds are left until this guest is ready, going by earlier runs; None: not known."""

    def ended(self, guest: str, text: str, *, ready: bool) -> None:
        """Nothing more comes for this guest: it is ready, failed, stopped or left as it is, as `text` says."""


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

    def stage(self, guest: str, title: str, percent: int | None = None) -> None:
        """Ignore it."""

    def expect(self, guest: str, left: float | None) -> None:
        """Ignore it."""

    def ended(self, guest: str, text: str, *, ready: bool) -> None:
        """Ignore it."""
