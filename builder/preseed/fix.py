"""Mends what is certain in a preseed file and leaves every other byte alone.

Certain is what has one mend only and means what its writer meant (mends.py). An edit that would bring an error that
was not there before is not made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from builder.findings import Severity
from builder.preseed.given import NOTHING, Given
from builder.preseed.lint import RULES
from builder.preseed.mends import MENDS, Edit
from builder.preseed.rule import Subject
from builder.preseed.suppress import Silence, find_suppressions
from builder.preseed.syntax import parse_preseed

# Versions of the file that are judged, at most, to find which edits of one code bring no error: for files that people
# write, and for large ones, of which each takes 0.7 s for a MB.
_TRIES, _FEW_TRIES, _LARGE = 16, 2, 200_000
_ERRORS = tuple(rule for rule in RULES if rule.severity is Severity.ERROR)
_MENDED = tuple(rule for rule in RULES if rule.code in MENDS)


@dataclass(frozen=True, slots=True)
class Fixed:
    """The file's bytes after the mends, and how many edits were made for each code."""

    data: bytes
    mended: Mapping[str, int]


def fix(data: bytes, givens: Sequence[Given] = (NOTHING,), *, ignored: frozenset[str] = frozenset()) -> Fixed:
    """Make the edits that every one of `givens` asks for, until there are none left: a second run changes nothing.

    What a comment silences and the codes of `ignored` are left alone. Ends, as no edit undoes another.
    """
    mended: Counter[str] = Counter()
    version = _Version(data, givens)
    codes = [rule.code for rule in _MENDED if rule.code not in ignored]
    unmended = 0  # how many codes in a row had nothing to mend
    for code in cycle(codes):
        made, after = _accepted(version, version.edits(code))
        if made:
            version = after
            mended[code] += len(made)
            unmended = 0
        elif (unmended := unmended + 1) >= len(codes):
            break
    return Fixed(version.data, dict(sorted(mended.items())))


def apply_edits(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The bytes after edits that do not overlap."""
    parts: list[bytes] = []
    at = 0
    for edit in sorted(edits):
        parts += [data[at : edit.start], edit.text]
        at = edit.end
    return b"".join([*parts, data[at:]])


class _Version:
    """The file as it is after some mends; what is asked of it is worked out once."""

    def __init__(self, data: bytes, givens: Sequence[Given]) -> None:
        self.data = data
        self._givens = givens
        file = parse_preseed(data)
        self._subjects = [Subject(file, given) for given in givens]
        self._silence = Silence(find_suppressions(file)[0])
        self._errors: Counter[tuple[int, str]] | None = None

    def edits(self, code: str) -> list[Edit]:
        """What mends the findings of this code, where every suite wants the same."""
        rule = next(rule for rule in _MENDED if rule.code == code)
        wanted = [
            {
                edit
                for problem in rule.check(subject)
                if not self._silence.covers(code, subject.file.line_of(problem.offset))
                for edit in MENDS[code](subject, problem)
            }
            for subject in self._subjects
        ]
        return sorted(set.intersection(*wanted))

    def after(self, edits: Iterable[Edit]) -> _Version:
        """The file with these edits."""
        return _Version(apply_edits(self.data, edits), self._givens)

    @property
    def errors(self) -> Counter[tuple[int, str]]:
        """How many errors of each code there are, by suite; silenced ones count."""
        if self._errors is None:
            self._errors = Counter(
                (number, rule.code)
                for number, subject in enumerate(self._subjects)
                for rule in _ERRORS
                for _problem in rule.check(subject)
            )
        return self._errors


def _accepted(version: _Version, edits: list[Edit]) -> tuple[list[Edit], _Version]:
    """Those of the edits that together bring no error, and the file with them.

    They are halved until the culprits are found, or the tries are used up.
    """
    taken: list[Edit] = []
    after = version
    waiting = [edits] if edits else []
    for _try in range(_TRIES if len(version.data) < _LARGE else _FEW_TRIES):
        if not waiting:
            break
        some = waiting.pop()
        tried = version.after([*taken, *some])
        if tried.errors <= version.errors:
            taken, after = [*taken, *some], tried
        elif len(some) > 1:
            middle = len(some) // 2
            waiting += [some[middle:], some[:middle]]
    return taken, after
