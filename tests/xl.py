"""The real xl parser, on a machine without Xen; and what xl prints on one with Xen."""

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
HEAD = "Name                                        ID   Mem VCPUs\tState\tTime(s)\n"
LONG_HEAD = HEAD.replace("\n", "   UUID                            Reason-Code\tSecurity Label\n")
UUID = "3f0a3c5e-1111-4222-8333-0123456789ab"


def row(name: str, domid: int = 3, state: str = "-b----", more: str = "") -> str:
    """As xl_info.c prints it."""
    return f"{name:<40} {domid:5} {512:5} {2:5}     {state}  {7.3:8.1f}{more}\n"


DOM0 = row("Domain-0", 0, "r-----")
INFO = """\
host                   : dom0
release                : 6.1.0-40-amd64
version                : #1 SMP PREEMPT_DYNAMIC Debian 6.1.153-1 (2025-09-20)
machine                : x86_64
nr_cpus                : 4
max_cpu_id             : 3
virt_caps              : pv hvm hap shadow gnttab-v1 gnttab-v2
total_memory           : 16383
free_memory            : 8191
outstanding_claims     : 0
free_cpus              : 0
xen_major              : 4
xen_minor              : 17
xen_extra              : .5
xen_version            : 4.17.5
xen_caps               : xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64
xen_scheduler          : credit2
xen_commandline        : placeholder dom0_mem=2G,max:2G
cc_compile_date        : Sun Mar  2 12:00:00 UTC 2025
xend_config_format     : 4
"""


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
        # xl_parse.c tells of these two whatever they are.
        told = ("Parsing config from ", "got a tsc mode string: ")
        said = [line for line in done.stderr.splitlines() if not line.startswith(told)]
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
