"""Debian systems as disk images, made without booting and without loop devices: mmdebstrap, then mke2fs -d.

Needs root: the files of a system have owners.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid5

from builder.media.mirror import Mirror

MEBIBYTE = 1 << 20
# What a system under emulation has no use for, and what would run behind a measurement's back.
_TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer")
_LEFT_OUT = ("doc", "info", "locale", "man")
_NAMES = UUID("5d0b0f3c-6c61-4b6e-8f0e-0c1c1c0a6c62")  # ours, for the file systems' UUIDs


@dataclass(frozen=True)
class System:
    """What is to be in a system. Each file is its text and its mode; `links` go from path to target."""

    suite: str
    host: str
    packages: tuple[str, ...]
    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def uuid(self) -> str:
        """Of its root file system: the same for the same suite and host."""
        return str(uuid5(_NAMES, f"{self.suite}/{self.host}"))


@contextmanager
def unpacked(system: System, folder: Path, *, archive: Mirror, cacher: str) -> Iterator[Path]:
    """The system's tree in a folder that goes when the block ends; packages come through the cacher."""
    if os.geteuid() != 0:
        raise PermissionError("the lab makes disk images with mmdebstrap, which needs root here")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        tree = Path(name) / "tree"
        _bootstrap(system, tree, archive, cacher)
        _lay(system, tree)
        yield tree


def _bootstrap(system: System, tree: Path, archive: Mirror, cacher: str) -> None:
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    options += ["--dpkgopt=force-unsafe-io"]
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", *options]
    argv += ['--aptopt=APT::Install-Recommends "false"', f'--aptopt=Acquire::http::Proxy "{cacher}"']
    argv += [f"--include={','.join(system.packages)}", system.suite, str(tree)]
    argv += [f"deb {archive.url} {system.suite} main"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mmdebstrap failed:\n{done.stderr[-4000:]}")


def _lay(system: System, tree: Path) -> None:
    files = {
        "etc/hostname": (f"{system.host}\n", 0o644),
        "etc/hosts": (f"127.0.0.1 localhost\n127.0.1.1 {system.host}\n", 0o644),
        **system.files,
    }
    for path, (text, mode) in files.items():
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)
    links = {f"etc/systemd/system/{timer}": "/dev/null" for timer in _TIMERS} | dict(system.links)
    for path, target in links.items():
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)


def write_disk(tree: Path, disk: Path, size: int, uuid: str, *, partitioned: bool) -> None:
    """The tree as ext4 in a sparse file of `size` MiB: the whole of it, or its one partition from 1 MiB on."""
    start = MEBIBYTE if partitioned else 0
    unfinished = disk.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    with unfinished.open("wb") as file:
        file.truncate(size * MEBIBYTE)
    if partitioned:
        table = b"label: dos\nstart=2048, type=83, bootable\n"
        subprocess.run(["sfdisk", "--quiet", unfinished], input=table, check=True)
    # The last MiB stays free, as partman leaves it.
    kibibytes = size * 1024 - 2 * start // 1024
    done = subprocess.run(
        [
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext4",
            "-U",
            uuid,
            "-E",
            f"offset={start}",
            "-d",
            tree,
            unfinished,
            f"{kibibytes}k",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"mke2fs failed: {done.stderr}")
    unfinished.replace(disk)


def take(tree: Path, pattern: str, target: Path) -> str:
    """Copy the one file of this pattern out of the tree; its name there."""
    (source,) = (path for path in tree.glob(pattern) if not path.is_symlink())
    shutil.copyfile(source, target)
    return source.name
