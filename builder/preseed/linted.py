"""A file's findings as they are shown: those of several suites in one list, with their lines, and without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from builder.findings import Finding, Findings
from builder.preseed.secrecy import Secrecy, ShownLine
from builder.preseed.syntax import PreseedFile


@dataclass(frozen=True, slots=True)
class Spot:
    """A finding, the suites that have it, its line, and the column behind its last sign; `end` counts as columns do.

    `shown` has the line with secrets masked; the finding's own column and `end` are those of the file.
    """

    finding: Finding
    suites: tuple[str, ...]
    shown: ShownLine
    end: int


@dataclass(frozen=True, slots=True)
class Linted:
    """One file, looked at for `suites`; `spots` are sorted as findings are."""

    name: str
    suites: tuple[str, ...]
    spots: tuple[Spot, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, for any of the suites."""
        return tuple(spot.finding for spot in self.spots)


def gather(name: str, file: PreseedFile, found: Mapping[str, Findings]) -> Linted:
    """Findings by suite to one list; what several suites share word by word stands in it once."""
    suites: dict[Finding, list[str]] = {}
    for suite, findings in found.items():
        for finding in findings:
            suites.setdefault(finding, []).append(suite)
    secrecy = Secrecy(file)
    spots = (_spot(finding, tuple(having), secrecy) for finding, having in suites.items())
    return Linted(name, tuple(found), tuple(sorted(spots, key=lambda spot: (spot.finding.sort_key, spot.suites))))


def _spot(finding: Finding, suites: tuple[str, ...], secrecy: Secrecy) -> Spot:
    line, column = finding.place.line, finding.place.column
    shown = secrecy.line(line)
    if column and shown.first <= column < shown.last:
        end = shown.last
    else:
        rest = shown.text[shown.column(column) - 1 :] if column else ""
        end = column + max(len(rest.split(maxsplit=1)[0]) if rest[:1].strip() else len(rest) - len(rest.lstrip()), 1)
    quiet = replace(finding, message=secrecy.hide(finding.message, line), hint=secrecy.hide(finding.hint, line))
    return Spot(quiet, suites, shown, end)
