"""Repacked images before outside judges: xorriso and sgdisk on boot records, bsdtar on every file."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pycdlib
import pytest

from builder.errors import BuilderError, RefusalError
from builder.host.known_initrds import KnownInitrds
from builder.host.run import run
from builder.image import cpio, initrd
from builder.image.initrd import InitrdPayload
from builder.image.iso import plan
from builder.image.iso.plan import NeedsFullRewriteError
from builder.image.iso.records import walk
from builder.image.iso.volume import SECTOR, pack_both32, read_volume
from builder.progress import Silence
from builder.workflows import iso as workflow
from builder.workflows.iso import Repacked, Wish, repack, verify
from tests import images
from tests.archive import noise
from tests.faults import Listener

PRESEED = b"d-i debconf/priority string critical\n"
WISH = Wish({"/preseed.cfg": InitrdPayload(PRESEED, 0o600)}, guest="web1")
LARGE = replace(WISH, payloads={**WISH.payloads, "/domu/large": InitrdPayload(noise("large", 900_000))})
MAKERS: dict[str, Callable[[Path], Path]] = {"netinst": images.netinst, "mini": images.mini, "arm64": images.arm64}
CHANGED = ("initrd.gz", "isolinux.cfg", "boot/grub/grub.cfg", "md5sum.txt")
BOOT = ("boot.cat", "boot.catalog", "isolinux.bin")  # a full rewrite moves what they tell of


@pytest.fixture(scope="module", params=MAKERS)
def iso(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MAKERS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def netinst(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images.netinst(tmp_path_factory.mktemp("netinst"))


def do(iso: Path, output: Path, wish: Wish = WISH) -> Repacked:
    known = KnownInitrds(output.parent / "known")
    return repack(
        iso, replace(wish, arch="arm64" if "arm64" in iso.name else "amd64"), output, known=known, progress=Silence()
    )


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def unpacked(iso: Path, folder: Path) -> dict[str, str]:
    """Every path with type, mode, time and content, as bsdtar finds them."""
    folder.mkdir()
    done = run(["bsdtar", "-xpf", str(iso), "-C", str(folder)])
    assert done.status == 0, done.complaint
    assert not done.stderr, done.complaint
    found = {}
    for path in folder.rglob("*"):
        about = path.lstat()
        content = path.readlink() if path.is_symlink() else digest(path) if path.is_file() else ""
        found[path.relative_to(folder).as_posix()] = f"{about.st_mode:o} {about.st_mtime:.0f} {about.st_uid} {content}"
    shutil.rmtree(folder, ignore_errors=True)
    return found


def joliet(iso: Path) -> dict[str, tuple[int, ...]]:
    """Path and extents of the Joliet tree, as xorriso reports them."""
    argv = ["xorriso", "-read_fs", "norock", "-indev", str(iso), "-find", "/", "-type", "f", "-exec", "report_lba"]
    lines = run(argv).text.splitlines()
    rows = [re.match(r"File data lba: +(\d+) , +(\d+) , +(\d+) , +(\d+) , '(.+)'$", line) for line in lines]
    return {row[5]: tuple(int(row[number]) for number in range(2, 5)) for row in rows if row}


def content(iso: Path, path: str) -> bytes:
    """A file's, as xorriso reads it."""
    target = iso.parent / f"{iso.name}.extracted"
    target.unlink(missing_ok=True)
    assert run(["xorriso", "-osirrox", "on", "-indev", str(iso), "-extract", path, str(target)]).status == 0
    data = target.read_bytes()
    target.unlink()
    return data


def reported(iso: Path) -> list[str]:
    """xorriso's view of boot records, without what sizes and places do to numbers."""
    done = run(["xorriso", "-indev", str(iso), "-report_el_torito", "plain", "-report_system_area", "plain"])
    assert done.status == 0, done.complaint
    complaints = [line for line in done.stderr.decode().splitlines() if re.search("FAILURE|SORRY|WARNING", line)]
    assert not complaints
    return [re.sub(r" +(\d+\b)?", " ", line) for line in done.text.splitlines()]


def sgdisk(iso: Path) -> list[str]:
    done = run(["sgdisk", "-v", str(iso)])
    return [re.sub(r"\d+", "N", line) for line in (done.stdout + done.stderr).decode().splitlines()]


