"""One guest's profile to its text artefacts. Fetches nothing, writes nothing; `domu render` prints one of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Findings, did_you_mean
from builder.host.apt import find_mirror, find_proxy
from builder.host.run import Runner, run
from builder.host.secrets import resolve
from builder.host.site import Site, load
from builder.host.templates import read_templates
from builder.media.mirror import Mirror, MirrorAnswers, answers_for_guest
from builder.preseed.context import PreseedContext
from builder.preseed.partitions import recipe_of
from builder.preseed.recipe import render_recipe
from builder.preseed.render import Rendered, Template, render_preseed
from builder.preseed.signals import check_signals
from builder.profile.dom0 import NO_DOM0, Dom0
from builder.profile.load import LoadedSite
from builder.profile.model import Guest
from builder.secret import Secret
from builder.storage.plan import VolumePlan, plan_volumes, render_volumes_json, render_volumes_table
from builder.xen.boot import check_boot, check_hook
from builder.xen.boot_facts import assumed_facts
from builder.xen.config import render_install_config, render_run_config
from builder.xen.network.guest import render_network_json

ARTEFACTS = ("preseed", "scripts", "install", "run", "volumes", "network")


@dataclass(frozen=True, slots=True)
class Artefacts:
    """What a profile turns into, short of media. `findings`: warnings and notes; errors are raised instead."""

    guest: Guest
    mirror: MirrorAnswers
    preseed: Rendered
    install_config: str
    run_config: str
    volumes: VolumePlan
    network: str
    findings: tuple[Finding, ...] = field(default=())


def render_guest(
    guest: Guest,
    *,
    templates: Mapping[str, Template],
    secrets: Mapping[str, Secret],
    mirror: MirrorAnswers,
    dom0: Dom0 = NO_DOM0,
) -> Artefacts:
    """Everything at once. RefusalError with every finding when something of it cannot be."""
    findings = Findings()
    findings.extend(check_boot(guest, assumed_facts(dom0.xen, dom0.suite)))
    plan, sizing = plan_volumes(guest)
    findings.extend(sizing.for_guest(guest.name))
    preseed = None
    try:
        preseed = render_preseed(context_of(guest, secrets=secrets, mirror=mirror), templates)
    except RefusalError as error:
        findings.extend(error.findings)
    else:
        findings.extend(check_hook(guest, preseed.files))
        findings.extend(check_signals(guest.name, preseed.files))
    if findings.errors or plan is None or preseed is None:
        raise RefusalError(f"{guest.name} cannot be rendered", tuple(findings))
    return Artefacts(
        guest,
        mirror,
        preseed,
        render_install_config(guest, dom0),
        render_run_config(guest, dom0),
        plan,
        render_network_json(guest, dom0),
        findings=tuple(findings),
    )


def context_of(guest: Guest, *, secrets: Mapping[str, Secret], mirror: MirrorAnswers) -> PreseedContext:
    """What the templates of this guest see."""
    own = guest.disk.partitions
    recipe = render_recipe(recipe_of(guest), one_line=True).strip() if own else None
    return PreseedContext(guest, mirror, secrets, recipe)


def mirror_answers(guest: Guest, runner: Runner = run) -> tuple[MirrorAnswers, tuple[Finding, ...]]:
    """What this guest's installer is told of the archive, `auto` looked up on this machine; asks no network."""
    mirror = Mirror.parse(find_mirror(runner) if guest.mirror == "auto" else guest.mirror)
    match guest.proxy:
        case "auto":
            proxy = find_proxy(runner, mirror=mirror).url
        case "none":
            proxy = None
        case url:
            proxy = url
    answers, findings = answers_for_guest(mirror, proxy)
    return answers, tuple(replace(finding, guest=guest.name) for finding in findings)


def masked(guest: Guest) -> dict[str, Secret]:
    """In place of every secret the words `Secret(...)`, for a preseed that people look at."""
    return {path: Secret(repr(secret)) for path, secret in dict.fromkeys(guest.secrets(), Secret("")).items()}


def stand_ins(guest: Guest) -> dict[str, Secret]:
    """In place of every secret a crypt hash of the right form, which no password has; of a private key, words."""
    keys = guest.host_key_sources()
    hashed = Secret(f"$y$j9T${'.' * 22}${'.' * 43}")
    return {path: Secret("a private key") if path in keys else hashed for path in guest.secrets()}


def render(
    site: Site, name: str, artefact: str, *, reveal: bool, as_json: bool = False
) -> tuple[str, tuple[Finding, ...]]:
    """The text of one artefact and what was found; secrets are shown only with `reveal`.

    Volumes are a table for people, or with `as_json` what volumes.json holds.

    BuilderError for an unknown guest, RefusalError when the guest's profile or templates have errors.
    """
    loaded = load(site)
    guest = guest_of(loaded, name)
    secrets = resolve(guest.secrets(), site=site, runner=run, environment=os.environ) if reveal else masked(guest)
    mirror, findings = mirror_answers(guest)
    done = render_guest(guest, templates=read_templates(site), secrets=secrets, mirror=mirror, dom0=loaded.dom0)
    if artefact == "volumes" and not as_json:
        return render_volumes_table(done.volumes), (*findings, *done.findings)
    return _text_of(done, artefact), (*findings, *done.findings)


def find_guest(site: Site, name: str) -> Guest:
    """A guest of the site by name; BuilderError when there is none, RefusalError when its profile is unsound."""
    return guest_of(load(site), name)


def guest_of(loaded: LoadedSite, name: str) -> Guest:
    """The same, of profiles that are read already."""
    if name not in loaded.names:
        hint = did_you_mean(name, loaded.names) or f"the guests are: {', '.join(loaded.names) or 'none'}"
        raise BuilderError(f"there is no guest {name!r}", hint)
    guest = next((one for one in loaded.guests if one.name == name), None)
    if guest is None:
        raise RefusalError(f"{name} has no sound profile", loaded.findings_for(name))
    return guest


def _text_of(done: Artefacts, artefact: str) -> str:
    match artefact:
        case "preseed":
            return done.preseed.text
        case "install":
            return done.install_config
        case "run":
            return done.run_config
        case "volumes":
            return render_volumes_json(done.volumes)
        case "network":
            return done.network
        case "scripts":
            return scripts_text(done.preseed)
        case _:
            raise BuilderError(f"there is no artefact {artefact!r}", f"the artefacts are: {', '.join(ARTEFACTS)}")


def scripts_text(rendered: Rendered) -> str:
    """The files that go into the initrd beside the preseed, each under a line with its path."""
    return "\n".join(f"==> {path} <==\n{text}" for path, text in rendered.files.items())
