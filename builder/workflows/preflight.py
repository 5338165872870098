"""The preflight: will an installation with these media find every udeb that it is going to ask its mirror for?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from builder.image.initrd import read_initrd
from builder.media.mirror import udebs_path
from builder.media.netboot import index_path
from builder.media.packages import unpack_index
from builder.media.udebs import Preflight, Udeb, check_kernel, check_missing, parse_present, parse_udebs, plan_udebs
from builder.workflows.access import Access, SuiteAccess
from builder.workflows.media import NetbootMedia

_AT_ONCE = 8  # connections; more are unkind to a mirror and gain little


def preflight(access: Access, media: NetbootMedia) -> Preflight:
    """Compare the initrd's kernel with the mirror's modules, and ask for one byte of every udeb."""
    archive = access.suite(media.suite)
    udebs = _udebs(archive, media.arch)
    with media.initrd.path.open("rb") as stream:
        present = parse_present(read_initrd(stream).dpkg_status)
    plan = plan_udebs(udebs, present=present, abi=media.kernel_abi)
    access.progress.say(f"{media.suite}/{media.arch}: asking {archive.mirror} for each of {len(plan.all)} udebs")
    missing = _missing(archive, plan.all)
    mirror = str(archive.mirror)
    kernel = check_kernel(udebs, media.kernel_abi, mirror=mirror)
    absent = check_missing(plan, missing, suite=media.suite, mirror=mirror)
    findings = tuple(finding for finding in (*archive.findings, kernel, absent) if finding)
    return Preflight(media.suite, media.arch, mirror, media.kernel_abi, plan, missing, findings)


def _udebs(archive: SuiteAccess, arch: str) -> tuple[Udeb, ...]:
    path = index_path(archive.release, udebs_path(arch))
    with archive.listed(path, by_hash=True).path.open("rb") as packed, unpack_index(packed, path) as index:
        return parse_udebs(index.read())


def _missing(archive: SuiteAccess, udebs: tuple[Udeb, ...]) -> tuple[Udeb, ...]:
    urls = [archive.mirror.file(udeb.package.filename) for udeb in udebs]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        there = list(pool.map(archive.fetcher.present, urls))
    return tuple(udeb for udeb, present in zip(udebs, there, strict=True) if not present)
