"""A real sshd on loopback, with host keys of its own: what stands for a running guest."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = Path("/usr/sbin/sshd")
needs_sshd = pytest.mark.skipif(
    os.geteuid() != 0 or not SSHD.exists(), reason="root logs in to a real sshd here: needs root and openssh-server"
)
_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
"""


@dataclass(frozen=True, slots=True)
class Sshd:
    """Where it listens, the key that may log in, and what it shows of itself."""

    port: int
    identity: str
    host_key: str  # ssh-ed25519 AAAA...
    log: Path


def make_key(path: Path, kind: str = "ed25519") -> str:
    """A key pair by ssh-keygen; the public half without its comment."""
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


@contextmanager
def running_sshd(folder: Path, *more: str, host_key: bool = True) -> Iterator[Sshd]:
    """Until the block ends; `more` are further lines of its configuration, which may name host keys instead of its own."""
    folder.mkdir(exist_ok=True)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd(8) wants it; systemd's unit makes it otherwise
    public = make_key(folder / "host_key")
    (folder / "authorized_keys").write_text(make_key(folder / "login_key") + "\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    own = [f"HostKey {folder}/host_key"] if host_key else []
    lines = [_CONFIG.format(port=port, folder=folder), *(f"{line}\n" for line in (*own, *more))]
    (folder / "sshd_config").write_text("".join(lines))
    log = folder / "log"
    argv = [str(SSHD), "-D", "-f", str(folder / "sshd_config"), "-E", str(log)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as server:
        try:
            _wait(port, server)
            yield Sshd(port, str(folder / "login_key"), public, log)
        finally:
            server.kill()


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"sshd does not listen: {server.returncode}")
