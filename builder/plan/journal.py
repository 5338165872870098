"""What a rebuild writes down before and after each step, as lines of JSON, and what these lines tell of a run.

A run is `failed` until the same command goes on with it or another begins; `unfinished` when it was cut off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, get_args

from builder.errors import BuilderError
from builder.plan.step_data import step_data, step_of
from builder.plan.steps import Step

Outcome = Literal["done", "failed", "given up"]
State = Literal["unfinished", "done", "failed", "given up"]
Note = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Begun:
    """A run begins: `key` stands for what is installed, `steps` for all that is to be done."""

    run: str
    guest: str
    at: datetime
    key: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Started:
    """A step is about to be carried out. `attempt` counts from 1; `note`: what a continued run needs to know of it."""

    step: int
    at: datetime
    attempt: int = 1
    note: Note = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """The step was carried out."""

    step: int
    at: datetime
    note: Note = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt at the step failed. `reason` is a word for programs, message and hint are for people."""

    step: int
    at: datetime
    reason: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Somebody stopped domu; the same command goes on."""

    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more is done in this run, unless it failed and the same command goes on with it.

    `note`: how many `errors` and `warnings` there were when the guest was compared with its profile.
    """

    at: datetime
    outcome: Outcome
    note: Note = field(default_factory=dict)


Record: TypeAlias = Begun | Started | Done | Failed | Stopped | Ended
_KINDS: Mapping[str, type[Record]] = {kind.__name__.lower(): kind for kind in get_args(Record)}


@dataclass(frozen=True, slots=True)
class Run:
    """A run as far as its journal goes."""

    begun: Begun
    records: tuple[Record, ...] = ()

    @property
    def id(self) -> str:
        """The name of the run and of its folder."""
        return self.begun.run

    @property
    def state(self) -> State:
        """How it stands."""
        last = self.records[-1] if self.records else None
        return last.outcome if isinstance(last, Ended) else "unfinished"

    @property
    def next_step(self) -> int:
        """The number of the first step that is not done; as many as there are when all are."""
        return sum(isinstance(record, Done) for record in self.records)

    @property
    def started(self) -> Started | None:
        """The last attempt at the next step; None when there was none."""
        for record in reversed(self.records):
            if isinstance(record, Started):
                return record if record.step == self.next_step else None
        return None

    @property
    def in_doubt(self) -> Started | None:
        """The attempt of which nobody knows how it ended."""
        for record in reversed(self.records):
            if isinstance(record, Started | Done | Failed):
                return record if isinstance(record, Started) else None
        return None

    @property
    def failure(self) -> Failed | None:
        """What failed last, while it is not done."""
        failed = [record for record in self.records if isinstance(record, Failed) and record.step == self.next_step]
        return failed[-1] if failed else None

    @property
    def attempts(self) -> int:
        """How many attempts at the next step there were since somebody last asked for it."""
        numbers: set[int] = set()
        for record in self.records:
            if isinstance(record, Started) and record.step == self.next_step:
                numbers.add(record.attempt)
            elif isinstance(record, Ended):
                numbers.clear()
        return len(numbers)

    def first_note(self, step: int) -> Note:
        """What was noted when the step was first begun; nothing when it never was."""
        return next((one.note for one in self.records if isinstance(one, Started) and one.step == step), {})

    def seconds_of(self, step: int) -> float | None:
        """How long the attempt took that did it; None while it is not done."""
        ends = [record.at for record in self.records if isinstance(record, Done) and record.step == step]
        starts = [record for record in self.records if isinstance(record, Started) and record.step == step]
        if not ends or not starts:
            return None
        begin = next(record.at for record in starts if record.attempt == starts[-1].attempt)
        return (ends[0] - begin).total_seconds()

    def with_record(self, record: Record) -> Run:
        """The run with one record more. ValueError when that cannot follow on what is there."""
        if problem := self._misfit(record):
            raise ValueError(problem)
        return replace(self, records=(*self.records, record))

    def _misfit(self, record: Record) -> str:
        """Why this record cannot be the next; empty when it can."""
        if self.state in {"done", "given up"}:
            return f"the run was {self.state} already"
        match record:
            case Begun():
                return "a run begins once"
            case Started():
                fits = record.step == self.next_step < len(self.begun.steps)
                return "" if fits else f"step {record.step} is not the next"
            case Done() | Failed():
                doubt = self.in_doubt
                return "" if doubt and doubt.step == record.step else f"step {record.step} was not started"
            case Ended(outcome="done"):
                return "" if self.next_step == len(self.begun.steps) else "there are steps left"
            case _:
                return ""


def record_line(record: Record) -> str:
    """The record as the line of a journal, with its end."""
    data: dict[str, Any] = {"record": type(record).__name__.lower()}
    for name in type(record).__slots__:
        value = getattr(record, name)
        data[name] = _plain(value)
    return json.dumps(data, ensure_ascii=True) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(value, tuple):
        return [step_data(step) for step in value]
    return dict(value) if isinstance(value, Mapping) else value


def parse_journal(text: str, name: str = "the journal") -> tuple[Run, ...]:
    """Every run on a guest, the oldest first. A last line without its end was torn by a crash and does not count.

    Raises BuilderError for anything else that this version of domu would not have written.
    """
    runs: list[Run] = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            record = _record(json.loads(line))
            if isinstance(record, Begun):
                runs.append(Run(record))
            elif runs:
                runs[-1] = runs[-1].with_record(record)
            else:
                raise ValueError("it begins in the middle of a run")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            hint = "nothing was touched; look at it, and move it away to begin without it"
            raise BuilderError(f"{name}, line {number}, is not what domu writes: {error}", hint) from error
    return tuple(runs)


def _record(data: Mapping[str, Any]) -> Record:
    kind = _KINDS[data["record"]]
    given = {key: value for key, value in data.items() if key != "record"}
    if given.keys() != set(kind.__slots__):
        raise ValueError(f"{data['record']} with the keys {', '.join(sorted(given))}")
    return kind(**{key: _typed(key, value) for key, value in given.items()})


_TYPES: Mapping[str, type] = {"step": int, "attempt": int, "outcome": str}


def _typed(key: str, value: Any) -> Any:
    """The value of a record's key, as all records have it."""
    if key == "at":
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return at
    if key == "steps":
        return tuple(map(step_of, value))
    if key == "note":
        if not isinstance(value, dict) or not all(type(one) in {int, str} for one in value.values()):
            raise ValueError(f"note {value!a}")
        return value
    if type(value) is not _TYPES.get(key, str) or (key == "outcome" and value not in get_args(Outcome)):
        raise ValueError(f"{key} {value!a}")
    return value