@pytest.mark.parametrize("wish", [WISH, LARGE], ids=["fits", "grows"])
def test_boot_records_are_as_clean_as_before(iso: Path, tmp_path: Path, wish: Wish) -> None:
    done = do(iso, tmp_path / iso.name, wish)
    assert reported(tmp_path / iso.name) == reported(iso)
    assert sgdisk(tmp_path / iso.name) == sgdisk(iso)
    assert (done.added > 0) == (wish is LARGE or "netinst" not in iso.name)


@pytest.mark.parametrize("wish", [WISH, LARGE], ids=["fits", "grows"])
def test_every_other_file_is_the_same(iso: Path, tmp_path: Path, wish: Wish) -> None:
    do(iso, tmp_path / iso.name, wish)
    before, after = unpacked(iso, tmp_path / "old"), unpacked(tmp_path / iso.name, tmp_path / "new")
    (original,) = after.keys() - before.keys()
    assert original.endswith("original.gz")
    assert {path for path in before if before[path] != after[path]} == {
        path for path in before if path.endswith(CHANGED) and (path != "md5sum.txt" or "mini" not in iso.name)
    }
    text = original.replace("original.gz", "initrd.gz")
    assert after[original] == before[text]  # mode, time and content


def test_joliet_shows_the_same_files(iso: Path, tmp_path: Path) -> None:
    do(iso, tmp_path / iso.name, LARGE)
    old, new = joliet(iso), joliet(tmp_path / iso.name)
    assert len(old) > 5
    (original,) = new.keys() - old.keys()
    assert original.endswith("/original.gz")
    assert old.keys() <= new.keys()
    argv = [
        "xorriso",
        "-read_fs",
        "norock",
        "-osirrox",
        "on",
        "-indev",
        str(tmp_path / iso.name),
        "-extract",
        "/",
        str(tmp_path / "j"),
    ]
    assert run(argv).status == 0
    by_rock_ridge = unpacked(tmp_path / iso.name, tmp_path / "rr")
    for path in (tmp_path / "j").rglob("*"):
        if path.is_file() and (seen := by_rock_ridge.get(path.relative_to(tmp_path / "j").as_posix())):
            assert seen.endswith(digest(path))


def test_the_initrds_are_our_segment_and_what_was_there(iso: Path, tmp_path: Path) -> None:
    done = do(iso, tmp_path / iso.name)
    front = initrd.segment(WISH.payloads)
    for path in done.initrds:
        assert content(tmp_path / iso.name, path) == front + content(iso, path)


def test_repacking_twice_is_repacking_once(iso: Path, tmp_path: Path) -> None:
    do(iso, tmp_path / iso.name)
    (tmp_path / "two").mkdir()
    do(tmp_path / iso.name, tmp_path / "two" / iso.name)
    assert digest(tmp_path / "two" / iso.name) == digest(tmp_path / iso.name)


def test_another_preseed_replaces_the_first(iso: Path, tmp_path: Path) -> None:
    do(iso, tmp_path / iso.name, LARGE)
    (tmp_path / "two").mkdir()
    do(tmp_path / iso.name, tmp_path / "two" / iso.name)
    assert verify(tmp_path / "two" / iso.name, progress=Silence()).findings == ()
    assert noise("large", 900_000)[:4096] in (tmp_path / iso.name).read_bytes()
    assert noise("large", 900_000)[:4096] not in (tmp_path / "two" / iso.name).read_bytes()


