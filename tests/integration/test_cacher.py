"""Media through a real apt-cacher-ng, in both forms, and what it keeps spoilt behind its back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.host.apt import find_mirror, find_proxy
from builder.host.run import Completed, run
from builder.media.mirror import Mirror
from builder.media.netboot import package_name
from tests.archive import Keys, Server, flip, served, sha256
from tests.cacher import Cacher, free_port, running_cacher, wait_until
from tests.netboot import ABI, OLD, PACKAGE, Build, NetbootArchive
from tests.sites import FetchSite

BUILD = Build.make()
FORMS = ("proxy", "prefix")
DEB = f"{PACKAGE}_{OLD}_all.deb"
MIRROR = Mirror("http://mirror.example.org/debian")


@dataclass
class Scene:
    """An archive behind a cacher, and a way to it."""

    folder: Path
    archive: NetbootArchive
    server: Server
    cacher: Cacher
    keyring: Path
    sites: int = 0

    def fetch(self, form: str, *words: str, source: str = "images") -> tuple[FetchSite, Completed]:
        """A site with an empty cache fetches by way of the cacher."""
        self.sites += 1
        site = FetchSite.lay(self.folder / f"site{self.sites}", f"media_sources: [{source}]\n")
        return site, site.domu(*terms(form, self.cacher, self.server.url), "--keyring", str(self.keyring), *words)

    def published(self, name: str) -> bytes:
        """What the mirror has under this name, in the newest build."""
        return next(data for path, data in self.archive.files.items() if path.endswith(f"/{name}"))


def terms(form: str, cacher: Cacher, mirror: str) -> list[str]:
    """The two ways to go through a cacher."""
    if form == "proxy":
        return ["--mirror", mirror, "--proxy", cacher.url]
    return ["--mirror", cacher.through(mirror), "--proxy", "none"]


def spoil(kept: Path, change: Callable[[bytes], bytes]) -> str:
    """Change what the cacher keeps; the digest that it should have comes back."""
    right = kept.read_bytes()
    kept.write_bytes(change(right))
    return sha256(right)


def halve(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip_in_place(kept: Path) -> None:
    with kept.open("r+b") as file:
        file.seek(kept.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))


def truncate_in_place(kept: Path) -> None:
    with kept.open("r+b") as file:
        file.truncate(kept.stat().st_size // 3)


def empty(_data: bytes) -> bytes:
    return b""


@pytest.fixture(scope="module")
def cacher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cacher]:
    with running_cacher(tmp_path_factory.mktemp("toy") / "acng") as cacher:
        yield cacher


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, keys: Keys, cacher: Cacher) -> Iterator[Scene]:
    """An archive, and a cacher that keeps all of it."""
    folder = tmp_path_factory.mktemp("scene")
    archive = NetbootArchive(keys, folder)
    archive.lay(BUILD)
    archive.publish()
    with served(archive.files, free_port()) as server:
        scene = Scene(folder, archive, server, cacher, keys.keyring(folder / "keyring.gpg", "archive"))
        for source in ("images", "package"):
            assert scene.fetch("proxy", source=source)[1].status == 0
        yield scene


def test_it_is_found_on_its_port(cacher: Cacher) -> None:
    choice = find_proxy(lambda argv, **_more: Completed(tuple(argv), 0, b"", b""), mirror=MIRROR, port=cacher.port)
    assert str(choice) == f"through {cacher.url}: apt-cacher-ng answers on port {cacher.port}"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", ["images", "package"])
def test_media_come_through_and_are_kept(scene: Scene, form: str, source: str) -> None:
    site, done = scene.fetch(form, source=source)
    assert done.status == 0, done.stderr.decode()
    assert site.holds(BUILD.media)
    assert (site.pin.version, site.pin.kernel_abi, site.pin.source) == (OLD, ABI, source)
    name = DEB if source == "package" else "initrd.gz"
    wait_until(lambda: sha256(scene.cacher.kept(name).read_bytes()) == sha256(scene.published(name)), "it keeps it")


@pytest.mark.parametrize("form", FORMS)
def test_a_second_site_gets_the_package_from_the_cacher_alone(scene: Scene, form: str) -> None:
    before = len(scene.server.asked)
    site, done = scene.fetch(form, source="package")
    assert done.status == 0
    assert site.holds(BUILD.media)
    asked = [path for path, _headers in scene.server.asked[before:]]
    assert asked, "the InRelease is looked at"
    assert not [path for path in asked if path.endswith(".deb")]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_said_names_the_cacher(scene: Scene, form: str) -> None:
    _site, done = scene.fetch(form)
    place = scene.cacher.url.removeprefix("http://")
    assert place in done.stderr.decode()
    assert ("through the cacher" in done.stderr.decode()) is (form == "prefix")


@pytest.mark.parametrize("form", FORMS)
def test_a_flipped_byte_is_healed_and_told(scene: Scene, form: str) -> None:
    kept = scene.cacher.kept(DEB)
    right = spoil(kept, flip)
    site, done = scene.fetch(form, source="package")
    said = done.stderr.decode()
    assert done.status == 0, said
    assert site.holds(BUILD.media)
    assert f"{PACKAGE} {OLD} from http://" in said
    assert "has the wrong content" in said
    assert scene.cacher.url.removeprefix("http://") in said
    assert "asking once more past every cache (Cache-Control: no-cache)" in said
    assert "a broken copy in a cacher has been replaced by this one" in said
    wait_until(lambda: sha256(kept.read_bytes()) == right, "the cacher's copy is healed")
    _another, done = scene.fetch(form, source="package")
    assert "no-cache" not in done.stderr.decode(), "it stays healed"


# apt-cacher-ng asks its mirror for these anew each time, or whether they have changed; the deb it never asks for again.
SPOILABLE = {
    "the package": (DEB, "package"),
    "the initrd": ("initrd.gz", "images"),
    "SHA256SUMS": ("SHA256SUMS", "images"),
    "the index of packages": ("main/binary-amd64/Packages.xz", "package"),
    "the InRelease": ("InRelease", "images"),
}


@pytest.mark.parametrize("change", [flip, halve, empty])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "source"), SPOILABLE.values(), ids=SPOILABLE)
def test_whatever_is_spoilt_the_media_are_right_and_the_cacher_healed(
    scene: Scene, form: str, name: str, source: str, change: Callable[[bytes], bytes]
) -> None:
    kept = scene.cacher.kept(name)
    right = spoil(kept, change)
    site, done = scene.fetch(form, source=source)
    assert done.status == 0, done.stderr.decode()
    assert site.holds(BUILD.media)
    wait_until(lambda: sha256(kept.read_bytes()) == right, "the cacher's copy is healed")


@pytest.mark.parametrize("form", FORMS)
def test_the_preflight_works_through_it(scene: Scene, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(scene.archive.files, "pool/main/u/grub-installer_1.0_amd64.udeb")
    _site, done = scene.fetch(form, "--preflight")
    assert done.status == 1
    assert "missing: pool/main/u/grub-installer_1.0_amd64.udeb" in done.text
    assert "1 of the 4 udebs" in done.text


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cacher, str]]:
    """A cacher before the mirror that apt uses here, shared so that the real package is fetched once."""
    mirror = find_mirror(run)
    own = find_proxy(run, mirror=Mirror(mirror)).url
    with running_cacher(tmp_path_factory.mktemp("real") / "acng", proxy=own) as cacher:
        yield cacher, mirror


@pytest.mark.network
def test_real_media_come_through_and_a_spoilt_package_is_healed(real: tuple[Cacher, str], tmp_path: Path) -> None:
    cacher, mirror = real
    first = FetchSite.lay(tmp_path / "first")
    done = first.domu(*terms("proxy", cacher, mirror))
    assert done.status == 0, done.stderr.decode()
    (kept,) = (cacher.root / "cache").rglob(f"{package_name('trixie', 'amd64')}_*.deb")
    right = sha256(kept.read_bytes())
    for form, change in (("prefix", flip_in_place), ("proxy", truncate_in_place)):
        change(kept)
        site = FetchSite.lay(tmp_path / form)
        done = site.domu(*terms(form, cacher, mirror))
        assert done.status == 0, done.stderr.decode()
        assert site.lock.read_bytes() == first.lock.read_bytes()
        assert ("has been replaced by this one" in done.stderr.decode()) is (form == "prefix")
        wait_until(lambda: sha256(kept.read_bytes()) == right, "the cacher's copy is healed")
        site.clear_cache()


@pytest.mark.network
def test_the_real_preflight_asks_for_what_trixie_needs(real: tuple[Cacher, str], tmp_path: Path) -> None:
    cacher, mirror = real
    site = FetchSite.lay(tmp_path / "site")
    done = site.domu(*terms("prefix", cacher, mirror), "--preflight", "--json")
    (seen,) = json.loads(done.stdout)["preflight"]
    assert seen["kernel_abi"] == site.pin.kernel_abi
    assert seen["anna"] > 50
    assert done.status == (1 if seen["missing"] else 0)
    assert all(udeb["filename"].endswith(".udeb") for udeb in seen["missing"])
