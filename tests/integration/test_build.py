"""`domu build` from a signed toy archive on loopback: complete, private, reproducible, and never half there."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.errors import BuilderError, RefusalError
from builder.host.site import Site
from builder.image import cpio
from builder.image.initrd import read_segments
from builder.image.manifest import digest, parse_manifest, render_manifest
from builder.workflows.build import BuildOrder, Built, build
from tests.archive import NOW, Archive, Keys, Server, noise, served
from tests.faults import Listener

HASH = "$6$canary$" + "x" * 86
ABI = "6.12.1+toy-amd64"
IMAGES = "main/installer-amd64/current/images"
GUEST = f"""\
suite: trixie
memory: 1G
nics: [{{bridge: xenbr0}}]
root: {{password: {HASH}}}
users: [{{name: alex, password: {{env: ALEX_HASH}}}}]
initrd_files: [{{source: files/tool, path: /domu-files/tool, executable: true}}]
"""
ARTEFACTS = {
    "initrd.gz",
    "network/vifs.json",
    "preseed.cfg",
    "vmlinuz",
    "volumes.json",
    "web1.cfg",
    "web1.install.cfg",
}


@dataclass
class Bench:
    """A site beside a served toy archive, and what was said."""

    site: Site
    archive: Archive
    server: Server
    listener: Listener

    def build(self, *names: str, force: bool = False, offline: bool = False) -> Built:
        run = build(
            self.site,
            BuildOrder(names, force=force, offline=offline),
            progress=self.listener,
            now=NOW,
            environment={"ALEX_HASH": HASH.replace("canary", "alex")},
        )
        assert len(run.built) == 1
        return run.built[0]

    def profile(self, text: str) -> None:
        (self.site.profiles / "web1.yaml").write_text(text)


def toy_initrd() -> bytes:
    """What read_initrd looks for: modules of one kernel, and the list of udebs."""
    names = [f"lib/modules/{ABI}/kernel.ko", "var/lib/dpkg/status"]
    files = [cpio.Entry(name, noise(name, 2000) if name.endswith("ko") else b"", cpio.FILE | 0o644) for name in names]
    return gzip.compress(cpio.write_newc(cpio.with_parents(files)), mtime=0)


def toy_archive(keys: Keys) -> Archive:
    archive = Archive(keys, "trixie")
    images = {"linux": noise("linux", 300_000), "initrd.gz": toy_initrd()}
    folder = f"{archive.dists}/{IMAGES}"
    lines = []
    for name, data in images.items():
        path = f"netboot/debian-installer/amd64/{name}"
        archive.files[f"{folder}/{path}"] = data
        lines.append(f"{hashlib.sha256(data).hexdigest()}  ./{path}\n")
    archive.files[f"{folder}/SHA256SUMS"] = "".join(lines).encode()
    archive.files[f"{archive.dists}/main/debian-installer/binary-amd64/Packages"] = b""
    archive.publish()
    return archive


def lay_site(root: Path, url: str, keyring: Path) -> Site:
    site = Site(root)
    site.profiles.mkdir(parents=True)
    (root / "files").mkdir()
    (root / "files" / "tool").write_text("#!/bin/sh\n")
    (site.profiles / "site.yaml").write_text(
        f"mirror: http://mirror.example.org\nproxy: {url}\nkeyring: {keyring}\nvolume_group: vg0\n"
    )
    (site.profiles / "web1.yaml").write_text(GUEST)
    return site


@pytest.fixture
def bench(keys: Keys, tmp_path: Path) -> Iterator[Bench]:
    archive = toy_archive(keys)
    keyring = keys.keyring(tmp_path / "keyring.gpg", "archive")
    with served(archive.files) as server:
        yield Bench(lay_site(tmp_path / "site", server.url, keyring), archive, server, Listener())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_set_is_complete_and_the_manifest_names_each_file(bench: Bench) -> None:
    built = bench.build()
    found = contents(built.folder)
    assert set(found) == ARTEFACTS | {"manifest.json"}
    manifest = parse_manifest(found["manifest.json"].decode(), "manifest.json")
    assert {name: out.sha256 for name, out in manifest.outputs.items()} == {
        name: digest(data) for name, data in found.items() if name != "manifest.json"
    }
    assert manifest.inputs["installer"]["kernel_abi"] == ABI


def test_the_initrd_is_ours_in_front_of_the_archives_own(bench: Bench) -> None:
    data = (bench.build().folder / "initrd.gz").read_bytes()
    base = toy_initrd()
    assert data.endswith(base)
    front, rest = read_segments(io.BytesIO(data), len(data))
    assert (rest.kind, rest.size) == ("gzip", len(base))
    modes = {entry.name: entry.mode & 0o777 for entry in front.entries}
    assert modes["preseed.cfg"] == 0o600
    assert modes["domu-files/tool"] == 0o700


def test_what_holds_secrets_is_the_owners_alone(bench: Bench) -> None:
    old = os.umask(0)
    try:
        folder = bench.build().folder
    finally:
        os.umask(old)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    holders = {name for name, data in contents(folder).items() if b"$6$" in data}
    assert holders == {"preseed.cfg", "initrd.gz"}
    assert all((folder / name).stat().st_mode & 0o777 == 0o600 for name in holders)
    assert not [name for name, data in contents(bench.site.cache).items() if b"canary" in data]
    assert "canary" not in "".join(bench.listener.said)


def test_a_second_build_makes_and_asks_nothing(bench: Bench) -> None:
    first = bench.build()
    asked = len(bench.server.asked)
    inode = (first.folder / "initrd.gz").stat().st_ino
    second = bench.build()
    assert not second.fresh
    assert len(bench.server.asked) == asked
    assert (second.folder / "initrd.gz").stat().st_ino == inode


def test_force_builds_again_and_the_bytes_are_the_same(bench: Bench) -> None:
    before = contents(bench.build().folder)
    again = bench.build(force=True)
    assert again.fresh
    assert contents(again.folder) == before


def test_another_folder_clock_zone_and_umask_give_the_same_bytes(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = contents(bench.build().folder)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    monkeypatch.chdir(tmp_path)
    keyring = tmp_path / "keyring.gpg"
    other = Bench(lay_site(tmp_path / "elsewhere", bench.server.url, keyring), bench.archive, bench.server, Listener())
    old = os.umask(0o077)
    try:
        second = contents(other.build().folder)
    finally:
        os.umask(old)
        monkeypatch.undo()
        time.tzset()
    assert second == first


@pytest.mark.parametrize(
    "change",
    [
        lambda bench: bench.profile(GUEST + "packages: [vim]\n"),
        lambda bench: (bench.site.root / "files" / "tool").write_text("#!/bin/sh\ntrue\n"),
        lambda bench: (
            (bench.site.root / "preseeds").mkdir()
            or (bench.site.preseeds / "clock.j2").write_text("d-i clock-setup/utc boolean true\n")
        ),
        lambda bench: bench.profile(GUEST.replace("canary", "other")),
        lambda bench: (bench.site.build / "web1" / "web1.cfg").write_text("name = 'x'\n"),
        lambda bench: (bench.site.build / "web1" / "vmlinuz").unlink(),
        lambda bench: (bench.site.build / "web1" / "manifest.json").write_text("{}"),
    ],
    ids=["profile", "carried file", "template", "secret", "artefact edited", "artefact gone", "manifest spoilt"],
)
def test_a_change_of_any_input_or_output_builds_again(bench: Bench, change: object) -> None:
    assert callable(change)
    bench.build()
    change(bench)
    assert bench.build().fresh
    assert not bench.build().fresh


def test_what_is_cached_builds_without_a_network(bench: Bench) -> None:
    bench.build()
    bench.profile(GUEST + "packages: [vim]\n")
    asked = len(bench.server.asked)
    assert bench.build(offline=True).fresh
    assert len(bench.server.asked) == asked


def test_a_mirror_that_is_down_does_not_stop_what_is_cached(bench: Bench) -> None:
    bench.build()
    bench.profile(GUEST + "packages: [vim]\n")
    bench.server.always("dists/trixie/InRelease", lambda handler, _body: handler.fail(404))
    assert bench.build().fresh
    assert any("udebs were not looked at" in line for line in bench.listener.said)


def test_all_errors_of_all_guests_are_shown_and_nothing_is_written(bench: Bench) -> None:
    bench.profile(GUEST.replace("1G", "lots"))
    (bench.site.profiles / "web2.yaml").write_text(GUEST + "disk: {size: 100M}\n")
    with pytest.raises(RefusalError) as caught:
        bench.build()
    assert len({finding.guest or finding.place.file for finding in caught.value.findings}) >= 2
    assert not bench.site.build.exists()
    assert not bench.server.asked


def test_a_missing_secret_refuses(bench: Bench) -> None:
    with pytest.raises(RefusalError, match="nothing was built") as caught:
        build(bench.site, BuildOrder(), progress=bench.listener, now=NOW, environment={})
    assert "ALEX_HASH" in str(caught.value.findings[0])


def test_a_strangers_folder_is_left_alone(bench: Bench) -> None:
    folder = bench.site.build / "web1"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(BuilderError, match="is no build of domu"):
        bench.build(force=True)
    assert contents(folder) == {"thesis.txt": b"mine"}


def test_an_unknown_guest_is_answered_with_the_near_one(bench: Bench) -> None:
    with pytest.raises(BuilderError, match="there is no guest 'wbe1'") as caught:
        bench.build("wbe1")
    assert "web1" in caught.value.hint


def test_a_manifest_reads_back_what_was_written(bench: Bench) -> None:
    manifest = bench.build().manifest
    assert parse_manifest(render_manifest(manifest), "x") == manifest
    changed = json.loads(render_manifest(manifest))
    changed["inputs"]["suite"] = "sid"
    with pytest.raises(BuilderError, match="was changed"):
        parse_manifest(json.dumps(changed), "x")


@pytest.mark.parametrize("delay", [number / 20 for number in range(8, 32, 2)])
def test_a_killed_build_leaves_nothing_half_written(bench: Bench, delay: float) -> None:
    domu = [str(Path(sys.executable).with_name("domu")), "--site", str(bench.site.root), "build", "--force"]
    environment = os.environ | {"ALEX_HASH": HASH}
    with subprocess.Popen(domu, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
    folder = bench.site.build / "web1"
    if folder.exists():
        found = contents(folder)
        outputs = parse_manifest(found.pop("manifest.json").decode(), "manifest.json").outputs
        assert {name: out.sha256 for name, out in outputs.items()} == {
            name: digest(data) for name, data in found.items()
        }
    bench.build(force=True)
    assert {path.name for path in bench.site.build.iterdir()} == {"web1"}
