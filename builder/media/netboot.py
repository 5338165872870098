"""Which netboot media a suite offers, decided from what its signed Release, SHA256SUMS and Packages say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from debian.debian_support import Version

from builder.errors import BuilderError
from builder.findings import Finding, Severity
from builder.media.mirror import images_path, netboot_path
from builder.media.release import Digest, Release

KERNEL, INITRD = "linux", "initrd.gz"
# The number in the names of a suite's packages; a row for each suite that profiles may name.
RELEASE_NUMBERS = {"bookworm": 12, "trixie": 13}
# Compressions of an index, the smallest first; all that Debian's own mirrors and aptly or reprepro write.
INDEX_ENDINGS = (".xz", ".gz", "")


@dataclass(frozen=True, slots=True)
class Build:
    """One build of the installer as the Release lists it: its version and the SHA256SUMS of its images."""

    version: str
    folder: str  # below dists/SUITE/
    sums: Digest

    @property
    def sums_path(self) -> str:
        """Its SHA256SUMS, below dists/SUITE/."""
        return f"{self.folder}/SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Sums:
    """The SHA-256 of the two files of a build."""

    kernel: str
    initrd: str


def list_builds(release: Release, arch: str) -> tuple[Build, ...]:
    """Every build whose images the Release lists for this architecture, the newest first.

    `current` is a link: its version is that of the build with the same SHA256SUMS. Where the Release lists
    `current` alone, nothing tells a version, and the start of the digest stands for it: `sha256-0123456789ab`.
    """
    pattern = re.compile(re.escape(images_path(arch, "\0")).replace("\0", r"([^/]+)") + "/SHA256SUMS")
    listed = {match[1]: digest for path, digest in release.files.items() if (match := pattern.fullmatch(path))}
    current = listed.pop("current", None)
    named = sorted((name for name in listed if _is_version(name)), key=Version, reverse=True)
    builds = [Build(name, images_path(arch, name), listed[name]) for name in named]
    if current is None:
        return tuple(builds)
    same = [build for build in builds if build.sums == current]
    version = same[0].version if same else f"sha256-{current.sha256[:12]}"
    # The link is asked first: mirrors that drop old builds keep it.
    return (Build(version, images_path(arch), current), *builds)


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except ValueError:
        return False
    return True


def find_sums(listing: Mapping[str, str], arch: str) -> Sums | None:
    """The digests of the text netboot images in a SHA256SUMS; None when it lists none."""
    kernel, initrd = (listing.get(netboot_path(arch, name)) for name in (KERNEL, INITRD))
    return Sums(kernel, initrd) if kernel and initrd else None


def package_name(suite: str, arch: str) -> str:
    """The package that holds the same media; BuilderError for a suite without a row here."""
    if suite not in RELEASE_NUMBERS:
        raise BuilderError(
            f"no netboot package is known for suite {suite!r}", f"known suites: {', '.join(RELEASE_NUMBERS)}"
        )
    return f"debian-installer-{RELEASE_NUMBERS[suite]}-netboot-{arch}"


def package_paths(suite: str, arch: str) -> tuple[str, str]:
    """Where linux and initrd.gz (the text ones) lie in that package."""
    number = RELEASE_NUMBERS[suite]
    folder = f"usr/lib/debian-installer/images/{number}/{arch}/text/debian-installer/{arch}"
    return f"{folder}/{KERNEL}", f"{folder}/{INITRD}"


def index_path(release: Release, path: str) -> str:
    """The compression of an index to fetch, of those that the Release lists; BuilderError when it lists none."""
    for ending in INDEX_ENDINGS:
        if f"{path}{ending}" in release.files:
            return f"{path}{ending}"
    raise BuilderError(f"the Release of {release.name} lists no {path}", "take another mirror, or another architecture")


def compare_sources(package: Sums, *, version: str, images: Sums, build: Build) -> Finding | None:
    """The package's media against the images' SHA256SUMS: a warning when they are not the same files."""
    if package == images:
        return None
    differ = [
        name
        for name, one, other in (
            (KERNEL, package.kernel, images.kernel),
            (INITRD, package.initrd, images.initrd),
        )
        if one != other
    ]
    if version == build.version:
        why = f"though both call themselves {version}"
        hint = "both are signed, but one was changed after the build: ask the mirror's keeper, or take another mirror"
    else:
        why = f"package {version}, images {build.version}"
        hint = "the package follows the images by some days; `domu fetch --upgrade` takes what is newest later on"
    return Finding(
        "M201",
        f"{' and '.join(differ)} of the netboot package and of the installer images differ: {why}",
        hint,
        severity=Severity.WARNING,
    )
