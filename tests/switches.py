"""Open vSwitch in a network namespace: its database and its daemon, with a folder of their own.

The kernel's data path may not be there, so bridges get that of user space, which shows the same interfaces.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.netns import Namespace

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
_NEEDED = ("ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-appctl")
# What `domu` finds as ovs-vsctl: the real one, which asks our database, and bridges in user space.
_VSCTL = """\
#!/bin/sh
export OVS_RUNDIR={folder} OVS_SYSCONFDIR={folder}
more=
for word in "$@"; do
    if [ "$last" = add-br ]; then more="$more -- set Bridge $word datapath_type=netdev"; fi
    last=$word
done
exec {vsctl} "$@" $more
"""


@dataclass
class OpenVSwitch:
    """The two daemons in a namespace, and `ovs-vsctl` for them in `tools`."""

    host: Namespace
    folder: Path

    @property
    def tools(self) -> Path:
        return self.folder / "tools"

    def start_database(self) -> None:
        self._daemon("ovsdb-server", str(self.folder / "conf.db"), f"--remote=punix:{self.folder}/db.sock")

    def start_daemon(self) -> None:
        self.host.run("env", f"OVS_RUNDIR={self.folder}", "ovs-vsctl", "--no-wait", "init")
        self._daemon("ovs-vswitchd", f"unix:{self.folder}/db.sock")

    def _daemon(self, name: str, *words: str) -> None:
        options = ("--detach", "--no-chdir", f"--pidfile={self._pid(name)}", f"--log-file={self.folder}/{name}.log")
        self.host.run("env", f"OVS_RUNDIR={self.folder}", name, *words, *options, "-vconsole:off")

    def _pid(self, name: str) -> Path:
        return self.folder / f"{name}.pid"

    def stop(self, name: str) -> None:
        """To its end, at once."""
        with suppress(FileNotFoundError, ProcessLookupError):
            number = int(self._pid(name).read_text())
            self._pid(name).unlink()
            os.kill(number, signal.SIGKILL)
            while Path(f"/proc/{number}/exe").exists():
                time.sleep(0.01)

    def vsctl(self, *words: str) -> str:
        """What it answers."""
        return self.host.run(self.tools / "ovs-vsctl", "--timeout=10", *words).stdout.strip()

    def tree(self) -> dict[str, list[str]]:
        """Its bridges and their ports."""
        return {name: sorted(self.vsctl("list-ports", name).split()) for name in sorted(self.vsctl("list-br").split())}


def why_not() -> str:
    """What is missing; empty when nothing is."""
    missing = [name for name in _NEEDED if not shutil.which(name)]
    if missing or not SCHEMA.exists():
        return f"Open vSwitch is not installed: {', '.join(missing)}"
    return "" if Path("/dev/net/tun").exists() else "no /dev/net/tun for Open vSwitch in user space"


@contextmanager
def open_vswitch(host: Namespace, folder: Path) -> Iterator[OpenVSwitch]:
    """Running, with an empty database; gone afterwards. Skips where it cannot be."""
    if reason := why_not():
        pytest.skip(reason)
    made = OpenVSwitch(host, folder)
    made.tools.mkdir(parents=True)
    scripts = {
        "ovs-vsctl": _VSCTL.format(folder=folder, vsctl=shutil.which("ovs-vsctl")),
        "ovs-appctl": f'#!/bin/sh\nexport OVS_RUNDIR={folder}\nexec {shutil.which("ovs-appctl")} "$@"\n',
    }
    for name, text in scripts.items():
        (made.tools / name).write_text(text)
        (made.tools / name).chmod(0o755)
    subprocess.run(["ovsdb-tool", "create", folder / "conf.db", SCHEMA], check=True, capture_output=True)
    try:
        made.start_database()
        made.start_daemon()
        yield made
    finally:
        made.stop("ovs-vswitchd")
        made.stop("ovsdb-server")
