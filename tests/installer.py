"""A folder that passes for the installer's root, in which late and early steps run under a real shell."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from builder.profile.model import Guest

# Programs of the installer and of the installed system, each of which notes its arguments, one per line.
_STUB = """#!/bin/sh
{{ printf '%s\\n' "{name}" "$@"; printf -- '--\\n'; }} >>{root}/calls
{action}
"""
_ACTIONS = {
    # of the programs run in the target, getent and ssh-keygen are those whose answers count
    "chroot": 'case "$2" in getent) printf "%s:x:0:0::/home/%s:/bin/sh\\n" "$4" "$4" ;; chpasswd) cat >{root}/hashes ;;'
    ' ssh-keygen) if grep -q BEGIN "$1$5"; then ssh-keygen -y -f "$1$5"; else echo public; fi ;; esac',
    # what in-target does, with /target as the folder
    "in-target": 'cd {root}/target && exec "$@"',
    "logger": "",
    "update-grub": "",
    "update-locale": "",
    "apt-install": "",
}


@dataclass(frozen=True)
class Installer:
    """`root` stands for /, its folder target for the installed system."""

    root: Path

    @property
    def target(self) -> Path:
        return self.root / "target"

    @property
    def calls(self) -> list[list[str]]:
        """Every call of a stub: its name and arguments."""
        noted = self.root / "calls"
        text = noted.read_text(errors="surrogateescape") if noted.exists() else ""
        return [call.split("\n") for call in text.removesuffix("\n--\n").split("\n--\n")] if text else []

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text(errors="surrogateescape")

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the initrd with stubs first in PATH."""
        environment = {"PATH": f"{self.root}/stubs:/usr/bin:/bin", "HOME": str(self.root), "LC_ALL": "C.UTF-8"}
        shell = subprocess.Popen(
            ["/bin/sh", str(self.root / script.lstrip("/"))],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            umask=0o022,
            start_new_session=True,
            text=True,
        )
        try:
            out, errors = shell.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):  # what a step has left running
                os.killpg(shell.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(shell.args, shell.returncode, out, errors)


def installer(root: Path, files: Mapping[str, str], guest: Guest) -> Installer:
    """Lay the folder, with the guest's NICs and the files of its initrd; absolute paths in them lead into it."""
    for number, mac in enumerate(guest.macs):
        (root / f"sys/class/net/enX{number}").mkdir(parents=True)
        (root / f"sys/class/net/enX{number}/address").write_text(f"{mac}\n")
    for folder in (
        "target/boot/xen",
        "target/etc/apt",
        "target/etc/ssh",
        "target/etc/systemd/system",
        "target/var/tmp",
        "target/var/log",
        "var/run",
        "dev",
        "tmp",
        "stubs",
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for user in ("root", *(user.name for user in guest.users)):
        (root / "target/home" / user).mkdir(parents=True)
    (root / "target/etc/fstab").write_text("# made by partman\n")
    (root / "target/boot/xen/pvboot-x86_64.elf").write_bytes(b"")  # grub-xen's, as in a PV guest
    for name, action in _ACTIONS.items():
        stub = root / "stubs" / name
        stub.write_text(_STUB.format(name=name, root=root, action=action.format(root=root)))
        stub.chmod(0o755)
    for path, text in files.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_moved(text, root), errors="surrogateescape")
    return Installer(root)


def _moved(text: str, root: Path) -> str:
    """The steps name few absolute paths; in-target's are below the target."""
    text = re.sub(
        r"(?<![\w$}./-])/(?=(?:target|domu|sys/class/net|var/run/domu|tmp/domu|var/log/(?:domu-early|syslog|partman)"
        r"|dev/console|usr/lib/finish-install)\b)",
        f"{root}/",
        text,
    )
    return re.sub(
        r"(?<![\w$}./-])/(?=(?:var/(?:tmp/domu-step|log/domu-late)|boot|etc/kernel|etc/grub\.d)\b)",
        f"{root}/target/",
        text,
    )
