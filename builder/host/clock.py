"""The clock of a run: what it waits with, and where it hears that somebody asks it to end, between two looks at things.

A signal is remembered and told at the next look, so that no step is left by it in the middle.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from types import FrameType

from builder.errors import BuilderError

_SLICE = 0.2
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequestError(BuilderError):
    """Somebody asked the run to end."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One for all threads of a run; `stop` is set when it is to end, `working` once steps are being carried out."""

    stop: Event = field(default_factory=Event)
    working: Event = field(default_factory=Event)

    def now(self) -> datetime:
        """The date, for what is written down."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """For limits; it never goes back."""
        return time.monotonic()

    def look(self) -> None:
        """Raises StopRequestError when the run is to end."""
        if self.stop.is_set():
            raise StopRequestError("stopped", "the same command goes on from here")

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the run is to end: then StopRequestError."""
        end = time.monotonic() + seconds
        self.look()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE))
            self.look()


@contextmanager
def heeding_signals(clock: Clock) -> Iterator[None]:
    """Meanwhile, let signals that end a program end the run of this clock.

    A second one, and one while nothing is carried out yet, raises KeyboardInterrupt. For the main thread only, as
    Python has it.
    """

    def heed(_number: int, _frame: FrameType | None) -> None:
        if clock.stop.is_set() or not clock.working.is_set():
            raise KeyboardInterrupt
        clock.stop.set()

    before = {number: signal.signal(number, heed) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
