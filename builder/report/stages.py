"""Stages of guests that are rebuilt: a bar for each on a terminal, a line for each stage in a log; on standard error.

Both may be called from the threads of several guests.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from builder.progress import Stages
from builder.report.durations import duration_text

_QUARTER = 25  # a log gets a line for each quarter of what has percents


@dataclass(slots=True)
class _Seen:
    """What a log has of a guest so far; `left`: seconds, when it was said."""

    title: str = ""
    quarter: int = 0
    left: float | None = None
    told: bool = True


class StageLines:
    """A line with the time of day for each stage, and for each quarter of a long one: for logs and pipes."""

    def __init__(self, out: TextIO, now: Callable[[], datetime] = datetime.now) -> None:
        self._out = out
        self._now = now
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """One line."""
        with self._lock:
            self._write(text)

    def stage(self, guest: str, title: str, percent: int | None = None) -> None:
        """A line where it is another stage or another quarter."""
        quarter = (percent or 0) // _QUARTER
        with self._lock:
            seen = self._seen.setdefault(guest, _Seen())
            if (title, quarter) == (seen.title, seen.quarter):
                return
            seen.title, seen.quarter = title, quarter
            extent = f" ({percent} %)" if percent is not None else ""
            left = "" if seen.told or seen.left is None else f", {_left_text(seen.left)}"
            seen.told = True
            self._write(f"{guest}: {title}{extent}{left}")

    def expect(self, guest: str, left: float | None) -> None:
        """Told with the next line of this guest."""
        with self._lock:
            seen = self._seen.setdefault(guest, _Seen())
            seen.left, seen.told = left, False

    def ended(self, guest: str, text: str, *, ready: bool) -> None:  # noqa: ARG002 - the text says it
        """One line, the last of this guest."""
        with self._lock:
            self._seen.pop(guest, None)
            self._write(f"{guest}: {text}")

    def _write(self, text: str) -> None:
        print(f"{self._now():%H:%M:%S} {text}", file=self._out, flush=True)


class _LeftColumn(ProgressColumn):
    """What is left, going by what was expected when, as time goes on."""

    def render(self, task: Task) -> Text:
        """Empty where nothing is expected."""
        until = task.fields["until"]
        return Text("" if until is None else _left_text(until - task.get_time()))


class StageBars:
    """A row for each guest: bar, percent, time since its beginning, what is left, stage. The rows stay at the end."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[percent]}", justify="right", table_column=Column(min_width=5)),
            TimeElapsedColumn(),
            _LeftColumn(),
            TextColumn(
                "{task.fields[title]}",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=console,
            expand=True,
            refresh_per_second=4,
            get_time=clock,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """One line above the bars."""
        self._bars.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def stage(self, guest: str, title: str, percent: int | None = None) -> None:
        """Show it; without percents the bar stays where it is."""
        shown = "" if percent is None else f"{percent} %"
        # At its total, rich takes a task for finished and stops its clock.
        completed = None if percent is None else min(percent, 99.9)
        self._bars.update(self._task(guest), completed=completed, title=title, percent=shown)

    def expect(self, guest: str, left: float | None) -> None:
        """Count down from there."""
        self._bars.update(self._task(guest), until=None if left is None else self._clock() + left)

    def ended(self, guest: str, text: str, *, ready: bool) -> None:
        """Leave its row with this as its stage, and the bar as it is where the guest is not ready."""
        task = self._task(guest)
        self._bars.update(task, title=text, until=None)
        if ready:
            self._bars.update(task, completed=100, percent="100 %")
        self._bars.stop_task(task)

    def stop(self) -> None:
        """Draw no more."""
        self._bars.stop()

    def _task(self, guest: str) -> TaskID:
        with self._lock:
            if guest not in self._tasks:
                self._bars.start()
                self._tasks[guest] = self._bars.add_task(guest, total=100, title="", percent="", until=None)
            return self._tasks[guest]


def _left_text(seconds: float) -> str:
    return f"about {duration_text(seconds)} left" if seconds >= 1 else "any moment now"


@contextmanager
def stages_on(out: TextIO = sys.stderr) -> Iterator[Stages]:
    """Bars where `out` is a terminal that can draw them, plain lines elsewhere; no bar is drawn after the end."""
    console = Console(file=out)
    if console.is_terminal and not console.is_dumb_terminal:
        bars = StageBars(console)
        try:
            yield bars
        finally:
            bars.stop()
    else:
        yield StageLines(out)
