"""Putting a preseed into trixie's real netboot initrd: domu, beside a bare copy and the way of the handbooks."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from builder.image.initrd import InitrdFacts, InitrdPayload, read_initrd
from builder.units import Size
from builder.workflows.initrd import repack
from tests.bench.pairs import paired
from tests.media import netboot_media

ROOT = Path(__file__).parent.parent.parent
PRESEED = b"d-i debian-installer/locale string en_US.UTF-8\n" * 100
ROUNDS = 9
SLOW_ROUNDS = 3


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        base = folder / "base.gz"
        shutil.copyfile(netboot_initrd(folder), base)
        with base.open("rb") as stream:
            facts = read_initrd(stream)
        print(f"### Repacking trixie's netboot initrd ({Size(base.stat().st_size).human})\n")
        print(compare(base, folder, facts, ROUNDS))
        print("\nBeside the way of the handbooks, with the real tools:\n")
        print(paired(handbook_ways(base, folder, facts), SLOW_ROUNDS))
        with suppress(subprocess.CalledProcessError, FileNotFoundError), Xfs(folder) as shared:
            shutil.copyfile(base, shared / "base.gz")
            print("\nOn XFS, where the base's blocks are shared:\n")
            print(compare(shared / "base.gz", shared, facts, ROUNDS))


def netboot_initrd(folder: Path) -> Path:
    """Verified, out of the repository's cache or fetched into it; no pin of the site is moved."""
    return netboot_media("trixie", folder).initrd.path


def compare(base: Path, folder: Path, facts: InitrdFacts, rounds: int) -> str:
    ways: dict[str, Callable[[], object]] = {
        "cp": lambda: run("cp", "--reflink=never", base, folder / "copied.gz"),
        "cp, then sync of the file": lambda: copy_durably(base, folder / "copied.gz"),
        "domu (durable: fsync and rename)": lambda: domu(base, folder, facts),
        "domu, and the base looked through for clashes": lambda: domu(base, folder, None),
    }
    return paired(ways, rounds)


def handbook_ways(base: Path, folder: Path, facts: InitrdFacts) -> dict[str, Callable[[], object]]:
    return {
        "gzip -d, cpio -i, cpio -o, gzip -6": lambda: handbook(base, folder),
        "domu": lambda: domu(base, folder, facts),
        "domu, and the base looked through for clashes": lambda: domu(base, folder, None),
    }


def copy_durably(base: Path, target: Path) -> None:
    run("cp", "--reflink=never", base, target)
    run("sync", target)


def domu(base: Path, folder: Path, facts: InitrdFacts | None) -> None:
    repack(base, {"/preseed.cfg": InitrdPayload(PRESEED)}, folder / "domu.gz", facts=facts)


def handbook(base: Path, folder: Path) -> None:
    """As the installation guide and most pages about it have it."""
    tree = folder / "tree"
    tree.mkdir()
    pipe("gzip -dc -- {0} | cpio -id --quiet", base, folder=tree)
    (tree / "preseed.cfg").write_bytes(PRESEED)
    pipe("find . | cpio -o -H newc --quiet | gzip -6 > {0}", folder / "handbook.gz", folder=tree)
    shutil.rmtree(tree)


def pipe(line: str, file: Path, *, folder: Path) -> None:
    """A pipeline of real tools; {0} stands for the file, handed over as an argument."""
    subprocess.run(["sh", "-ec", line.replace("{0}", '"$1"'), "sh", file], cwd=folder, check=True)


def run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True)


class Xfs:
    """An XFS in a file, mounted while it is needed; only root can, where there are loop devices."""

    def __init__(self, folder: Path) -> None:
        self._image, self._place = folder / "xfs", folder / "mnt"

    def __enter__(self) -> Path:
        self._place.mkdir()
        run("truncate", "--size", "600M", self._image)
        run("mkfs.xfs", "-q", "-m", "reflink=1", self._image)
        subprocess.run(["mount", "-o", "loop", self._image, self._place], check=True, capture_output=True)
        return self._place

    def __exit__(self, *_: object) -> None:
        run("umount", self._place)


if __name__ == "__main__":
    main()
