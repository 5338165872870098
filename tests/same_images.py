"""The same images under other Pythons and other versions of pycdlib: `make same-bytes`, which needs a package index.

A virtual environment is laid for each; in it this module runs once more, with a folder, and prints digests.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

from builder.host.known_initrds import KnownInitrds
from builder.image.cidata import write_seed
from builder.image.initrd import InitrdPayload, segment
from builder.image.iso.plan import NeedsFullRewriteError
from builder.image.master import MODULES, Disc, Loaders, Stored, master_disc
from builder.progress import Silence
from builder.workflows import iso as workflow
from builder.workflows.iso import Wish, repack
from tests import images
from tests.archive import noise

ROOT = Path(__file__).parent.parent
PYTHONS = ("python3.11", "python3.12", "python3.13")
PYCDLIBS = ("1.20.0", "1.21.0")
MAKERS: dict[str, Callable[[Path], Path]] = {"netinst": images.netinst, "mini": images.mini, "arm64": images.arm64}
WISH = Wish({"/preseed.cfg": InitrdPayload(b"d-i debconf/priority string critical\n", 0o600)}, guest="web1")
LARGE = replace(WISH, payloads={**WISH.payloads, "/domu/large": InitrdPayload(noise("large", 900_000))})


def digests(folder: Path) -> Iterator[tuple[str, str]]:
    """What is made, and its SHA-256: from each image in the folder, and from nothing."""
    known, out = KnownInitrds(folder / "known"), folder / "out"

    def made(iso: Path, wish: Wish) -> str:
        repack(iso, wish, out, known=known, progress=Silence())
        return hashlib.sha256(out.read_bytes()).hexdigest()

    for iso in sorted(folder.glob("*.iso")):
        wish = replace(WISH, arch="arm64" if "arm64" in iso.name else "amd64")
        yield f"{iso.stem}, repacked", made(iso, wish)
        yield f"{iso.stem}, repacked twice", made(out, wish)
        yield f"{iso.stem}, repacked, growing", made(iso, replace(LARGE, arch=wish.arch))
        with patch.object(workflow, "plan_repack", side_effect=NeedsFullRewriteError("so it is wanted")):
            yield f"{iso.stem}, written anew", made(iso, wish)
    yield "mastered", hashlib.sha256(b"".join(mastered())).hexdigest()
    yield "a seed", hashlib.sha256(write_seed({"meta-data": b"{}\n", "user-data": noise("user", 5000)})).hexdigest()


def mastered() -> Iterator[bytes]:
    """An image from made-up media and loaders."""
    modules = {name: noise(name, 30_000) for name in MODULES}
    shim, grub, isolinux = noise("shim", 90_000), noise("grub", 150_000), noise("isolinux", 40_000)
    loaders = Loaders(shim, grub, isolinux, noise("mbr", 432), modules)
    contents = {"vmlinuz": noise("vmlinuz", 70_000), "initrd.gz": noise("initrd.gz", 300_000)}
    front = segment(WISH.payloads)
    kernel, initrd = (
        Stored(name, hashlib.sha256(data).hexdigest(), md5(data), len(data), md5(front + data))
        for name, data in contents.items()
    )
    disc = Disc("web1", "20250803+deb13u1", "trixie", ("auto=true",), (), 5)
    for part in master_disc(disc, kernel, initrd, front, loaders):
        yield part if isinstance(part, bytes) else contents[part.name]


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def lay(folder: Path) -> None:
    """Images as Debian's tools make them, once for all."""
    for name, make in MAKERS.items():
        with tempfile.TemporaryDirectory() as scratch:
            shutil.move(make(Path(scratch)), folder / f"{name}.iso")


def environment(folder: Path, python: str, pycdlib: str) -> Path:
    """A virtual environment with what is pinned, but for this pycdlib; its interpreter."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip: list[str | Path] = [folder / "bin/python", "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", ROOT / "requirements.lock"], check=True)
    if pycdlib:
        subprocess.run([*pip, "--no-deps", f"pycdlib=={pycdlib}"], check=True)
    return folder / "bin/python"


def elsewhere(python: Path, isos: Path) -> tuple[str, dict[str, str]]:
    """In which environment, and what it made."""
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(isos, name, dirs_exist_ok=True)
        argv = [str(python), "-m", "tests.same_images", "--in", name]
        done = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True)
    where, made = json.loads(done.stdout)
    return where, made


def starts(python: str) -> bool:
    """Whether there is such a Python; a version manager's stand-in may be there and start none."""
    return (
        bool(shutil.which(python))
        and not subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode
    )


def compare(pythons: Sequence[str], pycdlibs: Sequence[str]) -> bool:
    """Print a table; whether all of it is the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "isos").mkdir()
        lay(folder / "isos")
        wanted = [(python, "") for python in pythons] + [(sys.executable, pycdlib) for pycdlib in pycdlibs]
        made = dict(
            elsewhere(environment(folder / str(number), *one), folder / "isos") for number, one in enumerate(wanted)
        )
    first = next(iter(made.values()))
    print(f"The same bytes with {'; '.join(made)}:\n\n| image | SHA-256 |\n|---|---|")
    for image in first:
        seen = {each[image] for each in made.values()}
        print(f"| {image} | {first[image] if len(seen) == 1 else f'DIFFERENT: {len(seen)} digests'} |")
    return all(each == first for each in made.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in", dest="folder", type=Path, help="only print digests of what is made here")
    parser.add_argument("--python", nargs="*", default=[python for python in PYTHONS if starts(python)])
    parser.add_argument("--pycdlib", nargs="*", default=PYCDLIBS)
    asked = parser.parse_args()
    if asked.folder:
        where = f"Python {platform.python_version()} and pycdlib {version('pycdlib')}"
        print(json.dumps([where, dict(digests(asked.folder))]))
    else:
        sys.exit(not compare(asked.python, asked.pycdlib))


if __name__ == "__main__":
    main()
