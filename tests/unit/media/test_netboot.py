from __future__ import annotations

from datetime import UTC, datetime

import pytest

from builder.errors import BuilderError
from builder.findings import Severity
from builder.media.netboot import (
    Build,
    Sums,
    compare_sources,
    find_sums,
    index_path,
    list_builds,
    package_name,
    package_paths,
)
from builder.media.release import Digest, Release

OLD, NEW, OTHER = (Digest(letter * 64, 1) for letter in "abc")


def release(files: dict[str, Digest]) -> Release:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Release("Debian", "stable", "trixie", now, None, ("main",), ("amd64",), files, acquire_by_hash=True)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # As trixie has it after a point release: the link's version is that of the same SHA256SUMS.
        (
            {f"main/installer-amd64/{name}/images/SHA256SUMS": digest for name, digest in [
                ("20250803", OLD), ("20250803+deb13u7", NEW), ("current", NEW)]},
            [("20250803+deb13u7", "current"), ("20250803+deb13u7", "20250803+deb13u7"), ("20250803", "20250803")],
        ),
        (
            {f"main/installer-amd64/{name}/images/SHA256SUMS": digest for name, digest in [
                ("20230607+deb12u9", OLD), ("20230607+deb12u10", OTHER), ("current", OTHER)]},
            [("20230607+deb12u10", "current"), ("20230607+deb12u10",) * 2, ("20230607+deb12u9",) * 2],
        ),
        ({"main/installer-amd64/current/images/SHA256SUMS": OLD}, [("sha256-aaaaaaaaaaaa", "current")]),
        ({"main/installer-amd64/20250803/images/SHA256SUMS": OLD}, [("20250803", "20250803")]),
        ({"main/installer-arm64/current/images/SHA256SUMS": OLD}, []),
        ({"main/installer-amd64/current/images/MD5SUMS": OLD}, []),
        ({"main/installer-amd64/current/legacy-images/SHA256SUMS": OLD}, []),
        ({"main/installer-amd64/not a version/images/SHA256SUMS": OLD}, []),
        ({}, []),
    ],
    ids=["point release", "ten after nine", "link alone", "no link", "another arch", "md5", "legacy", "odd", "none"],
)  # fmt: skip
def test_builds_are_listed_newest_first(files: dict[str, Digest], expected: list[tuple[str, str]]) -> None:
    builds = list_builds(release(files), "amd64")
    assert [(build.version, build.folder.split("/")[2]) for build in builds] == expected


def test_where_the_sums_of_a_build_are() -> None:
    (build,) = list_builds(release({"main/installer-amd64/20250803/images/SHA256SUMS": OLD}), "amd64")
    assert build.sums_path == "main/installer-amd64/20250803/images/SHA256SUMS"
    assert build.sums == OLD


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        (
            {
                "netboot/debian-installer/amd64/linux": "k",
                "netboot/debian-installer/amd64/initrd.gz": "i",
                "netboot/gtk/debian-installer/amd64/initrd.gz": "gtk",
                "netboot/xen/initrd.gz": "gtk",
            },
            Sums("k", "i"),
        ),
        ({"netboot/debian-installer/amd64/linux": "k"}, None),
        ({"netboot/debian-installer/arm64/linux": "k", "netboot/debian-installer/arm64/initrd.gz": "i"}, None),
        ({}, None),
    ],
    ids=["the text ones", "half", "another arch", "nothing"],
)
def test_sums_of_the_text_images(listing: dict[str, str], expected: Sums | None) -> None:
    assert find_sums(listing, "amd64") == expected


def test_the_package_and_the_paths_in_it() -> None:
    assert package_name("trixie", "amd64") == "debian-installer-13-netboot-amd64"
    assert package_paths("bookworm", "arm64") == (
        "usr/lib/debian-installer/images/12/arm64/text/debian-installer/arm64/linux",
        "usr/lib/debian-installer/images/12/arm64/text/debian-installer/arm64/initrd.gz",
    )


def test_an_unknown_suite_is_an_error() -> None:
    with pytest.raises(BuilderError, match="buster"):
        package_name("buster", "amd64")


@pytest.mark.parametrize(
    ("listed", "expected"),
    [(["P", "P.gz", "P.xz"], "P.xz"), (["P", "P.gz"], "P.gz"), (["P"], "P")],
    ids=["xz", "gz", "plain"],
)
def test_the_smallest_index_that_is_listed_is_taken(listed: list[str], expected: str) -> None:
    assert index_path(release(dict.fromkeys(listed, OLD)), "P") == expected


def test_an_index_that_is_not_listed_is_an_error() -> None:
    with pytest.raises(BuilderError, match="lists no main/binary-arm64/Packages"):
        index_path(release({}), "main/binary-arm64/Packages")


BUILD = Build("20250803+deb13u7", "main/installer-amd64/current/images", NEW)


def test_equal_sources_are_no_finding() -> None:
    assert compare_sources(Sums("k", "i"), version="1", images=Sums("k", "i"), build=BUILD) is None


@pytest.mark.parametrize(
    ("version", "images", "words"),
    [
        ("20250803+deb13u6", Sums("k2", "i2"), ["linux and initrd.gz", "20250803+deb13u6", "20250803+deb13u7"]),
        ("20250803+deb13u7", Sums("k", "i2"), ["initrd.gz", "both call themselves 20250803+deb13u7"]),
    ],
    ids=["another build", "the same build"],
)
def test_sources_that_differ_are_a_warning_that_names_both(version: str, images: Sums, words: list[str]) -> None:
    finding = compare_sources(Sums("k", "i"), version=version, images=images, build=BUILD)
    assert finding is not None
    assert (finding.code, finding.severity) == ("M201", Severity.WARNING)
    assert all(word in finding.message for word in words)
