"""`domu catalogue`: read every package that may ask something, keep what they declare, and look it up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue

from builder.errors import BuilderError
from builder.findings import Finding
from builder.host.catalogue import (
    ENDING,
    SHIPPED,
    Maker,
    keep_catalogue,
)
from builder.host.fetch import Fetcher, MismatchError, NotFoundError, UnreachableError
from builder.host.files import write_atomic
from builder.host.places import user_cache
from builder.host.site import Site
from builder.host.store import Blob, Store
from builder.image.initrd import read_initrd
from builder.media.asking import SourceTar, UdebOrigin, find_asking, find_sources, list_udebs
from builder.media.mirror import SOURCES, packages_path, udebs_path
from builder.media.netboot import INDEX_ENDINGS, index_path
from builder.media.packages import Package, unpack_index
from builder.media.release import Digest
from builder.media.udebs import Present, parse_present
from builder.preseed.catalogue import Catalogue, Provenance
from builder.preseed.catalogue_form import write_compact
from builder.preseed.owners import ASKING_PACKAGES, ASKING_WITHOUT_DEPENDENCY, NOT_LOOKED_INTO, TWINS
from builder.progress import Progress, Silence
from builder.workflows.access import Access, SuiteAccess, Terms
from builder.workflows.media import obtain

SOURCE_ORDER = ("images", "package")
NOT_THERE = "the mirror does not have it"
# Bytes. Larger udebs are libraries, kernels and fonts; a larger .deb that asks something is a rare program.
_LARGEST: Mapping[Provenance, int] = {"udeb": 3_000_000, "deb": 8_000_000, "source": 4_000_000}
_AT_ONCE = 6  # connections to one mirror


@dataclass(frozen=True, slots=True)
class Updated:
    """A catalogue made anew, and what was odd in the templates it was made from."""

    catalogue: Catalogue
    findings: tuple[Finding, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file to fetch, `path` below the mirror's base."""

    name: str
    path: str
    digest: Digest


def update(
    site: Site | None, suites: Sequence[str], arch: str, *, terms: Terms, progress: Progress, now: datetime, ship: bool
) -> Iterator[Updated]:
    """Make the catalogues of these suites into the site's cache, or the user's; `ship`: into the package instead."""
    cache = site.cache if site else user_cache()
    lock_file = site.media_lock if site else cache.resolve() / "media.lock"
    with Access(Store(cache, progress), terms, progress=progress, now=now) as access:
        for suite in suites:
            catalogue, findings = make_catalogue(access, lock_file, suite=suite, arch=arch)
            if ship:
                path = SHIPPED / f"{suite}{ENDING}"
                write_atomic(path, write_compact(catalogue), mode=0o644)
            else:
                path = keep_catalogue(access.store, catalogue).path
            yield Updated(catalogue, findings, path)


def make_catalogue(
    access: Access, lock_file: Path, *, suite: str, arch: str, sources: Sequence[str] = SOURCE_ORDER
) -> tuple[Catalogue, tuple[Finding, ...]]:
    """Read the pinned build's initrd, the suite's udebs, and the packages whose questions people answer.

    What the mirror lacks and what is too large is listed in `unread`. BuilderError when there is no installer.
    """
    media = obtain(access, lock_file, suite=suite, arch=arch, sources=sources)
    archive = access.suite(suite)
    maker = Maker(suite, arch, media.installer_version)
    maker.read_initrd(media.initrd)
    with media.initrd.path.open("rb") as stream:
        present = parse_present(read_initrd(stream).dpkg_status)
    udebs = _udebs(archive, arch, present)
    missing = _read_packages(access, maker, [_wanted(udeb.package) for udeb in udebs], "udeb")
    absent = [udeb for udeb in udebs if udeb.package.name in missing]
    _read_sources(access, archive, maker, absent)
    _read_debs(access, archive, maker, arch, absent)
    return maker.make(), tuple(maker.findings)


def _udebs(archive: SuiteAccess, arch: str, present: Mapping[str, Present]) -> list[UdebOrigin]:
    """The udebs that may declare something beyond what is in the initrd: no kernel modules, which never do."""
    path = index_path(archive.release, udebs_path(arch))
    with archive.listed(path, by_hash=True).path.open("rb") as packed, unpack_index(packed, path) as index:
        udebs = list_udebs(index.read())
    versions = {name: there.version for name, there in present.items()}
    return [udeb for udeb in udebs if not udeb.is_kernel and versions.get(udeb.package.name) != udeb.package.version]


def _wanted(package: Package) -> _Wanted:
    return _Wanted(package.name, package.filename, package.digest)


def _version(package: Package | None) -> str:
    return package.version if package else ""


