"""How one run reaches the archive: mirror and proxy, found when first needed, and suites verified once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from builder.errors import BuilderError
from builder.findings import Finding
from builder.host.apt import ProxyChoice, find_mirror, find_proxy
from builder.host.fetch import Fetcher, NotFoundError
from builder.host.run import Runner, run
from builder.host.site import Site
from builder.host.store import Blob, Store
from builder.host.trust import DEBIAN_KEYRING, fetch_release
from builder.media.mirror import Mirror, by_hash_path, suite_path
from builder.media.release import Release
from builder.profile.model import Guest
from builder.progress import Progress


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run was told: `auto` or a URL as mirror, `auto`, `none` or a URL as proxy, whose signatures count."""

    mirror: str = "auto"
    proxy: str = "auto"
    keyring: Path = DEBIAN_KEYRING
    allow_expired: bool = False
    allow_older: bool = False
    offline: bool = False


def terms_of(guest: Guest, site: Site, *, offline: bool = False) -> Terms:
    """On which terms the archive is asked for this guest."""
    return Terms(guest.mirror, guest.proxy, site.root / guest.keyring, offline=offline)


@dataclass(slots=True)
class SuiteAccess:
    """One suite of a mirror whose Release was verified."""

    name: str
    release: Release
    mirror: Mirror
    fetcher: Fetcher
    store: Store
    findings: tuple[Finding, ...] = field(default=())

    def listed(self, path: str, *, by_hash: bool = False) -> Blob:
        """A file that the Release lists with its digest: from the cache, else fetched; asked by digest where it may.

        Raises NotFoundError when neither the Release lists it nor the mirror has it.
        """
        digest = self.release.files.get(path)
        if digest is None:
            raise NotFoundError(f"the Release of {self.name} lists no {path}", "take another mirror")
        paths = [by_hash_path(path, digest.sha256)] if by_hash and self.release.acquire_by_hash else []
        for candidate in paths:
            try:
                return self._download(candidate, path)
            except NotFoundError:
                continue  # a partial mirror may keep the plain name alone
        return self._download(path, path)

    def _download(self, path: str, listed_as: str) -> Blob:
        url = self.mirror.file(suite_path(self.name, path))
        digest = self.release.files[listed_as]
        return self.fetcher.download(url, digest=digest, store=self.store, what=f"{self.name} {listed_as}")


class Access:
    """The way to the archive on the given terms; nothing is asked before something is needed. Close it."""

    def __init__(self, store: Store, terms: Terms, *, progress: Progress, now: datetime, runner: Runner = run) -> None:
        self.store, self.terms, self.progress = store, terms, progress
        self.runner = runner
        self._now = now
        self._suites: dict[str, SuiteAccess] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that were kept open."""
        self._closing.close()

    @cached_property
    def mirror(self) -> Mirror:
        """The mirror; BuilderError when there is none to be found, or the run is offline."""
        if self.terms.offline:
            raise BuilderError(
                "something is needed that is not in the cache, and this run is offline", "run it without --offline"
            )
        if self.terms.mirror == "auto":
            mirror = Mirror.parse(find_mirror(self.runner))
            self.progress.say(f"mirror: {mirror} (the one that apt uses here)")
        else:
            mirror = Mirror.parse(self.terms.mirror)
            through = f" (through the cacher {mirror.cacher})" if mirror.cacher else ""
            self.progress.say(f"mirror: {mirror}{through}")
        return mirror

    @cached_property
    def proxy(self) -> ProxyChoice:
        """The proxy, or the reason for none."""
        match self.terms.proxy:
            case "auto":
                choice = find_proxy(self.runner, mirror=self.mirror)
            case "none":
                choice = ProxyChoice(None, "proxy: none")
            case url:
                choice = ProxyChoice(url, "as the profile or the command line says")
        self.progress.say(f"proxy: {choice}")
        return choice

    @cached_property
    def fetcher(self) -> Fetcher:
        """The fetcher that goes through that proxy."""
        mirror, proxy = self.mirror, self.proxy  # said in this order
        del mirror
        return self._closing.enter_context(Fetcher(proxy=proxy.url, progress=self.progress))

    @cached_property
    def past_cacher(self) -> tuple[Fetcher, Mirror] | None:
        """The way around the proxy or the cacher in the mirror's URL, for what it refuses; None without one."""
        if self.proxy.url:
            return self._closing.enter_context(Fetcher(proxy=None, progress=self.progress)), self.mirror
        return (self.fetcher, self.mirror.behind) if self.mirror.behind else None

    def suite(self, name: str) -> SuiteAccess:
        """A suite of the mirror, its InRelease fetched and verified on first use."""
        if name not in self._suites:
            verified = fetch_release(
                self.fetcher,
                self.mirror.url,
                suite=name,
                keyring=self.terms.keyring,
                now=self._now,
                runner=self.runner,
                store=self.store,
                progress=self.progress,
                allow_expired=self.terms.allow_expired,
                allow_older=self.terms.allow_older,
            )
            self._suites[name] = SuiteAccess(
                name, verified.release, self.mirror, self.fetcher, self.store, verified.findings
            )
        return self._suites[name]
