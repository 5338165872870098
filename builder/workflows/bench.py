"""What a run works with, and how it writes down what it does: passed in, so that one guest's run is one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builder.errors import BuilderError
from builder.findings import Finding
from builder.host.clock import Clock
from builder.host.console import Place, console_log
from builder.host.rebuild.journal import GuestJournal
from builder.host.run import Runner, run_apart
from builder.plan.estimate import NO_ESTIMATE, Estimate
from builder.plan.going_on import TROUBLE
from builder.plan.journal import Note, Record, Run, Started, record_line
from builder.plan.steps import Step
from builder.preseed.catalogue import Catalogue
from builder.profile.model import Guest
from builder.progress import Silence, Stages
from builder.xen.consoles import CONSOLES


@dataclass(frozen=True, slots=True)
class Bench:
    """The machine that a run is carried out on: its programs, its files below `root`, its clock; and who listens.

    `home` is the folder that programs of a profile are looked for in when they are named by a relative path, `consoles`
    where xenconsoled keeps what guests say; `environment` is what domu was started with.
    """

    runner: Runner = run_apart
    root: Path = Path("/")
    home: Path = Path("/")
    clock: Clock = field(default_factory=Clock)
    progress: Stages = field(default_factory=Silence)
    consoles: str = CONSOLES
    environment: Mapping[str, str] = field(default_factory=dict)

    def console_of(self, guest: str) -> Path:
        """The log of this guest's console."""
        return console_log(self.root, guest, self.consoles)


@dataclass(frozen=True, slots=True)
class Subject:
    """A guest of a run: where it is built, of which files (name -> SHA-256), and what its installer may ask.

    `estimate`: how long the run's steps took before. `verify` compares the guest with its profile once it is ready, if
    it is to be.
    """

    guest: Guest
    build: Path
    digests: Mapping[str, str]
    catalogue: Catalogue
    estimate: Estimate = NO_ESTIMATE
    verify: Callable[[], Sequence[Finding]] | None = None


class StepError(BuilderError):
    """A step failed, and is not tried again by itself; `reason` is a word for programs."""

    def __init__(self, message: str, hint: str = "", reason: str = TROUBLE) -> None:
        super().__init__(message, hint)
        self.reason = reason


class Book:
    """A run as it goes on: each record is in the journal before it counts."""

    def __init__(self, journal: GuestJournal, run: Run, clock: Clock) -> None:
        self.journal, self.run, self._clock = journal, run, clock

    @property
    def number(self) -> int:
        """The number of the step that is next, or under way."""
        return self.run.next_step

    @property
    def step(self) -> Step:
        """It itself."""
        return self.run.begun.steps[self.number]

    @property
    def elapsed(self) -> float:
        """Seconds since the attempt at it was begun that nobody knows the end of; 0 where there is none."""
        doubt = self.run.in_doubt
        return (self._clock.now() - doubt.at).total_seconds() if doubt else 0.0

    @property
    def folder(self) -> Path:
        """What is kept of this run."""
        return self.journal.run_folder(self.run.id)

    def write(self, record: Record) -> None:
        """Add a record. BuilderError when it cannot be written."""
        run = self.run.with_record(record)
        self.journal.append(record_line(record))
        self.run = run

    def start(self, *, attempt: int = 1, note: Note | None = None) -> None:
        """The next step is about to be carried out."""
        self.write(Started(self.number, self._clock.now(), attempt, note or {}))


def note_of(place: Place) -> Note:
    """A place in a console's log, for a record."""
    return {"inode": place.inode, "offset": place.offset}


def place_in(note: Note) -> Place:
    """The place that a record has; the log's begin where it has none."""
    inode, offset = note.get("inode", 0), note.get("offset", 0)
    return Place(inode, offset) if isinstance(inode, int) and isinstance(offset, int) else Place(0, 0)
