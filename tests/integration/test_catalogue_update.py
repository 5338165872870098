"""A catalogue made from a signed toy archive over real HTTP; and the shipped ones against the real archive."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builder.host.catalogue import shipped_catalogue, shipped_suites
from builder.host.run import run
from builder.host.site import Site
from builder.image import cpio
from builder.image.initrd import read_files
from builder.preseed.catalogue import Catalogue, Known, Unknown, Unread
from builder.preseed.templates import parse_templates
from builder.progress import Silence
from builder.workflows import catalogue as workflow
from builder.workflows.access import Access, Terms
from builder.workflows.look_up import look_up
from builder.workflows.media import obtain
from tests.archive import Keys, Server, flipped, noise, served, sha256
from tests.netboot import ABI, OLD, Build, NetbootArchive, stanza

NOW = datetime.now(UTC)


def template(name: str, kind: str = "string") -> bytes:
    return f"Template: {name}\nType: {kind}\nDescription: Why?\n\n".encode()


def initrd() -> bytes:
    """With main-menu 1.0 and its templates, and anna 0.9, older than the mirror's."""
    status = "".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n"
        for name, version in (("main-menu", "1.0"), ("anna", "0.9"))
    )
    files = {
        f"lib/modules/{ABI}/modules.dep": b"",
        "var/lib/dpkg/status": status.encode(),
        "var/lib/dpkg/info/main-menu.templates": template("main-menu/what"),
        "var/lib/dpkg/info/anna.templates": template("anna/modules", "multiselect") + template("anna/old"),
    }
    entries = [cpio.Entry(path, data) for path, data in files.items()]
    return gzip.compress(cpio.write_newc(cpio.with_parents(entries)), mtime=0)