def test_two_runs_give_the_same_bytes(iso: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        do(iso, tmp_path / name / iso.name, LARGE)
    assert digest(tmp_path / "a" / iso.name) == digest(tmp_path / "b" / iso.name)


def test_the_result_is_its_owners_alone(iso: Path, tmp_path: Path) -> None:
    do(iso, tmp_path / iso.name)
    assert (tmp_path / iso.name).stat().st_mode & 0o777 == 0o600


def test_an_image_may_be_repacked_onto_itself(netinst: Path, tmp_path: Path) -> None:
    shutil.copy(netinst, tmp_path / "netinst.iso")
    do(tmp_path / "netinst.iso", tmp_path / "netinst.iso")
    (tmp_path / "b").mkdir()
    do(netinst, tmp_path / "b/netinst.iso")
    assert digest(tmp_path / "netinst.iso") == digest(tmp_path / "b/netinst.iso")


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the image had a reason not to be patched."""

    def refuse(*_arguments: object) -> None:
        raise NeedsFullRewriteError("the test says so")

    monkeypatch.setattr(workflow, "plan_repack", refuse)


@pytest.mark.usefixtures("forced")
def test_what_is_written_anew_is_as_clean(iso: Path, tmp_path: Path) -> None:
    said = Listener()
    done = repack(iso, WISH, tmp_path / iso.name, known=KnownInitrds(tmp_path / "known"), progress=said)
    assert done.way == "written anew"
    assert any("cannot be patched, as the test says so" in line for line in said.said)
    assert reported(tmp_path / iso.name) == reported(iso)
    assert sgdisk(tmp_path / iso.name) == sgdisk(iso)
    assert verify(tmp_path / iso.name, progress=Silence()).findings == ()
    before, after = unpacked(iso, tmp_path / "old"), unpacked(tmp_path / iso.name, tmp_path / "new")
    assert {path for path in before if before[path] != after.get(path)} <= {
        path for path in before if path.endswith((*CHANGED, *BOOT))
    }
    (tmp_path / "two").mkdir()
    do(iso, tmp_path / "two" / iso.name)
    assert digest(tmp_path / "two" / iso.name) == digest(tmp_path / iso.name)


def udf_bridge(path: Path) -> Path:
    """An installer image with UDF structures too, as only pycdlib makes one here."""
    tree = {
        "install.amd/vmlinuz": noise("linux", 5000),
        "install.amd/initrd.gz": images.toy_initrd("udf", 20_000),
        "boot/grub/grub.cfg": b"menuentry 'Install' { }\n",
        "readme.txt": b"hello\n",
    }
    made = pycdlib.PyCdlib()
    made.new(interchange_level=3, rock_ridge="1.09", joliet=3, udf="2.60", vol_ident="UDF")
    for folder, short in (("/install.amd", "/INSTALL"), ("/boot", "/BOOT"), ("/boot/grub", "/BOOT/GRUB")):
        name = folder.rpartition("/")[2]
        made.add_directory(short, rr_name=name, joliet_path=folder, udf_path=folder)
    for number, (name, data) in enumerate(tree.items()):
        folder, _, last = f"/{name}".rpartition("/")
        short = {"": "", "/install.amd": "/INSTALL", "/boot/grub": "/BOOT/GRUB"}[folder]
        there = f"{short}/F{number}.;1"
        made.add_fp(io.BytesIO(data), len(data), there, rr_name=last, joliet_path=f"/{name}", udf_path=f"/{name}")
    made.write(str(path))
    made.close()
    return path


def test_an_image_with_udf_is_written_anew(tmp_path: Path) -> None:
    iso, said = udf_bridge(tmp_path / "udf.iso"), Listener()
    done = repack(iso, WISH, tmp_path / "new.iso", known=KnownInitrds(tmp_path / "known"), progress=said)
    assert done.way == "written anew"
    assert "it has UDF structures, too; it is written anew" in said.said[0]
    assert content(tmp_path / "new.iso", "/install.amd/original.gz") == content(iso, "/install.amd/initrd.gz")
    assert content(tmp_path / "new.iso", "/readme.txt") == b"hello\n"
    assert verify(tmp_path / "new.iso", progress=Silence()).checks[0].detail.endswith("Joliet, UDF")
    read = pycdlib.PyCdlib()
    read.open(str(tmp_path / "new.iso"))
    out = io.BytesIO()
    read.get_file_from_iso_fp(out, udf_path="/install.amd/initrd.gz")
    read.close()
    assert out.getvalue() == content(tmp_path / "new.iso", "/install.amd/initrd.gz")


def with_menu_at(iso: Path, path: str) -> None:
    """Let the records of isolinux's menu, in all trees, point at another file's sectors."""
    with iso.open("r+b") as image:
        volume = read_volume(image)
        for tree in volume.descriptors:
            there = {one.path: one for one in walk(image, volume, tree)}
            image.seek(there["/isolinux/isolinux.cfg"].place + 2)
            image.write(pack_both32(there[path].extent))


@pytest.mark.parametrize("way", ["patched", "written anew"])
@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        pytest.param("/install.amd/xen/debian.cfg", "two files begin at sector", id="one that stays as it is"),
        pytest.param("/boot/grub/grub.cfg", "two files begin|shares its sectors", id="the other menu"),
    ],
)
def test_a_menu_that_lies_where_another_file_does_is_refused(
    tmp_path: Path, request: pytest.FixtureRequest, way: str, path: str, complaint: str
) -> None:
    if way == "written anew":
        request.getfixturevalue("forced")
    iso = images.netinst(tmp_path, images.small_tree())
    with_menu_at(iso, path)
    with pytest.raises(BuilderError, match=complaint):
        do(iso, tmp_path / "out.iso")
    assert not (tmp_path / "out.iso").exists()


def test_an_image_with_a_second_volume_is_refused(tmp_path: Path) -> None:
    iso = images.netinst(tmp_path, images.small_tree(), options=("-partition_offset", "16"))
    with pytest.raises(BuilderError, match="a second ISO volume"):
        do(iso, tmp_path / "out.iso")
    assert not (tmp_path / "out.iso").exists()


def tree_with(text: bytes) -> images.Tree:
    return images.netinst_tree(packages=1, text=text)


@pytest.mark.parametrize(
    ("files", "wish", "complaint"),
    [
        pytest.param(
            {"preseed.cfg": b"its own"}, WISH, "/preseed.cfg is in the base initrd", id="a preseed that would win"
        ),
        pytest.param({"domu/large/x": b""}, LARGE, "/domu/large|is a folder", id="a folder where our file would be"),
    ],
)
def test_what_would_not_arrive_is_refused(
    tmp_path: Path, files: Mapping[str, bytes], wish: Wish, complaint: str
) -> None:
    iso = images.netinst(tmp_path, tree_with(images.toy_initrd("text", extra=files)))
    (tmp_path / "out").mkdir()
    with pytest.raises(RefusalError) as refusal:
        do(iso, tmp_path / "out/new.iso", wish)
    assert re.search(complaint, "\n".join(map(str, refusal.value.findings)))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["known"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(b"no initrd " * 1000, "starts with nothing the kernel unpacks", id="no initrd"),
        pytest.param(images.toy_initrd("text")[:-20_000], "ends within its compressed part", id="a cut one"),
    ],
)
def test_a_damaged_initrd_is_told(tmp_path: Path, text: bytes, complaint: str) -> None:
    iso = images.netinst(tmp_path, tree_with(text))
    with pytest.raises(BuilderError, match=complaint):
        do(iso, tmp_path / "new.iso")
    assert not (tmp_path / "new.iso").exists()


def test_known_initrds_are_not_unpacked_again(netinst: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    do(netinst, tmp_path / "one.iso")
    assert len(list((tmp_path / "known").iterdir())) == 2
    monkeypatch.setattr(workflow, "read_initrd", None)
    do(netinst, tmp_path / "two.iso")
    assert digest(tmp_path / "one.iso") == digest(tmp_path / "two.iso")


def test_what_is_kept_of_known_initrds_is_not_believed_when_damaged(netinst: Path, tmp_path: Path) -> None:
    do(netinst, tmp_path / "one.iso")
    for number, path in enumerate((tmp_path / "known").iterdir()):
        path.write_bytes((b"noise", gzip.compress(b'{"version": 1}'))[number])
    do(netinst, tmp_path / "two.iso")
    assert digest(tmp_path / "one.iso") == digest(tmp_path / "two.iso")


def damaged(iso: Path, target: Path, path: str) -> Path:
    """A copy of the image with one byte of a file changed."""
    data = bytearray(iso.read_bytes())
    with iso.open("rb") as image:
        volume = read_volume(image)
        (place,) = (one.extent * SECTOR for one in walk(image, volume, volume.descriptors[0]) if one.path == path)
    data[place + 29] ^= 1
    data[place + 100] ^= 1
    target.write_bytes(data)
    return target


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        pytest.param("/dists/bookworm/Release", {"I211"}, id="a file"),
        pytest.param("/install.amd/gtk/initrd.gz", {"I211", "I214"}, id="an initrd"),
        pytest.param("/isolinux/isolinux.bin", {"I205"}, id="isolinux"),
        pytest.param("/isolinux/boot.cat", {"I200"}, id="the boot catalogue"),
    ],
)
def test_verify_finds_a_changed_byte(netinst: Path, tmp_path: Path, path: str, codes: set[str]) -> None:
    seen = verify(damaged(netinst, tmp_path / "bad.iso", path), progress=Silence())
    assert {finding.code for finding in seen.findings} == codes


def test_verify_finds_nothing_in_what_debians_tools_made(iso: Path) -> None:
    seen = verify(iso, progress=Silence())
    assert seen.findings == ()
    assert {check.what for check in seen.checks} >= {"volume", "El Torito", "MBR", "GPT", "md5sum.txt", "preseed"}


def many_names(folder: Path, names: Mapping[str, str]) -> Path:
    """A netinst in which files have further names, with md5sum.txt for all of them."""
    tree = images.netinst_tree(packages=1)
    tree.same |= names
    del tree.files["md5sum.txt"]
    tree.files["md5sum.txt"] = tree.sums()
    return images.netinst(folder, tree)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        pytest.param({f"x/{n}": "install.amd/initrd.gz" for n in range(60)}, "many times as large", id="to be summed"),
        pytest.param(
            {f"install.x{n}/initrd.gz": "install.amd/initrd.gz" for n in range(60)}, "more initrds", id="initrds"
        ),
    ],
)
def test_one_file_under_many_names_keeps_nobody_busy(tmp_path: Path, names: Mapping[str, str], complaint: str) -> None:
    (finding,) = verify(many_names(tmp_path, names), progress=Silence()).findings
    assert finding.code == "I200"
    assert complaint in finding.message


def test_md5sum_may_name_files_through_links(tmp_path: Path) -> None:
    """The test image has debian -> . and dists/stable -> bookworm."""
    tree = images.netinst_tree(packages=1)
    release = hashlib.md5(tree.files["dists/bookworm/Release"], usedforsecurity=False).hexdigest()
    lines = [
        f"{release}  ./{path}/Release\n"
        for path in ("dists/stable", "debian/dists/stable", "debian/debian/dists/bookworm")
    ]
    lines += [f"{'0' * 32}  ./debian/.disk/info\n", f"{release}  ./dists/stable/none\n"]
    tree.files["md5sum.txt"] += "".join(lines).encode()
    seen = verify(images.netinst(tmp_path, tree), progress=Silence())
    assert {(finding.code, finding.message) for finding in seen.findings} == {
        ("I211", "/.disk/info is not what md5sum.txt says"),
        ("I210", "md5sum.txt names /dists/stable/none, which is not there"),
    }


def test_verify_says_when_the_base_wins(tmp_path: Path) -> None:
    """Somebody packs a preseed of his own into an initrd that has ours in front, as old guides tell."""
    front = initrd.segment(WISH.payloads)
    text = front + images.toy_initrd("text", extra={"preseed.cfg": b"old"})
    iso = images.netinst(tmp_path, images.netinst_tree(packages=1, text=text, gtk=text))
    seen = verify(iso, progress=Silence())
    assert {finding.code for finding in seen.findings} == {"I213"}


def test_verify_says_when_initrds_differ(tmp_path: Path) -> None:
    text = initrd.segment(WISH.payloads) + images.toy_initrd("text")
    seen = verify(images.netinst(tmp_path, images.netinst_tree(packages=1, text=text)), progress=Silence())
    assert {finding.code for finding in seen.findings} == {"I212"}


def test_the_preseed_reaches_what_the_kernel_unpacks(netinst: Path, tmp_path: Path) -> None:
    """cpio itself reads the segment, as the kernel does first."""
    do(netinst, tmp_path / "new.iso")
    packed = content(tmp_path / "new.iso", "/install.amd/xen/initrd.gz")
    listed = run(["cpio", "--list", "--quiet"], stdin=packed).text.split()
    assert "preseed.cfg" in listed
    found = cpio.read_newc(io.BytesIO(packed[: len(initrd.segment(WISH.payloads))]))
    assert {entry.name: entry.data for entry in found}["preseed.cfg"] == PRESEED


def test_an_image_of_another_suite_is_refused(netinst: Path, tmp_path: Path) -> None:
    with pytest.raises(BuilderError, match="the ISO holds bookworm, and web1 is trixie"):
        do(netinst, tmp_path / "new.iso", replace(WISH, suite="trixie"))
    do(netinst, tmp_path / "new.iso", replace(WISH, suite="bookworm"))


def test_growth_needs_no_luck(netinst: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without padding to take, the image grows, and is as clean."""
    monkeypatch.setattr(plan, "_is_blank", lambda *_arguments: False)
    done = do(netinst, tmp_path / "netinst.iso")
    assert done.added == 1 << 20
    assert reported(tmp_path / "netinst.iso") == reported(netinst)
    assert verify(tmp_path / "netinst.iso", progress=Silence()).findings == ()
