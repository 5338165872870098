"""`domu lint`: anybody's preseed files, judged by shipped catalogues. No profile, no Xen, no root, no network."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from builder.errors import BuilderError
from builder.findings import Finding, did_you_mean
from builder.host.catalogue import shipped_suites
from builder.host.files import write_atomic
from builder.host.run import Runner, run
from builder.host.shell import unparsable
from builder.host.site import Site, read_site_yaml
from builder.preseed.commands import shell_scripts
from builder.preseed.completeness import answers_of, answers_of_parameters, check_complete, situation_of_answers
from builder.preseed.fix import Fixed, fix
from builder.preseed.given import Given, Hardware, Loading
from builder.preseed.lint import lint
from builder.preseed.linted import Linted, gather
from builder.preseed.loader import Loaded, load
from builder.preseed.situation import Priority
from builder.preseed.syntax import PreseedFile, parse_preseed
from builder.profile.model import GuestType
from builder.units import Size
from builder.workflows.look_up import look_up

STDIN = "-"
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of the installation besides the file; None: it is not known, and nothing is found that needs it."""

    suites: tuple[str, ...]
    loading: Loading | None = None
    guest_type: GuestType | None = None
    disk: Size | None = None
    ram: Size | None = None
    priority: Priority = "high"
    parameters: str = ""  # the boot command line that comes with the file

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
    site: Site | None,
    names: Sequence[str],
    terms: Terms,
    *,
    stdin: BinaryIO,
    mend: bool = False,
    write: bool = False,
    runner: Runner = run,
) -> list[Treated]:
    """Lint each file; with `mend` what is certain is mended first, and with `write` written.

    Without `write` the findings are those of the file as it is. BuilderError when one cannot be read or written.
    """
    judge = _Judge(site, terms, runner)
    treated = []
    for some in _batches(tuple(dict.fromkeys(names))):
        read = {name: _read(name, stdin) for name in some}
        files = {name: parse_preseed(data) for name, data in read.items()}
        judge.ask_shell(files.values())
        for name, data in read.items():
            fixed = judge.fix(data) if mend else None
            if fixed and write and name != STDIN and fixed.data != data:
                _write(Path(name), fixed.data)
            file = parse_preseed(fixed.data) if fixed and write else files[name]
            treated.append(Treated(judge.lint("stdin" if name == STDIN else name, file), data, fixed))
    return treated


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Some files at a time, so that one shell answers for several and not all are in memory taken apart."""
    return (names[first : first + _AT_ONCE] for first in range(0, len(names), _AT_ONCE))


def suites_of(site: Site | None, wanted: Sequence[str]) -> tuple[str, ...]:
    """The suites that were asked for, else that of site.yaml; empty when nothing tells.

    BuilderError for a suite without a catalogue.
    """
    known = shipped_suites()
    shared = read_site_yaml(site).suite if site and not wanted else ""
    for suite in (chosen := tuple(dict.fromkeys(wanted or filter(None, [shared])))):
        if suite not in known:
            hint = did_you_mean(suite, known) or f"there is {', '.join(known)}"
            hint = "write --suite once for each suite" if "," in suite else hint
            raise BuilderError(f"no catalogue ships for suite {suite!r}", hint)
    return chosen


class _Judge:
    """What all files of a run are judged by."""

    def __init__(self, site: Site | None, terms: Terms, runner: Runner) -> None:
        self._terms, self._runner = terms, runner
        self._ignored = read_site_yaml(site).ignored if site else frozenset()
        self._parameters = answers_of_parameters(parameters_of(terms.parameters))
        known = {suite: look_up(site, suite).catalogue for suite in (*terms.suites, *shipped_suites())}
        self._givens = {
            suite: Given(
                catalogue=known[suite],
                others=tuple(catalogue for other, catalogue in known.items() if other != suite),
                loading=terms.loading,
                hardware=terms.hardware,
            )
            for suite in terms.suites
        }

    def ask_shell(self, files: Iterable[PreseedFile]) -> None:
        """Have the shell look at the commands of these files, before they are linted."""
        errors = unparsable((script for file in files for script in shell_scripts(file)), self._runner)
        said = {script: error.text for script, error in errors.items()}
        self._givens = {suite: replace(given, shell_errors=said) for suite, given in self._givens.items()}

    def fix(self, data: bytes) -> Fixed:
        """Mend what is certain for every suite."""
        return fix(data, tuple(self._givens.values()), ignored=self._ignored)

    def lint(self, name: str, file: PreseedFile) -> Linted:
        """What is found for each suite."""
        loaded = load(file)
        found = {
            suite: lint(file, name, given=given, ignored=self._ignored, pending=self._pending(loaded, name, given))
            for suite, given in self._givens.items()
        }
        return gather(name, file, found)

    def _pending(self, loaded: Loaded, name: str, given: Given) -> Iterator[Finding]:
        """What the installer would still ask, where its suite's questions are known."""
        if given.suite:
            answers = {**answers_of(loaded), **self._parameters}
            yield from check_complete(
                loaded,
                situation_of_answers(answers, given.suite, given.hardware),
                name,
                ours=False,
                loading=self._terms.loading or "initrd",
                parameters=self._parameters,
                priority=self._terms.priority,
            )


def parameters_of(line: str) -> dict[str, str]:
    """The `name=value` words of a kernel command line; a value with blanks stands in double quotes."""
    words = (match[0].replace('"', "").partition("=") for match in re.finditer(r'(?:[^\s"]|"[^"]*")+', line))
    return {name: value for name, equals, value in words if equals}


def _read(name: str, stdin: BinaryIO) -> bytes:
    if name == STDIN:
        return stdin.read()
    try:
        return Path(name).read_bytes()
    except IsADirectoryError as error:
        raise BuilderError(f"{name} is a folder", "name the files in it: domu lint FOLDER/*.cfg") from error
    except OSError as error:
        raise BuilderError(f"{name} cannot be read: {error.strerror}") from error


def _write(path: Path, data: bytes) -> None:
    """In place of the file that a link leads to, with its mode."""
    target = path.resolve()
    write_atomic(target, data, mode=stat.S_IMODE(target.stat().st_mode))
