"""`domu status`: how the site's guests stand, as far as this machine knows; looks and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from builder.errors import BuilderError
from builder.host.drills import read_records
from builder.host.rebuild.journal import is_at_work
from builder.host.run import Runner, run
from builder.host.site import Site, load
from builder.host.templates import read_templates
from builder.host.xl import list_domains, look_for_xen
from builder.image.manifest import Manifest, parse_manifest
from builder.plan.estimate import NO_ESTIMATE, History, make_history
from builder.plan.journal import Run
from builder.plan.recovery import DrillRecord, parse_records
from builder.plan.status import BuildSeen, GuestStatus, Seen, status_of
from builder.preseed.render import Template
from builder.profile.load import LoadedSite
from builder.profile.model import Guest
from builder.workflows.build import MANIFEST, own_inputs
from builder.workflows.builds import differences
from builder.workflows.check import choose
from builder.workflows.payload import read_carried
from builder.workflows.render import mirror_answers, render_guest, stand_ins
from builder.workflows.runs import Journals, read_runs
from builder.xen.doctor.fact import Fact, Known, Unknown
from builder.xen.readings import Domain


@dataclass(frozen=True, slots=True)
class _Here:
    """What was looked at once, for all guests."""

    site: Site
    loaded: LoadedSite
    templates: Mapping[str, Template]
    domains: Fact[tuple[Domain, ...]]
    journals: Fact[Journals]
    records: Fact[Mapping[str, str]]
    history: History


def status(
    site: Site,
    names: Sequence[str] = (),
    *,
    clock: Callable[[], datetime],
    runner: Runner = run,
    root: Path = Path("/"),
) -> tuple[GuestStatus, ...]:
    """Of these guests, or all, by name. BuilderError for a name that no guest has, or a site that cannot be read."""
    loaded = load(site)
    chosen = choose(loaded, names)
    presence = look_for_xen(root)
    dom0: Fact[Path] = Known(root) if presence.dom0 else Unknown(f"this machine is no dom0: {presence.why}")
    journals = dom0.then(read_runs)
    runs = journals.value.runs if isinstance(journals, Known) else {}
    here = _Here(
        site,
        loaded,
        read_templates(site),
        dom0.then(lambda _root: list_domains(runner)),
        journals,
        dom0.then(read_records),
        make_history(runs, loaded.guests),
    )
    return tuple(status_of(_look(name, here, runner, root), clock()) for name in chosen)


def _look(name: str, here: _Here, runner: Runner, root: Path) -> Seen:
    guest = next((one for one in here.loaded.guests if one.name == name), None)
    sound: Fact[Guest] = Known(guest) if guest else Unknown(f"{name}'s profile has errors: domu check {name}")
    runs = here.journals.then(lambda found: _runs(name, found))
    steps = runs.value[-1].begun.steps if isinstance(runs, Known) and runs.value else ()
    return Seen(
        name,
        guest,
        sound.then(lambda found: _build(found, here, runner)),
        here.domains,
        runs,
        here.records.then(lambda texts: _drills(name, texts)),
        isinstance(runs, Known) and is_at_work(root, name),
        here.history.estimate(guest, steps) if guest else NO_ESTIMATE,
    )


def _runs(name: str, found: Journals) -> tuple[Run, ...]:
    if name in found.strange:
        raise found.strange[name]
    return found.runs.get(name, ())


def _drills(name: str, texts: Mapping[str, str]) -> tuple[DrillRecord, ...]:
    return parse_records(texts.get(name, ""), f"the records of {name}'s drills")


def _build(guest: Guest, here: _Here, runner: Runner) -> BuildSeen:
    """What is built, held against the profile as far as that goes without its secrets, and by sizes, which is quick."""
    folder = here.site.build / guest.name
    path = folder / MANIFEST
    try:
        manifest = parse_manifest(path.read_text(), str(path))
    except FileNotFoundError:
        return BuildSeen(there=False)
    except PermissionError as error:
        raise BuilderError(
            f"{path} cannot be read: {error.strerror}", "this needs the rights of who built it"
        ) from error
    mirror, _findings = mirror_answers(guest, runner)
    dom0 = here.loaded.dom0
    made = render_guest(guest, templates=here.templates, secrets=stand_ins(guest), mirror=mirror, dom0=dom0)
    inputs = own_inputs(made, read_carried(here.site, guest))
    known = {name: value for name, value in inputs.items() if name != "rendered" or not guest.secrets()}
    reasons = (*differences(manifest, known), *_missing(manifest, folder))
    return BuildSeen(there=True, stale=next(iter(reasons), ""))


def _missing(manifest: Manifest, folder: Path) -> Iterator[str]:
    for name, output in manifest.outputs.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif path.stat().st_size != output.size:
            yield f"{name} was changed after it was built"
