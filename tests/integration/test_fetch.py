"""`domu fetch` from end to end: the real command, real gpgv, a signed toy archive on loopback."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builder.host.run import Completed, run
from tests.archive import Keys, Server, flip, flipped, served, sha256, stamp
from tests.netboot import ABI, NETBOOT, NEW, NEW_ABI, OLD, PACKAGE, Build, NetbootArchive
from tests.sites import FetchSite

FIRST, SECOND = Build.make(), Build.make(NEW, NEW_ABI)
DOMU = "from builder.cli.app import main; main()"


@dataclass
class Scene:
    """A site, an archive and its server."""

    site: FetchSite
    archive: NetbootArchive
    server: Server
    keyring: Path

    def domu(self, *words: str, mirror: str = "") -> Completed:
        """Run `domu fetch` against the archive."""
        return self.site.domu(*self.terms(mirror), *words)

    def terms(self, mirror: str = "") -> list[str]:
        return ["--mirror", mirror or self.server.url, "--proxy", "none", "--keyring", str(self.keyring)]

    def fetch(self, *words: str) -> Completed:
        """The same, where it must end well."""
        done = self.domu(*words)
        assert done.status == 0, done.stderr.decode()
        return done

    @property
    def lock(self) -> Path:
        return self.site.lock

    def holds(self, build: Build) -> bool:
        return self.site.holds(build.media)

    def clear_cache(self) -> None:
        self.site.clear_cache()
        self.server.asked.clear()

    def pinned(self) -> str:
        return self.site.pin.version


@pytest.fixture
def scene(tmp_path: Path, keys: Keys) -> Iterator[Scene]:
    archive = NetbootArchive(keys, tmp_path)
    archive.lay(FIRST)
    archive.publish()
    site = FetchSite.lay(tmp_path / "site")
    with served(archive.files) as server:
        yield Scene(site, archive, server, keys.keyring(tmp_path / "keyring.gpg", "archive"))


def test_the_guests_say_what_is_fetched(scene: Scene) -> None:
    done = scene.fetch()
    assert f"trixie/amd64: installer {OLD}, kernel {ABI}, fetched from the installer images" in done.text
    assert scene.holds(FIRST)
    assert scene.pinned() == OLD
    assert not any(path.endswith((".deb", "Packages.xz")) for path, _headers in scene.server.asked)


def test_the_second_time_nothing_is_asked(scene: Scene) -> None:
    scene.fetch()
    lock = scene.lock.read_bytes()
    scene.server.asked.clear()
    done = scene.fetch()
    assert "all from the cache" in done.text
    assert scene.server.asked == []
    assert scene.lock.read_bytes() == lock
    assert scene.fetch("--offline").status == 0


def test_the_lock_names_no_host_and_is_the_same_from_either_source(scene: Scene) -> None:
    scene.fetch()
    lock = scene.lock.read_text()
    assert "127.0.0.1" not in lock
    assert "/" not in lock.replace("trixie/amd64", "")
    scene.lock.unlink()
    scene.clear_cache()
    scene.archive.drop_images()
    scene.archive.publish()
    scene.fetch()
    assert scene.lock.read_text() == lock.replace('"images"', '"package"')


def test_404_on_the_images_falls_to_the_package_and_says_so(scene: Scene) -> None:
    scene.archive.drop_images()
    done = scene.fetch()
    said = done.stderr.decode()
    assert "404 Not Found; trying the next source: package" in said
    assert f"{PACKAGE} {OLD}" in said
    assert "M201" not in done.text
    assert scene.holds(FIRST)
    assert f"kernel {ABI}, fetched from the netboot package" in done.text


def test_a_wrong_image_never_falls_to_the_package(scene: Scene) -> None:
    scene.server.always(f"dists/trixie/main/installer-amd64/current/images/{NETBOOT}/initrd.gz", flipped)
    done = scene.domu()
    assert done.status == 1
    said = done.stderr.decode()
    assert "wrong content" in said
    assert "past every cache" in said
    assert PACKAGE not in said
    assert not scene.lock.exists()
    assert not scene.holds(FIRST)


def test_a_package_of_another_build_is_a_warning_that_names_both(scene: Scene) -> None:
    scene.archive.lay(SECOND, package=FIRST)
    scene.archive.drop_images()
    scene.archive.publish()
    done = scene.fetch()
    assert "warning M201" in done.text
    assert f"package {OLD}, images {NEW}" in done.text
    assert scene.pinned() == OLD


def test_a_pinned_build_is_fetched_again_by_its_own_name(scene: Scene) -> None:
    scene.fetch()
    scene.clear_cache()
    scene.archive.lay(SECOND)
    scene.archive.lay_images(FIRST, FIRST.version)
    scene.archive.publish()
    done = scene.fetch()
    assert f"installer {OLD}" in done.text
    assert scene.holds(FIRST)
    assert not scene.holds(SECOND)
    assert any(f"/installer-amd64/{OLD}/images/{NETBOOT}/linux" in path for path, _headers in scene.server.asked)


def test_a_pinned_build_comes_from_the_package_when_that_still_has_it(scene: Scene) -> None:
    scene.fetch()
    scene.clear_cache()
    scene.archive.drop_images()
    done = scene.fetch()
    assert "fetched from the netboot package" in done.text
    assert scene.holds(FIRST)
    assert '"source": "images"' in scene.lock.read_text(), "where it came from this time does not move the pin"


def test_a_pinned_build_that_is_gone_is_a_clear_error(scene: Scene) -> None:
    scene.fetch()
    lock = scene.lock.read_bytes()
    scene.clear_cache()
    scene.archive.lay(SECOND)
    scene.archive.publish()
    done = scene.domu()
    assert done.status == 1
    said = done.stderr.decode()
    assert f"the pinned installer build {OLD} of trixie/amd64 is gone from {scene.server.url}" in said
    assert NEW in said
    assert "domu fetch --upgrade" in said
    assert scene.lock.read_bytes() == lock
    assert not scene.holds(SECOND)


def test_an_upgrade_moves_the_pin_and_says_what_changed(scene: Scene) -> None:
    scene.fetch()
    scene.archive.lay(SECOND)
    scene.archive.publish()
    assert f"installer {OLD}" in scene.fetch().text, "without --upgrade the pin stays"
    done = scene.fetch("--upgrade")
    assert f"installer: {OLD} -> {NEW}" in done.text
    assert f"kernel: {ABI} -> {NEW_ABI}" in done.text
    assert f"linux: {sha256(FIRST.media['linux'])[:16]} -> {sha256(SECOND.media['linux'])[:16]}" in done.text
    assert scene.pinned() == NEW
    assert scene.holds(SECOND)


def test_an_upgrade_to_the_same_build_changes_nothing(scene: Scene) -> None:
    scene.fetch()
    lock = scene.lock.read_bytes()
    done = scene.fetch("--upgrade")
    assert "->" not in done.text
    assert "all from the cache" in done.text
    assert scene.lock.read_bytes() == lock


def test_other_entries_of_the_lock_stay(scene: Scene) -> None:
    scene.fetch()
    text = json.loads(scene.lock.read_text())
    text["media"]["bookworm/arm64"] = text["media"]["trixie/amd64"]
    scene.lock.write_text(json.dumps(text))
    scene.archive.lay(SECOND)
    scene.archive.publish()
    scene.fetch("--upgrade")
    assert set(json.loads(scene.lock.read_text())["media"]) == {"bookworm/arm64", "trixie/amd64"}


def test_offline_with_an_empty_cache_is_an_error_without_a_question(scene: Scene) -> None:
    done = scene.domu("--offline")
    assert done.status == 1
    assert "this run is offline" in done.stderr.decode()
    assert scene.server.asked == []


@pytest.mark.parametrize("upgrade", [[], ["--upgrade"]], ids=["plain", "upgrade"])
def test_a_broken_lock_stops_before_anything_is_asked(scene: Scene, upgrade: list[str]) -> None:
    scene.lock.write_text('{\n  "format": 1,\n<<<<<<< ours\n')
    done = scene.domu(*upgrade)
    assert done.status == 1
    assert "media.lock:3:1: is no JSON" in done.stderr.decode()
    assert scene.server.asked == []


def test_a_spoilt_file_in_the_cache_is_fetched_again(scene: Scene) -> None:
    scene.fetch()
    digest = sha256(FIRST.media["initrd.gz"])
    path = scene.site.path_of(digest)
    path.chmod(0o644)
    path.write_bytes(flip(path.read_bytes()))
    done = scene.fetch()
    assert "was spoilt" in done.stderr.decode()
    assert scene.holds(FIRST)


def test_another_signature_is_refused(scene: Scene, keys: Keys) -> None:
    scene.archive.publish(by=("stranger",))
    done = scene.domu()
    assert done.status == 1
    assert "not in the keyring" in done.stderr.decode()
    assert not scene.lock.exists()


def test_the_preflight_finds_everything(scene: Scene) -> None:
    done = scene.fetch("--preflight")
    assert f"kernel {ABI}; 4 udebs that the installer pulls" in done.text
    assert "none missing" in done.text


def test_the_preflight_lists_what_is_missing_and_ends_in_1(scene: Scene) -> None:
    gone = [f"pool/main/u/{name}_1.0_amd64.udeb" for name in ("grub-installer", f"scsi-modules-{ABI}-di")]
    for path in gone:
        del scene.archive.files[path]
    done = scene.domu("--preflight")
    assert done.status == 1
    assert all(f"missing: {path}" in done.text for path in gone)
    assert "error M302" in done.text
    assert "2 of the 4 udebs" in done.text
    assert scene.holds(FIRST), "the media are good all the same"


def test_the_preflight_sees_a_kernel_that_the_mirror_has_left_behind(scene: Scene) -> None:
    scene.fetch()
    scene.archive.lay(SECOND)
    scene.archive.publish()
    done = scene.domu("--preflight")
    assert done.status == 1
    assert f"error M301: the installer boots kernel {ABI}" in done.text
    assert f"modules for {NEW_ABI} only" in done.text
    assert scene.domu("--preflight", "--upgrade").status == 0


def test_the_preflight_asks_for_one_byte_of_each(scene: Scene) -> None:
    scene.fetch("--preflight")
    asked = [headers for path, headers in scene.server.asked if path.endswith(".udeb")]
    assert len(asked) == 4
    assert {headers["Range"] for headers in asked} == {"bytes=0-0"}


def test_json_tells_the_same(scene: Scene) -> None:
    del scene.archive.files["pool/main/u/anna_1.0_amd64.udeb"]
    done = scene.domu("--preflight", "--json")
    told = json.loads(done.stdout)
    (media,), (preflight,) = told["media"], told["preflight"]
    assert (media["suite"], media["arch"], media["version"], media["source"]) == ("trixie", "amd64", OLD, "images")
    assert media["files"]["linux"] == {"sha256": sha256(FIRST.media["linux"]), "size": 100_000}
    assert (preflight["anna"], [udeb["name"] for udeb in preflight["missing"]]) == (4, ["anna"])
    assert [finding["code"] for finding in told["findings"]] == ["M302"]


def test_a_password_in_the_mirrors_url_is_shown_nowhere(scene: Scene) -> None:
    mirror = scene.server.url.replace("http://", "http://me:sesame@")
    done = scene.domu("--preflight", mirror=mirror)
    assert done.status == 0
    assert b"sesame" not in done.stdout + done.stderr + scene.lock.read_bytes()
    kept = [path for path in (scene.site.root / "cache").rglob("*") if path.is_file()]
    assert not [path for path in kept if b"sesame" in path.read_bytes()]


def test_two_runs_at_once_share_the_work(scene: Scene) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, [sys.executable, "-c", DOMU, *scene.site.argv(*scene.terms())]) for _ in range(2)]
    assert [one.result().status for one in runs] == [0, 0]
    assert scene.holds(FIRST)
    images = [path for path, _headers in scene.server.asked if path.endswith(("/linux", "/initrd.gz"))]
    assert len(images) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--suite", "trixy"], "did you mean 'trixie'?"),
        (["--arch", "x86"], "no architecture that domu knows"),
        (["--arch", "arm64"], "domu fetch --suite trixie"),
        (["--suite", "trixie", "--arch", "arm64"], "trixie/arm64"),
        (["--mirror", "ftp://mirror.example.org"], "no mirror's URL"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_said(scene: Scene, words: list[str], said: str) -> None:
    done = scene.domu(*words)
    assert done.status == 1
    assert said in done.stderr.decode()


def test_broken_profiles_refuse_unless_a_suite_is_named(scene: Scene) -> None:
    (scene.site.root / "profiles/db1.yaml").write_text("suite: trixie\nmemry: 1G\n")
    refused = scene.domu()
    assert refused.status == 1
    assert "db1.yaml:2" in refused.stderr.decode()
    assert scene.fetch("--suite", "trixie").status == 0


@pytest.mark.parametrize(
    ("hours", "valid", "code", "allowed"),
    [(900, -800, "M103", "--allow-expired"), (48, 900, "M104", "--allow-older")],
    ids=["expired", "older than one seen before"],
)
def test_an_old_release_is_taken_only_when_allowed(
    scene: Scene, hours: int, valid: int, code: str, allowed: str
) -> None:
    if code == "M104":
        scene.fetch()
    now = datetime.now(UTC)
    scene.archive.publish(Date=stamp(now - timedelta(hours=hours)), Valid_Until=stamp(now + timedelta(hours=valid)))
    refused = scene.domu("--upgrade")
    assert refused.status == 1
    assert code in refused.stderr.decode()
    assert allowed in refused.stderr.decode()
    scene.fetch("--upgrade", allowed)
