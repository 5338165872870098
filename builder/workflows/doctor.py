"""`domu doctor`: is this dom0 ready for the site's guests; and `--fix`, which does the safe mends."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from builder.errors import BuilderError
from builder.findings import Severity
from builder.host.apt import find_mirror, find_proxy
from builder.host.dom0 import ROOT, archive, read_dom0, storage
from builder.host.dom0.mend import carry_out
from builder.host.run import Runner, run
from builder.host.site import Site, load
from builder.host.store import Store
from builder.media.mirror import Mirror, is_loopback
from builder.profile.load import LoadedSite
from builder.progress import Progress
from builder.xen.doctor.check import Diagnosis, Verdict, examine
from builder.xen.doctor.checks import CHECKS
from builder.xen.doctor.fact import Fact, Known, Unknown
from builder.xen.doctor.facts import Cacher, Dom0Facts, Skew
from builder.xen.doctor.fixes import Fix
from builder.xen.doctor.needs import Needs, needs_of
from builder.xen.network.plan import NetworkPlan, plan_network

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Examined:
    """The answers, worst first, and what they were asked of."""

    diagnoses: tuple[Diagnosis, ...]

    def fails(self, *, strict: bool) -> bool:
        """Something is wrong, or with `strict` there is a warning; what cannot be known never fails."""
        limit = Verdict.WARN if strict else Verdict.WRONG
        return any(one.verdict <= limit for one in self.diagnoses)

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """What `--fix` can do, each once."""
        return tuple({one.fix.name: one.fix for one in self.diagnoses if one.fix}.values())


def doctor(site: Site | None, *, clock: Clock, runner: Runner = run, root: Path = ROOT) -> Examined:
    """Look at this machine for the site's guests, or for itself where there is no site. Changes nothing."""
    needs = read_needs(site)
    facts = read_dom0(needs, now=clock(), runner=runner, root=root)
    facts = _with_archive(facts, site, needs, clock=clock, runner=runner, root=root)
    return Examined(examine(facts, needs, CHECKS))


def mend(fixes: Sequence[Fix], *, progress: Progress, runner: Runner = run, root: Path = ROOT) -> None:
    """Carry these out, one after the other; BuilderError when one fails, or when this is not root's run."""
    if root == ROOT and os.geteuid() != 0:
        raise BuilderError("mending takes root", "sudo domu doctor --fix")
    for fix in fixes:
        progress.say(f"{fix.name}: {fix.does}")
        carry_out(fix, runner=runner, root=root, progress=progress)


def read_needs(site: Site | None) -> Needs:
    """What the site's sound guests need."""
    if site is None:
        return Needs()
    loaded = load(site)
    return needs_of(str(site.root.resolve()), loaded.guests, tuple(loaded.unsound), loaded.dom0, _network(loaded))


def _network(loaded: LoadedSite) -> NetworkPlan | None:
    """The plan where dom0.yaml has networks; none while a profile has errors, as a ruleset would lack its guest."""
    wrong = any(finding.severity is Severity.ERROR for finding in loaded.findings)
    return plan_network(loaded.dom0, loaded.guests) if loaded.dom0.networks and not wrong else None


def _with_archive(
    facts: Dom0Facts, site: Site | None, needs: Needs, *, clock: Clock, runner: Runner, root: Path
) -> Dom0Facts:
    """The facts that need the network: the cachers and another machine's clock; and the newest Release seen."""
    terms: dict[tuple[str, str], str] = {(guest.mirror, guest.proxy): guest.suite for guest in needs.guests}
    terms = terms or {("auto", "auto"): "stable"}
    cachers: dict[str, Cacher] = {}
    why = ""
    mirrors: list[Mirror] = []
    unclear: list[str] = []
    for (given_mirror, given_proxy), suite in terms.items():
        try:
            mirror = Mirror.parse(find_mirror(runner) if given_mirror == "auto" else given_mirror)
            url, why = _cacher_of(mirror, given_proxy, runner)
        except BuilderError as error:
            unclear.append(error.message)
            continue
        mirrors.append(mirror.behind or mirror)
        if url:
            cachers.setdefault(url, archive.cacher(url, mirror, suite))
    folder = archive.cacher_folder(root)
    kept = folder.value if isinstance(folder, Known) else ""
    return replace(
        facts,
        cachers=Unknown(unclear[0]) if unclear and not cachers else Known(tuple(cachers.values())),
        no_cacher=why,
        cacher_hoard=storage.hoard(root, kept) if kept else Known(None),
        spaces={**facts.spaces, **({"cacher": storage.space(runner, root, kept)} if kept else {})},
        skew=_skew(mirrors, cachers.values(), clock),
        newest_release=_newest_release(site),
    )


def _skew(mirrors: Sequence[Mirror], cachers: Iterable[Cacher], clock: Clock) -> Fact[Skew]:
    """Of the mirror; where it cannot be asked, of a cacher that is another machine."""
    seen: Fact[Skew] = Unknown("no other machine tells its time")
    for mirror in [one for one in mirrors if not is_loopback(one.host)][:1]:
        seen = archive.skew(mirror.url, clock)
    for cacher in cachers:
        if isinstance(seen, Unknown) and cacher.date and not cacher.here:
            seen = Known(Skew((cacher.date - clock()).total_seconds(), cacher.url))
    return seen


def _cacher_of(mirror: Mirror, proxy: str, runner: Runner) -> tuple[str, str]:
    """The URL of the cacher on the way to this mirror, or nothing and why."""
    if mirror.cacher:
        return f"http://{mirror.cacher}", ""
    match proxy:
        case "none":
            return "", "the profiles say proxy: none"
        case "auto":
            choice = find_proxy(runner, mirror=mirror)
            return choice.url or "", choice.why
        case _:
            return proxy, ""


def _newest_release(site: Site | None) -> Fact[datetime | None]:
    """Of the Releases that this site's runs have verified."""
    if site is None:
        return Known(None)
    store = Store(site.cache)
    try:
        notes = [store.note("release", path.stem) for path in (site.cache / "notes/release").glob("*.json")]
        dates = [datetime.fromisoformat(note["date"]) for note in notes if note]
    except OSError as error:
        return Unknown(f"the cache's notes of Releases cannot be read: {error.strerror}")
    except (KeyError, TypeError, ValueError) as error:
        return Unknown(f"the cache's notes of Releases are not understood: {error}")
    return Known(max(dates, default=None))
