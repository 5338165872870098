"""A real apt-cacher-ng on loopback with a cache of its own, whose kept files a test may spoil."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.host.apt import find_cacher

# Neither listens on nor connects to ports above this one: 3.7.4 keeps them in 16 bits with a sign.
_HIGHEST = 32767
_PATIENCE = 20.0  # seconds for it to start, or to write what it was sent; both take some milliseconds


@dataclass(frozen=True)
class Cacher:
    """A running one."""

    root: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def through(self, mirror: str) -> str:
        """The mirror's URL by way of the cacher."""
        return f"{self.url}/{mirror.removeprefix('http://')}"

    def kept(self, name: str) -> Path:
        """The one file of this name in its cache."""
        (path,) = (self.root / "cache").rglob(name)
        return path

    def log(self) -> str:
        """What it fetched (`|I|`) and sent (`|O|`)."""
        return (self.root / "log/apt-cacher.log").read_text()


def free_port() -> int:
    """A port of loopback that nobody uses and that apt-cacher-ng can use."""
    for port in range(20_000 + time.time_ns() % 10_000, _HIGHEST):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


@contextmanager
def running_cacher(root: Path, *, proxy: str | None = None, settings: Sequence[str] = ()) -> Iterator[Cacher]:
    """Start one, wait until it answers, and end it; `proxy` is how it reaches the world itself."""
    program = shutil.which("apt-cacher-ng", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.fail("apt-cacher-ng is not installed; apt-get install apt-cacher-ng (without its service)")
    cacher = Cacher(root, free_port())
    for name in ("cache", "log", "conf"):
        (root / name).mkdir(parents=True, exist_ok=True)
    conf = [
        f"CacheDir: {root}/cache",
        f"LogDir: {root}/log",
        f"SocketPath: {root}/socket",
        "SupportDir: /usr/lib/apt-cacher-ng",
        f"Port: {cacher.port}",
        "BindAddress: 127.0.0.1",
        "AllowUserPorts: 0",  # any: the toy archive is not on port 80
        "ForeGround: 1",
        "VerboseLog: 2",
        *([f"Proxy: {proxy}"] if proxy else []),
        *settings,
    ]
    (root / "conf/acng.conf").write_text("\n".join(conf) + "\n")
    with (root / "out").open("wb") as out:
        process = subprocess.Popen([program, "-c", str(root / "conf")], stdout=out, stderr=out)
    try:
        wait_until(lambda: find_cacher(cacher.port) == "apt-cacher-ng", "apt-cacher-ng answers")
        yield cacher
    finally:
        process.kill()  # asked politely it takes four seconds, and nobody needs its cache any more
        process.wait(_PATIENCE)


def wait_until(true: object, what: str) -> None:
    """Look again and again until it is true."""
    assert callable(true)
    end = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.02)