def _read_debs(access: Access, archive: SuiteAccess, maker: Maker, arch: str, absent: Sequence[UdebOrigin]) -> None:
    """The packages of the table, twins of udebs that could not be had, and a note of all others that use debconf."""
    path = index_path(archive.release, packages_path(arch))
    with archive.listed(path, by_hash=True).path.open("rb") as packed, unpack_index(packed, path) as index:
        asking = find_asking(index, ASKING_PACKAGES | set(TWINS.values()))
    chosen = ASKING_PACKAGES & asking.packages.keys() & (asking.askers | ASKING_WITHOUT_DEPENDENCY)
    found = [asking.packages[name] for name in sorted(chosen)]
    _read_packages(access, maker, [_wanted(package) for package in found], "deb")
    for name in sorted(asking.askers - chosen - set(TWINS.values())):
        maker.pass_over(name, NOT_LOOKED_INTO)
    twins = {TWINS[udeb.package.name]: udeb.package for udeb in absent if udeb.package.name in TWINS}
    same = [
        asking.packages[name] for name, udeb in twins.items() if _version(asking.packages.get(name)) == udeb.version
    ]
    for one, got in _fetch_all(access, [_wanted(package) for package in same], "deb"):
        if isinstance(got, Blob):
            maker.read_twin(twins[one.name].name, got)


def _read_packages(access: Access, maker: Maker, wanted: Sequence[_Wanted], provenance: Provenance) -> set[str]:
    """Fetch and read; the names of those that could not be had."""
    missing: set[str] = set()
    for one, got in _fetch_all(access, wanted, provenance):
        if isinstance(got, Blob):
            maker.read_package(one.name, got, provenance)
        else:
            maker.pass_over(one.name, got)
            missing.add(one.name)
    return missing


def _read_sources(access: Access, archive: SuiteAccess, maker: Maker, udebs: Sequence[UdebOrigin]) -> None:
    """For udebs that could not be had, what their source packages declare, where these can be had."""
    tars = _find_tars(access, archive, udebs) if udebs else {}
    wanted = [_Wanted(name, tar.filename, tar.digest) for name, tar in sorted(tars.items())]
    for one, got in _fetch_all(access, wanted, "source"):
        if not isinstance(got, Blob):
            continue
        try:
            maker.read_source(got, tars[one.name], [udeb.package.name for udeb in udebs if udeb.source == one.name])
        except BuilderError as error:
            access.progress.say(f"source {one.name}: {error.message}")


def _find_tars(access: Access, archive: SuiteAccess, udebs: Sequence[UdebOrigin]) -> Mapping[str, SourceTar]:
    """The source packages of these udebs in their very version; none where the mirror has no sources."""
    if not any(f"{SOURCES}{ending}" in archive.release.files for ending in INDEX_ENDINGS):
        access.progress.say(f"the Release of {archive.name} lists no {SOURCES}: no sources are looked into")
        return {}
    path = index_path(archive.release, SOURCES)
    try:
        blob = archive.listed(path, by_hash=True)
    except UnreachableError as error:
        access.progress.say(f"no sources are looked into: {error.message}")
        return {}
    with blob.path.open("rb") as packed, unpack_index(packed, path) as index:
        return find_sources(index, {udeb.source: udeb.source_version for udeb in udebs})


def _fetch_all(
    access: Access, wanted: Sequence[_Wanted], provenance: Provenance
) -> Iterator[tuple[_Wanted, Blob | str]]:
    """Each file, or why it cannot be had, in the order given; a few at a time, as most of the time is waiting."""
    limit = _LARGEST[provenance]
    mirror, proxy = access.mirror, access.proxy.url
    store = Store(access.store.root)  # a silent one: these threads wait for each other
    fetchers: SimpleQueue[Fetcher] = SimpleQueue()

    def fetch(one: _Wanted) -> Blob | str:
        if (one.digest.size or 0) > limit:
            return f"it has more than {limit / 1e6:.0f} MB"
        fetcher = fetchers.get()
        try:
            return fetcher.download(mirror.file(one.path), digest=one.digest, store=store, what=one.name)
        except NotFoundError:
            return NOT_THERE
        except UnreachableError:
            return "the mirror did not give it"
        except MismatchError:
            return "the mirror has other bytes than it lists"
        finally:
            fetchers.put(fetcher)

    total = sum(one.digest.size or 0 for one in wanted if (one.digest.size or 0) <= limit)
    with ExitStack() as closing, ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in range(_AT_ONCE):
            fetchers.put(closing.enter_context(Fetcher(proxy=proxy, progress=Silence(), retries=2)))
        access.progress.start(f"{len(wanted)} {provenance}s", total)
        closing.callback(access.progress.finish)
        for one, got in zip(wanted, pool.map(fetch, wanted), strict=True):
            access.progress.advance((one.digest.size or 0) if isinstance(got, Blob) else 0)
            yield one, got
