"""Indices and source packages: who may ask questions, and what their templates are."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host.run import run
from builder.media.asking import find_asking, find_sources, list_udebs, read_source_templates
from builder.media.deb import read_control

DIGEST = "0123456789abcdef" * 4


def stanza(name: str, version: str = "1.0", *more: str) -> str:
    lines = [f"Package: {name}", f"Version: {version}", f"Filename: pool/{name}.deb", "Size: 1", f"SHA256: {DIGEST}"]
    return "\n".join([*lines, *more, "", ""])


def tar(**files: bytes) -> io.BytesIO:
    """A source's tar; `__` in a name stands for a slash, `_` for a dot."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo("toy-1.0/" + name.replace("__", "/").replace("_", "."))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return io.BytesIO(out.getvalue())


def test_wanted_packages_and_all_that_use_debconf() -> None:
    index = "".join(
        [
            stanza("aaa", "1.0", "Depends: libc6, debconf (>= 0.5) | debconf-2.0"),
            stanza("bbb", "1.0", "Pre-Depends: debconf"),
            stanza("ccc", "1.0", "Description: knows debconf"),
            stanza("ddd", "1.9"),
            stanza("ddd", "1.10"),
            stanza("debconf-doc", "1.0", "Depends: cdebconf"),
        ]
    )
    found = find_asking(io.BytesIO(index.encode()), {"ccc", "ddd", "absent"})
    assert {name: package.version for name, package in found.packages.items()} == {"ccc": "1.0", "ddd": "1.10"}
    assert found.askers == {"aaa", "bbb"}


def test_udebs_know_their_source() -> None:
    index = "".join(
        [
            stanza("anna", "1.2"),
            stanza("netcfg-static", "1.0+b1", "Source: netcfg (1.0)"),
            stanza("scsi-modules-6.12.1-amd64-di", "1.0", "Source: linux", "Kernel-Version: 6.12.1-amd64"),
        ]
    )
    assert [(one.source, one.source_version, one.is_kernel) for one in list_udebs(index.encode())] == [
        ("anna", "1.2", False),
        ("netcfg", "1.0", False),
        ("linux", "1.0", True),
    ]


def source(name: str, version: str, *files: str, folder: str = "pool/main") -> str:
    sums = "".join(f" {DIGEST} 10 {file}\n" for file in files)
    return (
        f"Package: {name}\nBinary: {name}, {name}-udeb\nVersion: {version}\nDirectory: {folder}/{name}\n"
        f"Checksums-Sha256:\n{sums}\n"
    )


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param(source("toy", "1.0", "toy_1.0.dsc", "toy_1.0.tar.xz"), "pool/main/toy/toy_1.0.tar.xz", id="native"),
        pytest.param(
            source("toy", "1.0", "toy_0.orig.tar.gz", "toy_1.0.debian.tar.xz"), "pool/main/toy/toy_1.0.debian.tar.xz", id="quilt"
        ),
        pytest.param(source("toy", "1.1", "toy_1.1.tar.xz"), None, id="another version"),
        pytest.param(source("toys", "1.0", "toy_1.0.tar.xz"), None, id="another name"),
        pytest.param(source("toy", "1.0", "toy_1.0.orig.tar.gz", "toy_1.0.diff.gz"), "pool/main/toy/toy_1.0.orig.tar.gz", id="1.0"),
        pytest.param(source("toy", "1.0", "a.tar.xz", "b.tar.xz"), None, id="which of the two"),
        pytest.param(source("toy", "1.0", "toy_1.0.tar.xz", folder="../.."), None, id="a path that leads astray"),
    ],
)  # fmt: skip
def test_the_tar_of_a_source(text: str, path: str | None) -> None:
    found = find_sources(io.BytesIO(text.encode()), {"toy": "1.0"})
    assert [one.filename for one in found.values()] == ([path] if path else [])


def test_templates_of_a_source() -> None:
    found = read_source_templates(
        tar(
            debian__control=b"x", debian__templates=b"one", debian__toy_templates=b"two",
            debian__po__toy_templates=b"no", toy_templates=b"no", debian__other_templates_in=b"made later",
        )
    )  # fmt: skip
    assert found.files == {"": b"one", "toy": b"two"}
    assert found.others == ("toy-1.0/debian/other.templates.in",)
    assert not found.none_at_all
    assert read_source_templates(tar(debian__control=b"x")).none_at_all


@pytest.mark.parametrize("data", [b"", b"no tar", tar(debian__templates=b"x" * 9000).getvalue()[:-100]])
def test_a_damaged_source(data: bytes) -> None:
    with pytest.raises(BuilderError, match="the source package cannot be read"):
        read_source_templates(io.BytesIO(data))


def test_templates_of_a_package(tmp_path: Path) -> None:
    (tmp_path / "toy/DEBIAN").mkdir(parents=True)
    (tmp_path / "toy/DEBIAN/control").write_text(
        "Package: toy\nVersion: 1\nArchitecture: all\nMaintainer: Toy <toy@example.org>\nDescription: toy\n"
    )
    (tmp_path / "toy/DEBIAN/templates").write_text("Template: toy/why\n")
    done = run(["dpkg-deb", "--build", "--root-owner-group", str(tmp_path / "toy"), str(tmp_path / "toy.deb")])
    assert done.status == 0, done.complaint
    with (tmp_path / "toy.deb").open("rb") as deb:
        assert read_control(deb, {"templates", "config"}) == {"templates": b"Template: toy/why\n"}
    with pytest.raises(BuilderError, match=r"the \.deb cannot be read"):
        read_control(io.BytesIO(b"no package"), {"templates"})
