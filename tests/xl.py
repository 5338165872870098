"""The real xl parser, on a machine without Xen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parent / "data" / "xl-check.c"


@dataclass(frozen=True)
class Xl:
    """xl with what lets it run without a hypervisor; `folder` is for the configs."""

    program: Path
    shim: Path
    folder: Path

    def parse(self, config: str) -> dict[str, Any]:
        """The domain that xl would make of the config. AssertionError when xl refuses it or has anything to say."""
        done = self.run(config)
        assert done.returncode == 0, f"{done.stderr}\n{config}"
        said = [line for line in done.stderr.splitlines() if not line.startswith("Parsing config from ")]
        assert said == [], f"{said}\n{config}"
        domain: dict[str, Any] = json.loads(done.stdout)
        return domain

    def run(self, config: str) -> subprocess.CompletedProcess[str]:
        file = self.folder / "domain.cfg"
        file.write_text(config)
        return subprocess.run(
            [str(self.program), "-N", "create", "-n", str(file)],
            env={"PATH": os.environ["PATH"], "LD_PRELOAD": str(self.shim), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


def find_xl(folder: Path) -> Xl:
    """Skips the test, and says so, where xl or a C compiler is not installed."""
    programs = sorted(Path("/usr/lib").glob("xen-*/bin/xl"))
    if not programs:
        pytest.skip("xl is not installed: apt-get install xen-utils-4.17 (or the release's own)")
    if not (compiler := shutil.which("cc")):
        pytest.skip("no C compiler is installed, and xl needs tests/data/xl-check.c: apt-get install gcc libc6-dev")
    shim = folder / "xl-check.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", str(shim), str(SOURCE), "-ldl"], check=True, timeout=60)
    return Xl(programs[-1], shim, folder)
