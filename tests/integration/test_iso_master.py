"""`domu iso master` and `cidata` from a signed toy archive; the images as xorriso, sgdisk and fsck.fat see them."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.cli.app import call, load_commands
from builder.errors import BuilderError, RefusalError
from builder.host.run import Completed, run
from builder.host.site import Site
from builder.image.initrd import HEAD, front_length
from builder.workflows.iso import verify
from builder.workflows.iso_master import Mastered, MasterOrder, master
from tests.archive import NOW, Keys, Server, served, sha256
from tests.discs import files_on
from tests.faults import Listener
from tests.loaders import lay_loaders
from tests.netboot import Build, NetbootArchive
from tests.profiles import HASH, KEY

BUILD = Build.make()


@dataclass
class Bench:
    """A site with one guest beside an archive with netboot media and boot loaders."""

    site: Site
    archive: NetbootArchive
    server: Server
    listener: Listener

    def master(
        self, output: Path | None = None, *, delay: int = 5, arguments: tuple[str, ...] = (), offline: bool = False
    ) -> Mastered:
        order = MasterOrder("web1", output, delay, arguments, offline=offline)
        return master(self.site, order, progress=self.listener, now=NOW, environment={"ALEX_HASH": HASH})


def lay_site(root: Path, url: str, keyring: Path) -> Site:
    site = Site(root)
    site.profiles.mkdir(parents=True)
    (site.profiles / "web1.yaml").write_text(
        f"mirror: http://mirror.example.org\nproxy: {url}\nkeyring: {keyring}\nvolume_group: vg0\nsuite: trixie\n"
        f"memory: 1G\nnics: [{{bridge: xenbr0}}]\nssh_keys: ['{KEY}']\nroot: {{password: {HASH}}}\n"
        "users: [{name: alex, password: {env: ALEX_HASH}}]\n"
    )
    return site


@pytest.fixture
def bench(keys: Keys, tmp_path: Path) -> Iterator[Bench]:
    archive = NetbootArchive(keys, tmp_path)
    archive.lay(BUILD)
    lay_loaders(archive, tmp_path / "debs")
    archive.publish()
    keyring = keys.keyring(tmp_path / "keyring.gpg", "archive")
    with served(archive.files) as server:
        yield Bench(lay_site(tmp_path / "site", server.url, keyring), archive, server, Listener())


def tool(*argv: str, status: int = 0) -> Completed:
    """Run one of the programs that judge the image."""
    path = shutil.which(argv[0], path="/usr/sbin:/sbin:/usr/bin:/bin")
    if path is None:
        pytest.fail(f"{argv[0]} is not installed; apt-get install xorriso gdisk dosfstools mtools")
    done = run([path, *argv[1:]])
    assert done.status == status, done.complaint
    return done


def test_the_image_is_sound_private_and_carries_the_preseed(bench: Bench) -> None:
    done = bench.master()
    assert done.path == bench.site.build / "web1-netboot.iso"
    assert done.path.stat().st_mode & 0o777 == 0o600
    assert (done.sha256, done.size) == (sha256(done.path.read_bytes()), done.path.stat().st_size)
    seen = verify(done.path, progress=bench.listener)
    assert seen.findings == ()
    content = files_on(done.path.read_bytes())
    assert content["install.amd/vmlinuz"] == BUILD.media["linux"]
    assert content["install.amd/original.gz"] == BUILD.media["initrd.gz"]
    whole = content["install.amd/initrd.gz"]
    assert whole[front_length(whole[:HEAD]) :] == BUILD.media["initrd.gz"]
    assert HASH.encode() in whole
    assert b"/domu/early.sh" in whole or b"preseed/late_command" in whole
    assert done.installer_version == BUILD.version
    assert done.loaders == dict.fromkeys(("shim-signed", "grub-efi-amd64-signed", "isolinux", "syslinux-common"), "1.0")


def test_xorriso_sgdisk_and_fsck_find_nothing_wrong(bench: Bench, tmp_path: Path) -> None:
    image = str(bench.master().path)
    done = tool("xorriso", "-indev", image, "-report_el_torito", "plain", "-report_system_area", "plain")
    assert not re.search("FAILURE|SORRY|WARNING", done.stderr.decode())
    report = done.text
    assert "El Torito img opts :   1  boot-info-table" in report
    assert re.search(r"System area summary: .*cyl-align-on GPT", report)
    assert "GPT partition path :   2  /boot/grub/efi.img" in report
    assert "UEFI  y   none" in report
    # Status 2: no MBR partition is of type EE. Debian's own images have none either, as some BIOSes start such not.
    assert "No problems found." in tool("sgdisk", "-v", image, status=2).text
    tool("xorriso", "-osirrox", "on", "-indev", image, "-extract", "/", str(tmp_path / "tree"))
    assert tool("fsck.fat", "-n", str(tmp_path / "tree/boot/grub/efi.img")).stderr == b""
    listed = tool("mdir", "-/", "-b", "-i", str(tmp_path / "tree/boot/grub/efi.img"), "::").text
    assert "::/EFI/BOOT/BOOTX64.EFI" in listed
    assert "::/EFI/DEBIAN/GRUB.CFG" in listed


def test_grub_finds_its_menu_by_a_file_that_no_other_image_has(bench: Bench) -> None:
    content = files_on(bench.master().path.read_bytes())
    (mark,) = (path for path in content if path.startswith(".disk/id/"))
    assert f"search --file --set=root /{mark}\n".encode() in content["boot/grub/efi.img"]


def test_another_folder_clock_zone_and_umask_give_the_same_bytes(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.master().path.read_bytes()
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    monkeypatch.chdir(tmp_path)
    bench.site = lay_site(tmp_path / "elsewhere", bench.server.url, tmp_path / "keyring.gpg")
    old = os.umask(0o077)
    try:
        second = bench.master(tmp_path / "other.iso").path.read_bytes()
    finally:
        os.umask(old)
        monkeypatch.undo()
        time.tzset()
    assert first == second


def test_offline_what_was_had_before_serves(bench: Bench) -> None:
    first = bench.master().path.read_bytes()
    asked = len(bench.server.asked)
    assert bench.master(offline=True).path.read_bytes() == first
    assert len(bench.server.asked) == asked


def test_offline_without_loaders_says_what_to_do(bench: Bench) -> None:
    bench.master()
    shutil.rmtree(bench.site.cache / "notes" / "loaders")
    with pytest.raises(BuilderError) as refused:
        bench.master(offline=True)
    assert "run it once without --offline" in str(refused.value)


def test_menus_say_what_was_asked_for(bench: Bench) -> None:
    content = files_on(bench.master(delay=33, arguments=("console=ttyS1", "nomodeset")).path.read_bytes())
    assert b"timeout 330\n" in content["isolinux/isolinux.cfg"]
    assert b"set timeout=33\n" in content["boot/grub/grub.cfg"]
    assert content["boot/grub/grub.cfg"].count(b"console=ttyS1 nomodeset") == 2


@pytest.mark.parametrize(("delay", "argument"), [(-1, "quiet"), (5, "a;b"), (5, '"')])
def test_what_menus_cannot_say_is_refused_before_anything_is_fetched(bench: Bench, delay: int, argument: str) -> None:
    with pytest.raises(BuilderError, match=r"delay|argument"):
        bench.master(delay=delay, arguments=(argument,))
    assert bench.server.asked == []
    assert not bench.site.build.exists()


def test_an_archive_without_a_loader_is_refused(bench: Bench) -> None:
    bench.archive.lay(BUILD)
    bench.archive.publish()
    with pytest.raises(BuilderError, match="has no package grub-efi-amd64-signed, isolinux, shim-signed"):
        bench.master()


def test_a_package_without_its_file_is_refused(bench: Bench, tmp_path: Path) -> None:
    lay_loaders(bench.archive, tmp_path / "broken", version="2.0", without="isohdpfx.bin")
    bench.archive.publish()
    with pytest.raises(BuilderError, match=r"does not hold usr/lib/ISOLINUX/isohdpfx\.bin"):
        bench.master()
    assert not list(bench.site.root.rglob("*.iso"))


def test_newer_loaders_are_taken_and_told(bench: Bench, tmp_path: Path) -> None:
    first = bench.master().path.read_bytes()
    lay_loaders(bench.archive, tmp_path / "newer", version="1.10")
    bench.archive.publish()
    done = bench.master()
    assert set(done.loaders.values()) == {"1.10"}
    assert done.path.read_bytes() != first


def test_a_guest_with_errors_gets_no_image(bench: Bench) -> None:
    with (bench.site.profiles / "web1.yaml").open("a") as profile:
        profile.write("bootloader: firmware\n")
    with pytest.raises(RefusalError):
        bench.master()
    assert bench.server.asked == []


@pytest.fixture
def cli(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The same bench for commands, which find everything in the environment."""
    load_commands()
    monkeypatch.setenv("ALEX_HASH", HASH)
    monkeypatch.setenv("DOMU_SITE", str(bench.site.root))
    return bench


def test_the_command_tells_what_it_made(cli: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.iso"
    assert call(["iso", "master", "--guest", "web1", "--output", str(out), "--delay", "0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sha256"] == sha256(out.read_bytes())
    assert told["loaders"]["isolinux"] == "1.0"
    assert call(["iso", "verify", str(out)]) == 0
    assert "starts by itself" in capsys.readouterr().out


def test_the_seed_is_private_and_no_secret_is_shown(
    cli: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["iso", "cidata", "--guest", "web1"]) == 0
    path = cli.site.build / "web1-cidata.iso"
    said = capsys.readouterr()
    assert said.out == f"{path}: 48.0 KiB\n  sha256 {sha256(path.read_bytes())}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert HASH.encode() in files_on(path.read_bytes())["user-data"]
    assert "$6$" not in said.out + said.err
    tool("xorriso", "-indev", str(path), "-find")
    assert "Volume id    : 'cidata'" in tool("xorriso", "-indev", str(path), "-toc").stderr.decode()


def test_a_seed_for_nobody(cli: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["iso", "cidata", "--guest", "web2"]) == 1
    assert "did you mean 'web1'" in capsys.readouterr().err
