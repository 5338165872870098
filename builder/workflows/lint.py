"""`domu lint`: anybody's preseed files, judged by shipped catalogues. No profile, no Xen, no root, no network."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builder.errors import BuilderError
from builder.findings import did_you_mean
from builder.host.catalogue import shipped_suites
from builder.host.files import write_atomic
from builder.host.site import Site, read_site_yaml
from builder.preseed.fix import Fixed, fix
from builder.preseed.given import Given, Hardware, Loading
from builder.preseed.lint import lint
from builder.preseed.linted import Linted, gather
from builder.preseed.situation import Priority
from builder.preseed.syntax import parse_preseed
from builder.profile.model import GuestType
from builder.units import Size
from builder.workflows.look_up import look_up

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of the installation besides the file; None: it is not known, and nothing is found that needs it."""

    suites: tuple[str, ...]
    loading: Loading | None = None
    guest_type: GuestType | None = None
    disk: Size | None = None
    ram: Size | None = None
    priority: Priority = "high"

    @property
    def hardware(self) -> Hardware | None:
        """What of the machine was told; None when nothing was."""
        if not (self.guest_type or self.disk or self.ram):
            return None
        return Hardware(self.guest_type, (), self.disk, self.ram)


@dataclass(frozen=True, slots=True)
class Treated:
    """A file that was linted, its bytes as they were, and what was mended or could be, if that was asked for."""

    linted: Linted
    data: bytes
    fixed: Fixed | None = None


def lint_files(
    site: Site | None, names: Sequence[str], terms: Terms, *, stdin: BinaryIO, mend: bool = False, write: bool = False
) -> list[Treated]:
    """Lint each file; with `mend` what is certain is mended first, and with `write` written.

    Without `write` the findings are those of the file as it is. BuilderError when one cannot be read or written.
    """
    givens = _givens(site, terms)
    ignored = read_site_yaml(site).ignored if site else frozenset()
    return [_treat(name, givens, ignored, stdin=stdin, mend=mend, write=write) for name in dict.fromkeys(names)]


def suites_of(site: Site | None, wanted: Sequence[str]) -> tuple[str, ...]:
    """The suites that were asked for, else that of site.yaml; empty when nothing tells.

    BuilderError for a suite without a catalogue.
    """
    known = shipped_suites()
    shared = read_site_yaml(site).suite if site and not wanted else ""
    for suite in (chosen := tuple(dict.fromkeys(wanted or filter(None, [shared])))):
        if suite not in known:
            hint = did_you_mean(suite, known) or f"there is {', '.join(known)}"
            raise BuilderError(f"no catalogue ships for suite {suite!r}", hint)
    return chosen


def _givens(site: Site | None, terms: Terms) -> dict[str, Given]:
    known = {suite: look_up(site, suite).catalogue for suite in (*terms.suites, *shipped_suites())}
    return {
        suite: Given(
            catalogue=known[suite],
            others=tuple(catalogue for other, catalogue in known.items() if other != suite),
            loading=terms.loading,
            hardware=terms.hardware,
        )
        for suite in terms.suites
    }


def _treat(
    name: str, givens: Mapping[str, Given], ignored: frozenset[str], *, stdin: BinaryIO, mend: bool, write: bool
) -> Treated:
    shown = "stdin" if name == STDIN else name
    data = _read(name, stdin)
    if not mend:
        return Treated(_lint(shown, data, givens, ignored), data)
    fixed = fix(data, tuple(givens.values()), ignored=ignored)
    if not write:
        return Treated(_lint(shown, data, givens, ignored), data, fixed)
    if fixed.data != data and name != STDIN:
        _write(Path(name), fixed.data)
    return Treated(_lint(shown, fixed.data, givens, ignored), data, fixed)


def _lint(name: str, data: bytes, givens: Mapping[str, Given], ignored: frozenset[str]) -> Linted:
    file = parse_preseed(data)
    found = {suite: lint(file, name, given=given, ignored=ignored) for suite, given in givens.items()}
    return gather(name, file, found)


def _read(name: str, stdin: BinaryIO) -> bytes:
    if name == STDIN:
        return stdin.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise BuilderError(f"{name} cannot be read: {error.strerror}") from error


def _write(path: Path, data: bytes) -> None:
    """In place of the file that a link leads to, with its mode."""
    target = path.resolve()
    write_atomic(target, data, mode=stat.S_IMODE(target.stat().st_mode))
