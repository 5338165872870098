"""Putting a preseed into a netinst ISO of some 650 MB: domu, beside cp and two ways with xorriso.

The image is made as debian-cd makes one: bookworm's real kernel and initrds, and a pool of files that have the names and
sizes of real packages and noise for content.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from builder.host.site import Site
from builder.host.store import Store
from builder.image.initrd import InitrdPayload, segment
from builder.media.deb import read_members
from builder.media.mirror import packages_path
from builder.media.netboot import index_path, package_name, package_paths
from builder.media.packages import Package, find_package, parse_package, read_stanzas, unpack_index, whole_stanzas
from builder.progress import Silence
from builder.workflows.access import Access, Terms
from tests import images
from tests.archive import noise
from tests.media import ROOT

SUITE, ARCH = "bookworm", "amd64"
POOL = 520_000_000  # bytes; with kernel and initrds some 650 MB
LARGEST = 8_000_000
ROUNDS = 5
PRESEED = b"d-i debian-installer/locale string en_US.UTF-8\n" * 100
# A process begins with the memory of the one that it was forked from, as its usage is counted. So a small one measures.
LAUNCHER = """
import json, os, sys, time
begin = time.perf_counter()
pid = os.posix_spawn("/bin/sh", ["sh", "-ec", sys.argv[1]], os.environ)
_, status, usage = os.wait4(pid, 0)
spent = [time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]
print(json.dumps([os.waitstatus_to_exitcode(status), *spent]))
"""
DOMU = str(Path(sys.executable).with_name("domu"))


@dataclass(frozen=True)
class Spent:
    """Of one run and all that it started: seconds, seconds of CPU, the largest process in bytes, bytes to the disk."""

    wall: float
    cpu: float
    memory: int
    written: int


@dataclass(frozen=True)
class Place:
    """A folder to work in, and the block device under it when it is a loop device of ours."""

    folder: Path
    device: str = ""

    @property
    def image(self) -> Path:
        return self.folder / "netinst.iso"

    def written(self) -> int:
        """Bytes that have reached the device: /sys/block/.../stat, its 7th figure, in sectors of 512."""
        if not self.device:
            return 0
        os.sync()
        return int(Path(f"/sys/block/{self.device}/stat").read_text().split()[6]) * 512


def main() -> None:
    print("### Repacking a netinst ISO\n")
    if shutil.which("xorriso") is None or not images.ISOLINUX.exists():
        print("xorriso or isolinux is not installed, so that no image can be made to measure with.")
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as scratch:
        folder = Path(scratch)
        image, edits = build(folder)
        size, files = image.stat().st_size, sum(len(names) for _, _, names in os.walk(folder / "CD1"))
        shutil.rmtree(folder / "CD1")
        print(f"{size / 1e6:.0f} MB, {files} files; median of {ROUNDS} rounds, the page cache warm.\n")
        print(table(Place(folder), edits))
        for kind in ("ext4", "xfs"):
            with suppress(subprocess.CalledProcessError, FileNotFoundError), mounted(kind, folder) as place:
                shutil.copyfile(image, place.image)
                reflinks = ", where blocks can be shared" if kind == "xfs" else ""
                print(f"\nOn a file system of its own, {kind}{reflinks}; what reached the disk, too:\n")
                print(table(place, edits))


def table(place: Place, edits: Path) -> str:
    """Markdown: medians, and the medians of the ratios within each round."""
    ways = ways_of(place, edits)
    spent: dict[str, list[Spent]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(ROUNDS + 1):  # the first warms up and is not counted
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            one = measured(place, ways[name])
            if turn:
                spent[name].append(one)
    columns = ["wall, s", "CPU, s", "memory", "written", "CPU / cp's", "wall / cp's", "with sync"]
    columns += ["xorriso replay's wall / its own", "with sync"]
    beside = [spent[name] for name in (CP, CP_SYNCED, REPLAY, REPLAY_SYNCED)]
    rows = [[name, *figures(ones, *beside)] for name, ones in spent.items()]
    if not place.device:  # nobody knows whose writes reached a disk that others use, too
        columns.remove("written")
        rows = [[*row[:4], *row[5:]] for row in rows]
    lines = ["| way | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def figures(
    ones: list[Spent], cp: list[Spent], synced: list[Spent], replay: list[Spent], replay_synced: list[Spent]
) -> list[str]:
    """A row of the table: `ones` beside the runs of the same rounds."""

    def slower(others: list[Spent]) -> float:
        return median(mine.wall / other.wall for mine, other in zip(ones, others, strict=True))

    def faster(others: list[Spent]) -> float:
        return median(other.wall / mine.wall for mine, other in zip(ones, others, strict=True))

    cpu = median(mine.cpu / other.cpu for mine, other in zip(ones, cp, strict=True))
    return [
        f"{median(one.wall for one in ones):.2f}",
        f"{median(one.cpu for one in ones):.2f}",
        f"{max(one.memory for one in ones) / 1e6:.0f} MB",
        f"{median(one.written for one in ones) / 1e6:.1f} MB",
        *(f"{ratio:.1f}" for ratio in (cpu, slower(cp), slower(synced), faster(replay), faster(replay_synced))),
    ]


CP, CP_SYNCED = "cp", "cp, then sync of the file"
REPLAY, REPLAY_SYNCED = "xorriso -boot_image any replay", "xorriso -boot_image any replay, then sync of the file"


def ways_of(place: Place, edits: Path) -> dict[str, str]:
    """Shell lines. What xorriso puts in was made beforehand and costs it nothing: initrds, menus, md5sum.txt."""
    image, out, tree = place.image, place.folder / "out.iso", place.folder / "tree"
    maps = " ".join(f"-map {edits}/{path} /{path}" for path in sorted(files_in(edits)))
    mkisofs = (
        "xorriso -as mkisofs -quiet -r -checksum_algorithm_iso sha256,sha512 -V 'Debian 12 amd64 n' -J -joliet-long"
        f" -cache-inodes -isohybrid-mbr {images.ISOLINUX}/isohdpfx.bin -b isolinux/isolinux.bin -c isolinux/boot.cat"
        " -boot-load-size 4 -boot-info-table -no-emul-boot -eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot"
        f" -isohybrid-gpt-basdat -isohybrid-apm-hfsplus -o {out} {tree}"
    )
    domu = f"{DOMU} iso repack {image} --preseed {edits}.cfg --output {out}"
    cache = place.folder / "cache"
    replay = f"xorriso -indev {image} -outdev {out} -boot_image any replay -joliet on {maps}"
    return {
        CP: f"cp --reflink=never {image} {out}",
        CP_SYNCED: f"cp --reflink=never {image} {out} && sync {out}",
        "domu (verified, durable)": f"XDG_CACHE_HOME={cache} {domu}",
        "domu, of an image never seen before": f"XDG_CACHE_HOME={cache}-none {domu}; rm -rf {cache}-none",
        REPLAY: replay,
        REPLAY_SYNCED: f"{replay} && sync {out}",
        "xorriso extracts, xorriso -as mkisofs": (
            f"xorriso -osirrox on -indev {image} -extract / {tree} && chmod -R u+w {tree}"
            f" && cp -r {edits}/. {tree} && {mkisofs}"
        ),
    }


def measured(place: Place, line: str) -> Spent:
    """One run, from nothing to `out.iso`."""
    for old in ("out.iso", "tree"):
        path = place.folder / old
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    before = place.written()
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, f"exec >/dev/null; {line}"]
    done = subprocess.run(launcher, check=True, capture_output=True, text=True)
    status, wall, cpu, memory = json.loads(done.stdout)
    assert status == 0, f"{line}\n{done.stderr}"
    return Spent(wall, cpu, memory, place.written() - before)


def build(folder: Path) -> tuple[Path, Path]:
    """The image, and a folder of what a person would put into it with xorriso; `edits.cfg` is the preseed."""
    linux, text, gtk, pool = ingredients()
    tree = images.netinst_tree(packages=0, text=text, gtk=gtk)
    tree.files |= {"install.amd/vmlinuz": linux}
    tree.files |= {package.filename: noise(package.name, package.digest.size or 0) for package in pool}
    tree.files["md5sum.txt"] = tree.sums()
    image = images.netinst(folder, tree)
    edits = folder / "edits"
    front = segment({"/preseed.cfg": InitrdPayload(PRESEED, 0o600)})
    config = b"default install\nprompt 0\ntimeout 1\ninclude txt.cfg\n"
    changed = {
        "install.amd/initrd.gz": front + text,
        "install.amd/xen/initrd.gz": front + text,
        "install.amd/gtk/initrd.gz": front + gtk,
        "isolinux/isolinux.cfg": config,
        "boot/grub/grub.cfg": tree.files["boot/grub/grub.cfg"] + b"set timeout=1\n",
        "md5sum.txt": tree.files["md5sum.txt"],
    }
    images.Tree(changed).lay(edits)
    Path(f"{edits}.cfg").write_bytes(PRESEED)
    return image, edits


def ingredients() -> tuple[bytes, bytes, bytes, list[Package]]:
    """Kernel, text and GTK initrd out of the netboot package, and packages for the pool, from the verified archive."""
    store = Store(Site(ROOT).cache)
    with Access(store, Terms(), progress=Silence(), now=datetime.now(UTC)) as access:
        archive = access.suite(SUITE)
        path = index_path(archive.release, packages_path(ARCH))
        index = archive.listed(path, by_hash=True).path
        with index.open("rb") as packed, unpack_index(packed, path) as stream:
            netboot = find_package(stream, package_name(SUITE, ARCH))
        assert netboot
        url = archive.mirror.file(netboot.filename)
        deb = access.fetcher.download(url, digest=netboot.digest, store=store, what=netboot.name)
        with index.open("rb") as packed, unpack_index(packed, path) as stream:
            pool = list(some_packages(b"".join(whole_stanzas(stream))))
    kernel, text = package_paths(SUITE, ARCH)
    wanted = (kernel, text, text.replace("/text/", "/gtk/"))
    with deb.path.open("rb") as file:
        found = {name: b"".join(blocks) for name, _, blocks in read_members(file, wanted)}
    return found[wanted[0]], found[wanted[1]], found[wanted[2]], pool


def some_packages(index: bytes) -> Iterator[Package]:
    """Every so many-th package of the archive, until the pool is as large as a netinst's."""
    stanzas = [text for text in index.strip(b"\n").split(b"\n\n") if text]
    total = 0
    for stanza in stanzas[:: len(stanzas) // 1600]:
        size = re.search(rb"^Size: (\d+)$", stanza, re.MULTILINE)
        if size is None or int(size[1]) > LARGEST:
            continue
        total += int(size[1])
        if total > POOL:
            return
        yield parse_package(next(read_stanzas(stanza)))


def files_in(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


@contextmanager
def mounted(kind: str, folder: Path) -> Iterator[Place]:
    """A file system in a file, on a loop device; only root can, where there are loop devices."""
    image, where = folder / f"{kind}.disk", folder / kind
    where.mkdir()
    run("truncate", "--size", "6G", image)
    run(f"mkfs.{kind}", *(("-q", "-m", "reflink=1") if kind == "xfs" else ("-q", "-E", "lazy_itable_init=0")), image)
    subprocess.run(["mount", "-o", "loop", image, where], check=True, capture_output=True)
    try:
        source = subprocess.run(
            ["findmnt", "--noheadings", "--output", "SOURCE", where], check=True, capture_output=True, text=True
        )
        yield Place(where, Path(source.stdout.strip()).name)
    finally:
        run("umount", where)
        image.unlink()


def run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True)


if __name__ == "__main__":
    main()
