"""Real volume groups on loop devices, for the real LVM tools; the commands here meet no other volume group.

Where the kernel has no device mapper (containers, small virtual machines) the tools work on metadata alone. What the
kernel would add is then stood in for: volumes count as active, and a volume's device is a loop device over its extents.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from builder.host.lvm import read_storage
from builder.host.run import LIMIT, Completed, run
from builder.storage.facts import LogicalVolume, StorageFacts

EXTENT = 4 << 20
_CONFIG = """\
devices {{
    use_devicesfile = 0
    global_filter = [ "a|^{device}$|", "r|.*|" ]
    obtain_device_list_from_udev = 0
    external_device_info_source = "none"
}}
global {{
    activation = {activation}
    use_lvmpolld = 0
    locking_dir = "{folder}/lock"
}}
activation {{
    udev_sync = 0
    udev_rules = 0
    monitoring = 0
}}
backup {{
    backup_dir = "{folder}/backup"
    archive_dir = "{folder}/archive"
}}
"""


def has_device_mapper() -> bool:
    """The kernel can activate volumes."""
    return " device-mapper\n" in Path("/proc/devices").read_text()


def skip_reason() -> str:
    """Why there can be no volume group here; empty when there can."""
    if os.geteuid() != 0:
        return "needs root: LVM and loop devices"
    if not Path("/dev/loop-control").exists():
        return "needs loop devices"
    missing = [name for name in ("lvm", "losetup", "wipefs", "blkdiscard") if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


@dataclass
class LoopGroup:
    """A volume group of its own on a file; a runner for LVM's commands that are to meet it and nothing else."""

    name: str
    folder: Path
    device: str
    mapper: bool
    commands: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def image(self) -> Path:
        return self.folder / "disk.img"

    @property
    def _environment(self) -> Mapping[str, str]:
        return {"LVM_SYSTEM_DIR": str(self.folder / "lvm")}

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        """The runner: real commands, on this group."""
        del env
        self.commands.append(tuple(argv))
        if self.mapper or argv[0] == "lvm":
            done = run(argv, stdin=stdin, limit=limit, env=self._environment)
            is_report = argv[:2] == ("lvm", "fullreport") and not self.mapper
            return replace(done, stdout=_as_if_active(done.stdout)) if is_report and done.status == 0 else done
        if not argv[-1].startswith("/dev/"):
            return run(argv, stdin=stdin, limit=limit, env=self._environment)
        with self.block_device(argv[-1].removeprefix("/dev/")) as device:
            return run((*argv[:-1], device), stdin=stdin, limit=limit)

    def lvm(self, *words: str) -> str:
        """The output of an LVM command that must do well."""
        done = run(("lvm", *words), env=self._environment)
        assert done.status == 0, done.stderr.decode()
        return done.text

    def facts(self) -> StorageFacts:
        return read_storage(self.run)

    def volume(self, name: str) -> LogicalVolume:
        found = self.facts().find(self.name, name)
        assert found, f"there is no {name}"
        return found

    @contextmanager
    def block_device(self, path: str) -> Iterator[str]:
        """The device of a volume, GROUP/NAME."""
        if self.mapper:
            yield f"/dev/{path}"
            return
        rows = self.lvm("lvs", "--noheadings", "--options", "seg_pe_ranges", path).split()
        assert len(rows) == 1, f"{path} is in {len(rows)} pieces"
        first, last = rows[0].rpartition(":")[2].split("-")
        start = (
            int(self.lvm("pvs", "--noheadings", "--units", "b", "--nosuffix", "--options", "pe_start"))
            + int(first) * EXTENT
        )
        size = (int(last) - int(first) + 1) * EXTENT
        words = ["losetup", "--find", "--show", f"--offset={start}", f"--sizelimit={size}", str(self.image)]
        device = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
        try:
            yield device
        finally:
            subprocess.run(["losetup", "--detach", device], check=True)

    def write(self, name: str, data: bytes, at: int = 0) -> None:
        """Bytes into a volume."""
        with self.block_device(f"{self.name}/{name}") as device, Path(device).open("r+b", buffering=0) as stream:
            stream.seek(at)
            stream.write(data)
            os.fsync(stream.fileno())

    def read(self, name: str, count: int, at: int = 0) -> bytes:
        """Bytes of a volume."""
        with self.block_device(f"{self.name}/{name}") as device, Path(device).open("rb", buffering=0) as stream:
            stream.seek(at)
            return stream.read(count)


def _as_if_active(report: bytes) -> bytes:
    """State and open count, unknown without a device mapper, as those of an active volume that nobody uses."""
    data = json.loads(report)
    for part in data["report"]:
        for row in part.get("lv", []):
            row["lv_attr"] = row["lv_attr"].replace("XX", "a-", 1)
    return json.dumps(data).encode()


@contextmanager
def loop_group(folder: Path, *, extents: int = 120) -> Iterator[LoopGroup]:
    """A new volume group of so many extents of 4 MiB; gone afterwards. Skips the test where that cannot be."""
    if reason := skip_reason():
        pytest.skip(reason)
    for name in ("lvm", "lock"):
        (folder / name).mkdir(parents=True)
    with (folder / "disk.img").open("wb") as stream:
        stream.truncate((extents + 1) * EXTENT)
    attached = subprocess.run(
        ["losetup", "--find", "--show", folder / "disk.img"], check=False, capture_output=True, text=True
    )
    if attached.returncode:
        pytest.skip(f"no loop device: {attached.stderr.strip()}")
    device = attached.stdout.strip()
    group = LoopGroup(f"domutest{os.getpid()}", folder, device, has_device_mapper())
    text = _CONFIG.format(device=device, folder=folder, activation=int(group.mapper))
    (folder / "lvm/lvm.conf").write_text(text)
    try:
        group.lvm("pvcreate", device)
        group.lvm("vgcreate", group.name, device)
        yield group
        group.lvm("vgremove", "--force", "--yes", group.name)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
