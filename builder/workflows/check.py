"""`domu check`: everything provable without booting or fetching. Touches nothing, needs no secret and no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Findings, did_you_mean
from builder.host.run import Runner, run
from builder.host.site import Site, load
from builder.host.templates import read_templates
from builder.media.mirror import MirrorAnswers
from builder.profile.load import LoadedSite
from builder.profile.model import Guest
from builder.secret import Secret
from builder.workflows.prove import Ignored, Prover
from builder.workflows.render import Artefacts, mirror_answers, render_guest, stand_ins

Secrets = Callable[[Guest], Mapping[str, Secret]]


@dataclass(frozen=True, slots=True)
class Checked:
    """Guests looked at, what each sound one turns into, every finding, sorted, and the whole site."""

    names: tuple[str, ...]
    artefacts: tuple[Artefacts, ...]
    findings: tuple[Finding, ...]
    loaded: LoadedSite


def check(site: Site, names: Sequence[str] = (), *, secrets: Secrets = stand_ins, runner: Runner = run) -> Checked:
    """Load and render these guests, or all, with stand-ins for their secrets, and collect what is found.

    Raises BuilderError for a name that no guest has, or when the site cannot be read.
    """
    loaded = load(site)
    chosen = choose(loaded, names)
    templates = read_templates(site)
    findings = Findings()
    findings.extend(loaded.findings if not names else (one for name in chosen for one in loaded.findings_for(name)))
    artefacts: list[Artefacts] = []
    known: dict[tuple[str, str], tuple[MirrorAnswers, tuple[Finding, ...]]] = {}
    for guest in loaded.guests:
        if guest.name not in chosen:
            continue
        terms = (guest.mirror, guest.proxy)
        if terms not in known:  # a thousand guests would ask apt the same question
            known[terms] = mirror_answers(guest, runner)
        mirror, about_mirror = known[terms]
        findings.extend(replace(finding, guest=guest.name) for finding in about_mirror)
        try:
            one = render_guest(guest, templates=templates, secrets=secrets(guest), mirror=mirror, dom0=loaded.dom0)
        except RefusalError as error:
            findings.extend(replace(finding, guest=finding.guest or guest.name) for finding in error.findings)
        else:
            findings.extend(one.findings)
            artefacts.append(one)
    ignored = Ignored(loaded)
    for guest, found in Prover(site, templates, loaded).prove(artefacts, runner):
        findings.extend(ignored.sift(guest, found))
    if len(artefacts) == len(loaded.names):
        findings.extend(ignored.unused())
    return Checked(chosen, tuple(artefacts), tuple(findings), loaded)


def choose(loaded: LoadedSite, names: Sequence[str]) -> tuple[str, ...]:
    """The named guests, or all; BuilderError for a name that no guest has."""
    for name in names:
        if name not in loaded.names:
            known = f"the guests are: {', '.join(loaded.names) or 'none'}"
            raise BuilderError(f"there is no guest {name!r}", did_you_mean(name, loaded.names) or known)
    if not loaded.names:
        raise BuilderError("this site has no guest", "write profiles/NAME.yaml; profiles/schema.json helps an editor")
    return tuple(sorted(set(names))) or loaded.names
