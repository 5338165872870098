"""`media: iso` with an ISO fetched from a toy mirror of CD images on loopback, its SHA256SUMS signed by a real key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.errors import BuilderError, RefusalError
from builder.host.site import Site
from builder.image.initrd import HEAD, front_length
from builder.workflows.build import BuildOrder, BuildRun, build
from builder.workflows.iso import verify
from tests.archive import NOW, Keys, Server, flip, served, sha256
from tests.cacher import Cacher, free_port, running_cacher
from tests.discs import FOLDER, disc, installer_disc, lay_images
from tests.faults import Listener
from tests.profiles import HASH, KEY

NAME = "debian-13.1.0-amd64-netinst.iso"
OLDER = "debian-13.0.0-amd64-netinst.iso"
ISO, OLD_ISO = installer_disc("13.1.0"), installer_disc("13.0.0")
SUMS, SIGNATURE = f"{FOLDER}/SHA256SUMS", f"{FOLDER}/SHA256SUMS.sign"


@dataclass
class Bench:
    """A site with one guest beside the mirror, and what was said."""

    site: Site
    server: Server
    keys: Keys
    listener: Listener = field(default_factory=Listener)

    def guest(self, *lines: str, iso: str = "auto", mirror: str = "") -> None:
        url = mirror or f"{self.server.url}/{FOLDER}"
        own = ["suite: trixie", "memory: 1G", "volume_group: vg0", "nics: [{bridge: xenbr0}]", "media: iso"]
        own += [f"ssh_keys: ['{KEY}']"]
        own += ["mirror: http://mirror.example.org/debian", f"iso: {iso}", "iso_keyring: keyring.gpg"]
        own += [f"iso_mirror: {url}"] if iso == "auto" else []
        own += [] if any(line.startswith("proxy:") for line in lines) else ["proxy: none"]
        (self.site.profiles / "web1.yaml").write_text("\n".join([*own, *lines, ""]))

    def images(self, *names: str, by: str = "archive") -> None:
        every = {NAME: ISO, OLDER: OLD_ISO}
        lay_images(self.server.files, self.keys, {name: every[name] for name in names or (NAME,)}, by=by)

    def build(self, *, offline: bool = False) -> BuildRun:
        order = BuildOrder(offline=offline)
        return build(self.site, order, progress=self.listener, now=NOW, environment={})

    def built(self, name: str) -> bytes:
        return (self.site.build / "web1" / name).read_bytes()


@pytest.fixture
def bench(keys: Keys, tmp_path: Path) -> Iterator[Bench]:
    site = Site(tmp_path / "site")
    site.profiles.mkdir(parents=True)
    keys.keyring(site.root / "keyring.gpg", "archive")
    with served({}, free_port()) as server:  # one that apt-cacher-ng can reach
        made = Bench(site, server, keys)
        made.images()
        made.guest()
        yield made


def part_of(image: bytes, path: str) -> bytes:
    """A file of an image, by its place in it."""
    from io import BytesIO

    from builder.image.iso import read_extent, read_installer

    found = read_installer(BytesIO(image), "amd64")
    return read_extent(BytesIO(image), {"vmlinuz": found.kernel, "initrd.gz": found.initrd}[path])


def test_the_netinst_is_fetched_its_xen_kernel_taken_and_the_iso_attached(bench: Bench) -> None:
    run = bench.build()
    assert [finding.code for finding in run.findings] == ["X107"]  # the toy's kernel is none
    assert bench.built("vmlinuz") == part_of(ISO, "vmlinuz")
    assert bench.built("initrd.gz").endswith(part_of(ISO, "initrd.gz"))
    assert bench.built("installer.iso") == ISO
    assert run.built[0].manifest.inputs["installer"]["iso"] == sha256(ISO)
    assert "devtype=cdrom,target=/var/lib/domu/web1/installer.iso" in bench.built("web1.install.cfg").decode()


def test_an_hvm_guest_boots_the_iso_which_carries_its_preseed(bench: Bench) -> None:
    bench.guest("type: hvm", "root: {password: " + HASH + "}")
    folder = bench.build().built[0].folder
    assert 'boot = "d"' in bench.built("web1.install.cfg").decode()
    assert "kernel" not in bench.built("web1.install.cfg").decode()
    seen = verify(folder / "installer.iso", progress=bench.listener)
    assert seen.findings == ()
    assert any(check.what == "preseed" and check.there for check in seen.checks)
    initrd = part_of(bench.built("installer.iso"), "initrd.gz")
    assert initrd[: front_length(initrd[:HEAD])] in bench.built("initrd.gz")
    assert (folder / "installer.iso").stat().st_mode & 0o777 == 0o600


def test_the_newest_of_several_is_taken_and_others_are_left_alone(bench: Bench) -> None:
    lay_images(
        bench.server.files,
        bench.keys,
        {
            OLDER: OLD_ISO,
            NAME: ISO,
            "debian-edu-13.9.0-amd64-netinst.iso": b"edu",
            "debian-12.13.0-amd64-netinst.iso": b"12",
        },
    )
    bench.build()
    assert bench.built("installer.iso") == ISO
    assert {path for path, _ in bench.server.asked} == {f"{FOLDER}/{NAME}", SUMS, SIGNATURE}


def test_an_image_without_a_xen_folder_gives_its_plain_installer(bench: Bench) -> None:
    plain = installer_disc(xen=False)
    lay_images(bench.server.files, bench.keys, {NAME: plain})
    bench.build()
    assert bench.built("vmlinuz") == part_of(plain, "vmlinuz")


def test_a_pinned_one_is_fetched_by_its_digest_and_then_without_a_network(bench: Bench) -> None:
    bench.images(NAME, OLDER)
    bench.guest(f"iso_sha256: {sha256(OLD_ISO)}")
    bench.build()
    assert bench.built("installer.iso") == OLD_ISO
    asked = len(bench.server.asked)
    (bench.site.build / "web1" / "installer.iso").unlink()
    bench.build()
    assert bench.built("installer.iso") == OLD_ISO
    assert len(bench.server.asked) == asked


def test_offline_the_last_one_serves(bench: Bench) -> None:
    bench.build()
    asked = len(bench.server.asked)
    assert not bench.build(offline=True).built[0].fresh
    assert len(bench.server.asked) == asked


def test_offline_with_an_empty_cache_says_so(bench: Bench) -> None:
    with pytest.raises(BuilderError, match="this run is offline"):
        bench.build(offline=True)


def test_a_pinned_one_that_is_not_listed_is_refused(bench: Bench) -> None:
    bench.guest(f"iso_sha256: '{'0' * 64}'")
    with pytest.raises(BuilderError, match="no ISO there has the pinned SHA-256"):
        bench.build()


def test_a_mirror_that_falls_back_to_an_older_release_is_refused(bench: Bench) -> None:
    bench.build()
    bench.images(OLDER)
    with pytest.raises(BuilderError, match=rf"shows {OLDER}, though {NAME} was already had"):
        bench.build()


def test_an_iso_with_a_flipped_bit_never_gets_into_the_cache(bench: Bench) -> None:
    bench.server.files[f"{FOLDER}/{NAME}"] = flip(ISO)
    with pytest.raises(BuilderError, match="has the wrong content"):
        bench.build()
    assert not (bench.site.build / "web1").exists()
    assert not [path for path in (bench.site.cache / "sha256").rglob("*") if path.is_file()]


def test_a_spoilt_copy_in_a_cacher_is_healed(bench: Bench) -> None:
    bench.server.spoilt = {f"{FOLDER}/{NAME}": flip(ISO), SUMS: b"0" * 64 + b"  x.iso\n"}
    bench.build()
    assert bench.built("installer.iso") == ISO
    assert sum("asking once more past every cache" in line for line in bench.listener.said) == 2


def _strip(bench: Bench) -> None:
    bench.server.files[SIGNATURE] = b""


def _reword(bench: Bench) -> None:
    bench.server.files[SUMS] += b"0" * 64 + b"  debian-13.9.0-amd64-netinst.iso\n"


def _wrap(bench: Bench) -> None:
    """A whole signed message, of other text, by the right key."""
    bench.server.files[SIGNATURE] = bench.keys.sign(b"other text\n", "archive")


def _two(bench: Bench) -> None:
    """The right signature, and a wrong one behind it."""
    bench.server.files[SIGNATURE] += bench.keys.detach(b"other text\n", "archive")


def _late(bench: Bench) -> None:
    """By a key that was good then and has run out since."""
    bench.keys.keyring(bench.site.root / "keyring.gpg", "archive", "expired")
    lay_images(bench.server.files, bench.keys, {NAME: ISO}, by="expired", at="20200601T000000")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_strip, "is not signed at all"),
        (_reword, "was changed after key"),
        (_wrap, "is not signed"),
        (_two, "is not signed as it must be|was changed"),
        (lambda bench: bench.images(by="stranger"), "is not in the keyring"),
        (_late, "has expired"),
    ],
    ids=["no-signature", "changed", "a-message-of-its-own", "two-signatures", "stranger", "expired"],
)
def test_sums_that_nobody_vouches_for_are_not_used(bench: Bench, spoil: object, why: str) -> None:
    assert callable(spoil)
    spoil(bench)
    with pytest.raises(BuilderError, match=why):
        bench.build()
    assert f"{FOLDER}/{NAME}" not in {path for path, _ in bench.server.asked}


def test_no_keyring_names_the_package(bench: Bench) -> None:
    (bench.site.root / "keyring.gpg").unlink()
    with pytest.raises(BuilderError) as refused:
        bench.build()
    assert "apt-get install debian-keyring" in str(refused.value)


def test_a_folder_without_sums_says_what_iso_mirror_is(bench: Bench) -> None:
    bench.guest(mirror=f"{bench.server.url}/debian-cd")
    with pytest.raises(BuilderError) as refused:
        bench.build()
    assert refused.value.hint == "iso_mirror is the folder that holds SHA256SUMS and SHA256SUMS.sign"


def test_another_suites_image_is_no_netinst_for_this_guest(bench: Bench) -> None:
    lay_images(bench.server.files, bench.keys, {"debian-12.13.0-amd64-netinst.iso": ISO})
    with pytest.raises(BuilderError, match="no netinst ISO of trixie for amd64, but debian-12"):
        bench.build()


def test_what_is_no_installer_is_refused_though_it_is_signed(bench: Bench) -> None:
    lay_images(bench.server.files, bench.keys, {NAME: disc({"readme": b"x"})})
    with pytest.raises(BuilderError, match="no installer for amd64"):
        bench.build()


def test_an_image_that_names_another_suite_is_told(bench: Bench) -> None:
    image = installer_disc("12.13.0", suite="Bookworm")
    (bench.site.root / "own.iso").write_bytes(image)
    bench.guest(f"iso_sha256: {sha256(image)}", iso="own.iso")
    assert [finding.code for finding in bench.build().findings] == ["I301", "X107"]


def test_auto_needs_a_mirror_and_a_mirror_needs_auto(bench: Bench) -> None:
    text = (bench.site.profiles / "web1.yaml").read_text()
    (bench.site.profiles / "web1.yaml").write_text(text.replace("iso_mirror:", "#"))
    with pytest.raises(RefusalError) as refused:
        bench.build()
    assert [(finding.code, finding.message) for finding in refused.value.findings] == [
        ("P104", "iso: auto needs iso_mirror")
    ]


def through(bench: Bench, cacher: Cacher, form: str) -> None:
    if form == "proxy":
        bench.guest(f"proxy: {cacher.url}")
    else:
        bench.guest(mirror=f"{cacher.through(bench.server.url)}/{FOLDER}")


@pytest.mark.parametrize("form", ["proxy", "path"])
def test_an_apt_cacher_ng_that_may_keeps_the_iso(bench: Bench, tmp_path: Path, form: str) -> None:
    settings = (r"PfilePatternEx: .*\.iso$", r"VfilePatternEx: .*/SHA256SUMS(\.sign)?$")  # as docs/fetching.md has them
    with running_cacher(tmp_path / "acng", settings=settings) as cacher:
        through(bench, cacher, form)
        bench.build()
        assert cacher.kept(NAME).read_bytes() == bench.built("installer.iso") == ISO
    assert not [line for line in bench.listener.said if "403" in line]


@pytest.mark.parametrize("form", ["proxy", "path"])
def test_where_apt_cacher_ng_refuses_isos_the_mirror_itself_is_asked(bench: Bench, tmp_path: Path, form: str) -> None:
    with running_cacher(tmp_path / "acng") as cacher:
        through(bench, cacher, form)
        bench.build()
    assert bench.built("installer.iso") == ISO
    refused = [line for line in bench.listener.said if "403" in line]
    assert len(refused) == 2
    assert all(line.endswith("; asking the mirror itself") for line in refused)
