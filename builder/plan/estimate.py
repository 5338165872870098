"""How long a rebuild takes, going by earlier ones: the guest's own, else those of guests installed the same way.

Where there is no earlier one it says so; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from builder.plan.journal import Run, Started
from builder.plan.schedule import Schedule, length
from builder.plan.steps import ChangeVolume, RunHook, Step
from builder.profile.model import Guest

LATEST = 5  # that many earlier times count, of each kind of step
Kind = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds: the shortest and the longest of the earlier times."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """For a countdown."""
        return (self.low + self.high) / 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """For each step of a guest what it took before; None: there was no such step before."""

    steps: tuple[Span | None, ...]

    @property
    def known(self) -> Span | None:
        """All steps with an earlier time together; None where there is none at all."""
        spans = [span for span in self.steps if span]
        return Span(sum(span.low for span in spans), sum(span.high for span in spans)) if spans else None

    @property
    def whole(self) -> bool:
        """No step is without an earlier time."""
        return None not in self.steps

    def left(self, step: int, elapsed: float) -> float | None:
        """Seconds from `elapsed` seconds into a step (counted from 0) to the end; None where it is not known."""
        coming = self.steps[step:]
        if not coming or None in coming:
            return None
        first, *others = (span.middle for span in coming if span)
        return max(first - elapsed, 0.0) + sum(others)


NO_ESTIMATE = Estimate(())


@dataclass(frozen=True, slots=True)
class History:
    """What steps took before: guest -> kind of step -> seconds, the latest first.

    `like`: guest -> how it is installed.
    """

    took: Mapping[str, Mapping[Kind, Sequence[float]]] = field(default_factory=dict)
    like: Mapping[str, Kind] = field(default_factory=dict)

    def estimate(self, guest: Guest, steps: Sequence[Step]) -> Estimate:
        """For these steps of this guest."""
        own = self.took.get(guest.name, {})
        like = [name for name in sorted(self.took) if self.like.get(name) == installed_as(guest)]
        spans = []
        for kind in map(kind_of, steps):
            known = [*own.get(kind, ())[:LATEST]]
            known = known or [seconds for name in like for seconds in self.took[name].get(kind, ())[:LATEST]]
            spans.append(Span(min(known), max(known)) if known else None)
        return Estimate(tuple(spans))


NO_HISTORY = History()


def installed_as(guest: Guest) -> Kind:
    """Guests that share this take about the same time to install."""
    return (guest.suite, guest.type, guest.media)


def kind_of(step: Step) -> Kind:
    """Steps that share this take about the same time; hooks where they are the same program."""
    if isinstance(step, ChangeVolume):
        return (type(step).__name__, type(step.step).__name__)
    return (type(step).__name__, *step.command) if isinstance(step, RunHook) else (type(step).__name__,)


def make_history(runs: Mapping[str, Iterable[Run]], guests: Iterable[Guest]) -> History:
    """Of the runs on each guest, the oldest first, and the guests of the site."""
    took = {name: _took(list(own)) for name, own in runs.items()}
    return History(took, {guest.name: installed_as(guest) for guest in guests})


def _took(runs: Sequence[Run]) -> dict[Kind, list[float]]:
    found: dict[Kind, list[float]] = {}
    for run in reversed(runs):
        for number, step in enumerate(run.begun.steps):
            seconds = run.seconds_of(number)
            if seconds is not None and not _was_cut_short(run, number):
                found.setdefault(kind_of(step), []).append(seconds)
    return found


def _was_cut_short(run: Run, number: int) -> bool:
    """Whether the attempt that did it was begun before domu ended and gone on with later."""
    attempts = [record.attempt for record in run.records if isinstance(record, Started) and record.step == number]
    return attempts.count(attempts[-1]) > 1


def whole_run(schedule: Schedule, estimates: Mapping[str, Estimate]) -> Span | None:
    """All guests of a run together, as the schedule lets them begin; None where nothing is known of any.

    A step without an earlier time counts as nothing.
    """
    if not any(one.known for one in estimates.values()):
        return None
    spans = {name: one.known or Span(0, 0) for name, one in estimates.items()}
    low = length(schedule, {name: span.low for name, span in spans.items()})
    high = length(schedule, {name: span.high for name, span in spans.items()})
    # With more than one at once, longer steps can make another order, which is quicker.
    return Span(min(low, high), max(low, high))
