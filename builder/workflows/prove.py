"""Our own renders through the linter: the preseed in its guest's situation, and the shell of its steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

from builder.findings import Finding, Place, Severity
from builder.host.catalogue import shipped_suites
from builder.host.run import Runner
from builder.host.shell import ShellError, unparsable
from builder.host.site import Site
from builder.preseed.boot_parameters import check_boot_parameters
from builder.preseed.catalogue import Catalogue
from builder.preseed.commands import shell_scripts
from builder.preseed.completeness import answers_of_parameters, check_complete, situation_of_guest
from builder.preseed.given import Given, hardware_of
from builder.preseed.lint import lint
from builder.preseed.linted import gather
from builder.preseed.loader import load
from builder.preseed.render import Template
from builder.preseed.syntax import PreseedFile, parse_preseed
from builder.preseed.traced import Row, rows_of, trace
from builder.profile.load import LoadedSite
from builder.profile.model import Guest
from builder.profile.rules import place_of
from builder.workflows.look_up import look_up
from builder.workflows.render import Artefacts
from builder.xen.config import INSTALLER_ARGUMENTS, installer_line

# The steps themselves; early.sh and late.sh, which run them, are the same for all but for the guest's name.
_STEP = re.compile(r"/domu/(?:early|late)/.+")
_ANY_MAC = "00:16:3e:00:00:00"
_AT_ONCE = 100  # guests whose parsed files are held in memory together
_PARAMETERS = answers_of_parameters(dict(word.split("=", 1) for word in INSTALLER_ARGUMENTS))


class Prover:
    """Looks at one guest after the other; what they share is read once."""

    def __init__(self, site: Site, templates: Mapping[str, Template], loaded: LoadedSite) -> None:
        self._templates = templates
        self._origins = loaded.origins
        self._catalogue = cache(lambda suite, arch: look_up(site, suite, arch).catalogue)
        self._asked: set[str] = set()
        self._errors: dict[str, ShellError] = {}
        self._rows: dict[tuple[str, ...], tuple[Row, ...]] = {}

    def prove(self, artefacts: Sequence[Artefacts], runner: Runner) -> Iterator[tuple[Guest, list[Finding]]]:
        """What is found about each guest's preseed, boot parameters and steps, at the template's line where that can
        be told. Some guests at a time, so that a few shells answer for all of them.
        """
        for first in range(0, len(artefacts), _AT_ONCE):
            some = artefacts[first : first + _AT_ONCE]
            files = [parse_preseed(one.preseed.text.encode()) for one in some]
            steps = [_steps(one) for one in some]
            scripts = {script for own in steps for script in own.values()}
            self._ask({*scripts, *(script for file in files for script in shell_scripts(file))}, runner)
            for one, file, own in zip(some, files, steps, strict=True):
                yield one.guest, [*self._preseed(one, file), *self._boot(one.guest), *self._steps(one, own)]

    def _ask(self, scripts: set[str], runner: Runner) -> None:
        new = sorted(scripts - self._asked)
        self._errors |= unparsable(new, runner)
        self._asked.update(new)

    def _preseed(self, artefacts: Artefacts, file: PreseedFile) -> list[Finding]:
        guest = artefacts.guest
        name = f"{guest.name} preseed.cfg"
        pending = check_complete(
            load(file), situation_of_guest(guest), name, ours=True, parameters=_PARAMETERS, priority="critical"
        )
        found = lint(file, name, given=self._given(artefacts), pending=pending)
        if not found:
            return []
        lines = artefacts.preseed.text.split("\n")
        quiet = gather(name, file, {guest.suite: found}).findings
        return [self._placed(finding, lines, artefacts) for finding in quiet]

    def _boot(self, guest: Guest) -> Iterator[Finding]:
        for finding in check_boot_parameters(installer_line(), guest.type):
            yield replace(finding, guest=guest.name)

    def _steps(self, artefacts: Artefacts, steps: Mapping[str, str]) -> Iterator[Finding]:
        for path, text in steps.items():
            if error := self._errors.get(text):
                yield self._step_finding(artefacts, path, text, error)

    def _given(self, artefacts: Artefacts) -> Given:
        guest = artefacts.guest
        disk = artefacts.volumes.volumes[0].size
        return Given(
            catalogue=self._catalogue(guest.suite, guest.arch),
            others=self._others(guest),
            loading="initrd",
            hardware=hardware_of(guest, disk),
            shell_errors={script: error.text for script, error in self._errors.items()},
        )

    def _others(self, guest: Guest) -> tuple[Catalogue, ...]:
        return tuple(self._catalogue(suite, guest.arch) for suite in shipped_suites() if suite != guest.suite)

    def _placed(self, finding: Finding, lines: Sequence[str], artefacts: Artefacts) -> Finding:
        line = lines[finding.place.line - 1] if finding.place.line else ""
        place = trace(line, self._rows_for(artefacts)) or finding.place
        return replace(finding, place=place, guest=artefacts.guest.name)

    def _step_finding(self, artefacts: Artefacts, path: str, text: str, error: ShellError) -> Finding:
        name = artefacts.guest.name
        lines = [*text.split("\n"), ""]
        number = min(max(error.line, 1), len(lines))
        place = self._in_profile(artefacts.guest, text) or trace(lines[number - 1], self._rows_for(artefacts))
        return Finding(
            "T107",
            f"sh cannot parse the step {path}, line {number}: {error.text}",
            f"domu render {name} scripts shows it",
            place or Place(f"{name} {path}", number),
            guest=name,
        )

    def _in_profile(self, guest: Guest, script: str) -> Place | None:
        """Where the profile has this command, if it is one of its own."""
        commands = {f"late_commands[{number}]": command.run for number, command in enumerate(guest.late_commands)}
        commands |= {f"early_commands[{number}]": command for number, command in enumerate(guest.early_commands)}
        for path, command in commands.items():
            if command.strip() == script.strip():
                return place_of(self._origins[guest.name], f"{path}.run")
        return None

    def _rows_for(self, artefacts: Artefacts) -> tuple[Row, ...]:
        used = tuple(name for name, _ in artefacts.preseed.used)
        if used not in self._rows:
            self._rows[used] = rows_of(self._templates[name] for name in used if name in self._templates)
        return self._rows[used]


def _steps(artefacts: Artefacts) -> dict[str, str]:
    """Scripts by path. One MAC in place of another changes nothing for a parser, and lets guests share an answer."""
    found: dict[str, str] = {}
    for path, script in artefacts.preseed.files.items():
        if _STEP.fullmatch(path):
            for mac in artefacts.guest.macs:
                script = script.replace(mac, _ANY_MAC)  # noqa: PLW2901 (the same script, step by step)
            found[path] = script
    return found


class Ignored:
    """What profiles say not to report (`lint: {ignore: ...}`), and whether it was of use."""

    def __init__(self, loaded: LoadedSite) -> None:
        self._origins = loaded.origins
        self._used: dict[tuple[Place, str], bool] = {}

    def sift(self, guest: Guest, found: Sequence[Finding]) -> Iterator[Finding]:
        """What is left of a guest's findings."""
        codes = {finding.code for finding in found}
        for number, code in enumerate(guest.lint.ignore):
            place = place_of(self._origins[guest.name], f"lint.ignore[{number}]")
            self._used[place, code] = self._used.get((place, code), False) or code in codes
        return (finding for finding in found if finding.code not in guest.lint.ignore)

    def unused(self) -> Iterator[Finding]:
        """Of every guest's, those that silenced nothing anywhere; to be asked when all guests were sifted."""
        for (place, code), used in self._used.items():
            if not used:
                message = f"no {code} is found in any preseed that this is about"
                yield Finding("L190", message, "remove it", place, Severity.WARNING)
