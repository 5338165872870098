"""`domu adopt`: an existing guest's xl config, volumes and installer log to a profile, and what is not known of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Findings
from builder.host.adopt import ROOT, Sources, gather
from builder.host.files import write_atomic
from builder.host.run import Runner, run
from builder.host.site import Site, read_profiles
from builder.profile.fields import HOST_LABEL
from builder.profile.load import LoadedSite, SourceText, load_site
from builder.profile.model import Guest
from builder.profile.show import yaml_lines
from builder.xen.adopt.adoption import Adoption, adopt
from builder.xen.adopt.text import adopted_text


@dataclass(frozen=True, slots=True)
class Adopted:
    """What came of it. `path`: where the profile is, or would be; `written`: whether it is there now."""

    adoption: Adoption
    text: str
    path: Path
    written: bool
    findings: tuple[Finding, ...]


def adopt_guest(
    site: Site,
    name: str,
    sources: Sources,
    *,
    force: bool = False,
    dry_run: bool = False,
    runner: Runner = run,
    root: Path = ROOT,
) -> Adopted:
    """Make the guest's profile, and write it unless `dry_run`; an existing one only with `force`.

    BuilderError where the evidence is not enough, RefusalError where the profile would be unsound on this site.
    """
    if not re.fullmatch(HOST_LABEL, name):
        raise BuilderError(f"{name!a} is no guest's name", "small letters, digits and inner hyphens, as in web1")
    path = site.profiles / f"{name}.yaml"
    others = [source for source in read_profiles(site) if source.stem != name]
    if path.exists() and not (force or dry_run):
        raise BuilderError(f"{path} exists", "look at the new one with --dry-run; --force overwrites it")
    evidence, seen = gather(name, sources, load_site(others).dom0, runner, root)
    adoption = adopt(evidence)
    findings = Findings()
    findings.extend([*seen, *adoption.findings])
    shared = [source for source in others if source.stem in {"site", "dom0"}]

    def resolve(values: Mapping[str, Any]) -> Guest | None:
        return _guest(load_site([*shared, _source(name, yaml_lines(values))]), name)

    values = adoption.profile(resolve)
    text = adopted_text(adoption, values, evidence.config.file)
    loaded = load_site([*others, SourceText(str(path), name, text.encode())])
    findings.extend(loaded.findings_for(name))
    guest = _guest(loaded, name)
    if guest is None:
        raise _refusal(name, values, findings)
    findings.extend(adoption.unsaid(guest))
    if not dry_run:
        write_atomic(path, text.encode(), mode=0o644)
    return Adopted(adoption, text, path, written=not dry_run, findings=tuple(findings))


def _guest(loaded: LoadedSite, name: str) -> Guest | None:
    return next((guest for guest in loaded.guests if guest.name == name), None)


def _source(name: str, lines: Sequence[str]) -> SourceText:
    text = "\n".join([*lines, f"name: {name}"]) + "\n"
    return SourceText(f"profiles/{name}.yaml", name, text.encode())


def _refusal(name: str, values: Mapping[str, Any], findings: Findings) -> RefusalError:
    hint = "nothing was written; correct the config, or write the profile by hand"
    if "suite" not in values:
        hint = "nothing was written; if only the suite is missing, name it: --suite trixie"
    return RefusalError(f"{name} cannot be adopted as it is", tuple(findings), hint)
