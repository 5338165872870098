"""Where the lab keeps what it makes, outside git, and what of it is up."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]


def lab_folder() -> Path:
    """The folder that LAB names, or .xenlab in the project; some 4 GB, sparse files."""
    folder = Path(os.environ.get("LAB") or ROOT / ".xenlab").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True, slots=True)
class Up:
    """A dom0 that runs: who holds it, and how it is reached."""

    suite: str
    keeper: int  # the process that ends it
    qemu: int
    ssh_port: int
    cacher_port: int

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What is up in this folder, if it still is."""
        try:
            up = cls(**json.loads((folder / "up.json").read_text()))
        except FileNotFoundError:
            return None
        return up if Path(f"/proc/{up.qemu}").exists() else None

    def write(self, folder: Path) -> None:
        (folder / "up.json").write_text(json.dumps(asdict(self)) + "\n")
