"""Progress: a bar on a terminal, a line per download in a log. Both go to standard error."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from builder.progress import Progress
from builder.units import Size


class Lines:
    """Plain lines, one when a download has ended: for logs and pipes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._label = ""
        self._moved = 0

    def say(self, text: str) -> None:
        """One line."""
        print(text, file=self._out, flush=True)

    def start(self, label: str, total: int | None, *, done: int = 0) -> None:
        """Remember what moves; a resumed download says so."""
        self._label, self._moved = label, done
        size = f" ({Size(total).human})" if total else ""
        self.say(f"{label}{size}: {'resuming' if done else 'fetching'}")

    def advance(self, count: int) -> None:
        """Count silently."""
        self._moved += count

    def finish(self) -> None:
        """Say how much came."""
        self.say(f"{self._label}: {Size(self._moved).human} received")


class Terminal:
    """A bar per download, gone when it ends; what is said stays above it."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def say(self, text: str) -> None:
        """One line above the bar."""
        self._bars.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def start(self, label: str, total: int | None, *, done: int = 0) -> None:
        """Show a bar."""
        self._bars.start()
        self._task = self._bars.add_task(label, total=total, completed=done)

    def advance(self, count: int) -> None:
        """Move it."""
        if self._task is not None:
            self._bars.advance(self._task, count)

    def finish(self) -> None:
        """Take it away."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self._bars.stop()


def progress_on(out: TextIO = sys.stderr) -> Progress:
    """Bars where `out` is a terminal that can draw them, plain lines elsewhere."""
    console = Console(file=out)
    return Terminal(console) if console.is_terminal and not console.is_dumb_terminal else Lines(out)