class Toy(NetbootArchive):
    """Some udebs can be had, some are gone; of the latter some sources can be had."""

    def pool(self, name: str, templates: bytes, *, version: str = "1.0", fields: str = "", gone: bool = False) -> str:
        """Build a package, put it into the pool unless it is gone, and return its stanza."""
        root = self._folder / f"{name}-{version}"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Toy <t@example.org>\nDescription: toy\n"
        )
        if templates:
            (root / "DEBIAN/templates").write_bytes(templates)
        done = run(["dpkg-deb", "--build", "--root-owner-group", str(root), str(root) + ".deb"])
        assert done.status == 0, done.complaint
        data, path = Path(f"{root}.deb").read_bytes(), f"pool/{name}_{version}.deb"
        if not gone:
            self.files[path] = data
        return stanza(name, version, path, data) + fields + "\n"

    def index(self, path: str, *stanzas: str) -> None:
        self.files[f"{self.dists}/{path}.xz"] = lzma.compress("".join(stanzas).encode())

    def lay_toys(self) -> None:
        self.lay_images(Build(OLD, ABI, {"linux": noise("linux", 1000), "initrd.gz": initrd()}), "current")
        self.index(
            "main/debian-installer/binary-amd64/Packages",
            self.pool("anna", template("anna/modules", "multiselect")),
            self.pool("main-menu", template("main-menu/not-fetched")),  # the initrd has this very version
            self.pool("partman-toy", template("partman-toy/size"), gone=True),
            self.pool("clock-toy", template("clock-toy/utc"), fields="Source: clock (2.0)\n", gone=True),
            self.pool("quiet-udeb", b"", fields="Source: quiet (1.0)\n", gone=True),
            self.pool("user-setup-udeb", template("passwd/username"), gone=True),
            self.pool(f"scsi-modules-{ABI}-di", b"", fields=f"Kernel-Version: {ABI}\n", gone=True),
        )
        self.index(
            "main/binary-amd64/Packages",
            self.pool("tzdata", template("tzdata/Areas", "select"), fields="Depends: debconf (>= 0.5)\n"),
            self.pool("locales", b"", fields="Depends: debconf\n"),
            self.pool("unheard-of", template("unheard-of/x"), fields="Depends: debconf\n", gone=True),
            self.pool("user-setup", template("passwd/username"), fields="Depends: debconf\n"),
            self.pool("openssh-server", template("openssh-server/x"), fields="Depends: debconf\n"),
        )
        self.index(
            "main/source/Sources",
            self.source(
                "clock",
                "2.0",
                {"debian/clock-toy.templates": b"# x\nTemplate: clock-toy/utc\nType: boolean\n_Description: UTC?\n"},
            ),
            self.source("quiet", "1.0", {"debian/control": b"x"}),
        )

    def source(self, name: str, version: str, files: dict[str, bytes]) -> str:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:xz") as tar:
            for path, data in files.items():
                info = tarfile.TarInfo(f"{name}-{version}/{path}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        file = f"{name}_{version}.tar.xz"
        self.files[f"pool/src/{file}"] = out.getvalue()
        return (
            f"Package: {name}\nVersion: {version}\nBinary: {name}-toy\nDirectory: pool/src\nChecksums-Sha256:\n"
            f" {sha256(out.getvalue())} {len(out.getvalue())} {file}\n\n"
        )


@dataclass
class Scene:
    server: Server
    site: Site
    terms: Terms

    def update(self) -> Catalogue:
        (done,) = workflow.update(
            self.site, ["trixie"], "amd64", terms=self.terms, progress=Silence(), now=NOW, ship=False
        )
        return done.catalogue


@pytest.fixture
def scene(tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    (tmp_path / "site/profiles").mkdir(parents=True)
    archive = Toy(keys, tmp_path)
    archive.lay_toys()
    archive.publish()
    keyring = keys.keyring(tmp_path / "keyring.gpg", "archive")
    with served(archive.files) as server:
        yield Scene(server, Site(tmp_path / "site"), Terms(mirror=server.url, proxy="none", keyring=keyring))


def test_where_each_question_was_read(scene: Scene) -> None:
    found = scene.update()
    read = {one.name: (one.package, one.provenance) for one in found.questions if one.provenance != "table"}
    assert read == {
        "anna/modules": ("anna", "initrd"),
        "anna/old": ("anna", "initrd"),
        "clock-toy/utc": ("clock-toy", "source"),
        "main-menu/what": ("main-menu", "initrd"),
        "openssh-server/x": ("openssh-server", "deb"),
        "passwd/username": ("user-setup-udeb", "source"),
        "tzdata/Areas": ("tzdata", "deb"),
    }
    assert {one.package for one in found.unread} == {"partman-toy", "unheard-of"}
    assert isinstance(found.may_exist("partman-toy/size"), Unread)
    assert isinstance(found.may_exist("unheard-of/x"), Unread)
    assert isinstance(found.may_exist("clock-toy/other"), Unknown)
    assert isinstance(found.may_exist("quiet/other"), Unknown)
    assert found.by_name["passwd/username"].installer


def test_no_more_is_fetched_than_is_needed(scene: Scene) -> None:
    scene.update()
    asked = {path for path, _headers in scene.server.asked}
    assert not [path for path in asked if "scsi-modules" in path or "unheard-of" in path or "main-menu" in path]
    scene.server.asked.clear()
    scene.update()
    again = {path for path, _headers in scene.server.asked}
    assert {path for path in again if path.startswith("pool/")} == {
        f"pool/{name}_1.0.deb" for name in ("partman-toy", "clock-toy", "quiet-udeb", "user-setup-udeb")
    }


def test_the_same_archive_gives_the_same_catalogue_which_is_then_found(scene: Scene) -> None:
    first = scene.update()
    assert scene.update() == first
    found = look_up(scene.site, "trixie")
    assert found.cached
    assert found.fits
    assert found.catalogue == first


def test_another_pinned_build_falls_back_to_the_shipped_catalogue(scene: Scene) -> None:
    version = scene.update().installer
    lock = scene.site.media_lock
    lock.write_text(lock.read_text().replace(version, "20990101"))
    found = look_up(scene.site, "trixie")
    assert not found.cached
    assert not found.fits
    assert found.catalogue == shipped_catalogue("trixie")


def test_wrong_bytes_count_as_unread(scene: Scene) -> None:
    scene.server.always("pool/tzdata_1.0.deb", flipped)
    found = scene.update()
    assert {one.why for one in found.unread if one.package == "tzdata"} == {"the mirror has other bytes than it lists"}
    assert isinstance(found.may_exist("tzdata/Areas"), Unread)


def test_a_mirror_without_sources(scene: Scene) -> None:
    for path in [path for path in scene.server.files if "Sources" in path]:
        del scene.server.files[path]
    assert {"clock-toy", "quiet-udeb"} <= {one.package for one in scene.update().unread}


@pytest.mark.network
@pytest.mark.parametrize("suite", shipped_suites())
def test_the_shipped_catalogue_has_every_question_of_its_initrd(suite: str, tmp_path: Path) -> None:
    """The installer that the archive has now; when it has moved on: domu catalogue update --ship."""
    from builder.host.store import Store

    with Access(Store(tmp_path), Terms(), progress=Silence(), now=NOW) as access:
        media = obtain(access, tmp_path / "media.lock", suite=suite, arch="amd64", sources=workflow.SOURCE_ORDER)
    shipped = shipped_catalogue(suite)
    assert media.installer_version == shipped.installer
    assert shipped.made_from["initrd"] == media.initrd.sha256
    names = set()
    with media.initrd.path.open("rb") as stream:
        for path, data in read_files(stream, re.compile(r"var/lib/dpkg/info/[^/]+\.templates")):
            names |= {one.name for one in parse_templates(data, name=path)[0]}
    assert len(names) > 300
    assert all(isinstance(shipped.may_exist(name), Known) for name in names)
