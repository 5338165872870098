"""`domu fetch`: installer media for the site's guests, verified, in the cache and pinned in profiles/media.lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import get_args

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Severity, did_you_mean
from builder.host.run import Runner, run
from builder.host.site import Site, read_profiles
from builder.host.store import Store
from builder.media.udebs import Preflight
from builder.profile.load import load_site
from builder.profile.model import Arch, Guest, MediaSource, Suite
from builder.progress import Progress
from builder.report.fetch import Held
from builder.workflows.access import Access, Terms, terms_of
from builder.workflows.media import NetbootMedia, obtain
from builder.workflows.preflight import preflight


@dataclass(frozen=True, slots=True)
class FetchOrder:
    """What the command line asked for; empty means: as the profiles say."""

    suites: tuple[str, ...] = ()
    archs: tuple[str, ...] = ()
    mirror: str = ""
    proxy: str = ""
    keyring: Path | None = None
    upgrade: bool = False
    preflight: bool = False
    offline: bool = False
    allow_expired: bool = False
    allow_older: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is there now, one entry per suite and architecture, and what the preflight saw where it was asked for."""

    media: tuple[NetbootMedia, ...]
    preflights: tuple[Preflight, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of all of them, each once."""
        of_media = [finding for one in self.media for finding in one.findings]
        return tuple(dict.fromkeys([*of_media, *(finding for seen in self.preflights for finding in seen.findings)]))

    @property
    def held(self) -> tuple[Held, ...]:
        """The media as `report` shows them."""
        return tuple(Held(one.suite, one.arch, one.pin, one.fetched, one.changes) for one in self.media)


@dataclass(frozen=True, slots=True)
class _Target:
    suite: str
    arch: str
    sources: tuple[str, ...]
    terms: Terms = field(default_factory=Terms)


def fetch(site: Site, order: FetchOrder, *, progress: Progress, now: datetime, runner: Runner = run) -> Fetched:
    """Fetch what is not in the cache, for each suite and architecture that the guests or the order name.

    Raises BuilderError, with nothing wrong in the cache, when something cannot be had or cannot be trusted.
    """
    store = Store(site.cache, progress)
    accesses: dict[Terms, Access] = {}
    media, preflights = [], []
    try:
        for target in _targets(site, order):
            access = accesses.setdefault(
                target.terms, Access(store, target.terms, progress=progress, now=now, runner=runner)
            )
            one = obtain(
                access,
                site.media_lock,
                suite=target.suite,
                arch=target.arch,
                sources=target.sources,
                upgrade=order.upgrade,
            )
            media.append(one)
            if order.preflight:
                preflights.append(preflight(access, one))
    finally:
        for access in accesses.values():
            access.close()
    return Fetched(tuple(media), tuple(preflights))


def _targets(site: Site, order: FetchOrder) -> tuple[_Target, ...]:
    """One per suite and architecture: the guests' own, or what was named; the first guest's mirror and proxy count."""
    _check_words("suite", order.suites, get_args(Suite))
    _check_words("architecture", order.archs, get_args(Arch))
    guests = _guests(site, lenient=bool(order.suites))
    found: dict[tuple[str, str], _Target] = {}
    for guest in guests:
        wanted = (not order.suites or guest.suite in order.suites) and (not order.archs or guest.arch in order.archs)
        if guest.media == "netboot" and wanted:
            terms = terms_of(guest, site)
            found.setdefault((guest.suite, guest.arch), _Target(guest.suite, guest.arch, guest.media_sources, terms))
    for suite, arch in _named(order):
        # No guest has it: the terms of the first guest are the best guess at what the site shares.
        terms = terms_of(guests[0], site) if guests else Terms()
        found.setdefault((suite, arch), _Target(suite, arch, get_args(MediaSource), terms))
    if not found:
        raise BuilderError("no guest of this site needs netboot media", "name a suite: domu fetch --suite trixie")
    return tuple(replace(target, terms=_as_ordered(target.terms, order)) for target in found.values())


def _guests(site: Site, *, lenient: bool) -> tuple[Guest, ...]:
    loaded = load_site(read_profiles(site))
    errors = [finding for finding in loaded.findings if finding.severity is Severity.ERROR]
    if errors and not lenient:
        raise RefusalError(
            "the profiles have errors, so it is not known what to fetch",
            errors,
            "mend them, or name what to fetch: domu fetch --suite trixie",
        )
    return loaded.guests


def _named(order: FetchOrder) -> Iterator[tuple[str, str]]:
    for suite in order.suites:
        for arch in order.archs or ("amd64",):
            yield suite, arch


def _as_ordered(terms: Terms, order: FetchOrder) -> Terms:
    return Terms(
        order.mirror or terms.mirror,
        order.proxy or terms.proxy,
        order.keyring or terms.keyring,
        allow_expired=order.allow_expired,
        allow_older=order.allow_older,
        offline=order.offline,
    )


def _check_words(what: str, words: Sequence[str], known: Sequence[str]) -> None:
    for word in words:
        if word not in known:
            raise BuilderError(
                f"{word!r} is no {what} that domu knows",
                did_you_mean(word, known) or f"known: {', '.join(known)}",
            )
