"""A small world of network namespaces: dom0, guests behind it, and an outside of a router and a client host.

dom0's `eth0` is plugged into the router's LAN; the client lives behind the router. Guests get vifs as xen-netback
makes them, and Xen's own scripts attach these, with a folder in the place of xenstore.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

LAN4, LAN6 = "192.0.2", "2001:db8:0:2"  # the provider's segment: .1 the router, .2 dom0
FAR4, FAR6 = "198.51.100.2", "2001:db8:0:51::2"  # the client
SCRIPTS = Path("/etc/xen/scripts")
NEEDED = ("ip", "nft", "ping", "arping", "sysctl")
EVERYWHERE = "0.0.0.0"  # noqa: S104 (all interfaces, of a namespace)
_PATIENCE = 2.0  # seconds that an answer on one machine may take
_SILENCE = 0.4  # seconds without an answer, where there comes none
_PREFIX = "domu-test-"
_CLONE_NEWNET = 0x40000000  # linux/sched.h
_C = ctypes.CDLL(None, use_errno=True)
# A bridge port learns its MAC from traffic and IPv6 checks for duplicates for a second or two: neither is wanted here.
_SETTINGS = {
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.all.accept_dad": "0",
    "net.ipv6.conf.default.router_solicitations": "0",
    "net.ipv4.ping_group_range": "0 2147483647",
}


@dataclass(frozen=True)
class Namespace:
    """One host of the world."""

    name: str

    def run(self, *argv: str | Path, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A program in it, to its end."""
        whole = ["ip", "netns", "exec", self.name, *argv]
        return subprocess.run(whole, input=stdin, capture_output=True, text=True, check=check, timeout=60)

    def ip(self, line: str) -> None:
        """`ip` with these words."""
        done = subprocess.run(["ip", "-n", self.name, *line.split()], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{self.name}: ip {line}: {done.stderr}"

    def shown(self, line: str) -> list[dict[str, Any]]:
        """What `ip -j` tells."""
        done = subprocess.run(["ip", "-n", self.name, "-j", *line.split()], capture_output=True, text=True, check=True)
        found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
        return found

    def sysctl(self, **settings: str) -> None:
        """Set these, with `__` for the dots of their names."""
        self.run("sysctl", "-q", "-w", *(f"{key.replace('__', '.')}={value}" for key, value in settings.items()))

    def pings(self, address: str, *, source: str | None = None, patience: float = _PATIENCE) -> bool:
        """Whether an echo comes back."""
        words = ["-I", source] if source else []
        wait = f"{patience:.1f}"
        return not self.run("ping", "-n", "-q", "-c", "1", "-W", wait, *words, address, check=False).returncode

    def gets_nothing(self, address: str, *, source: str | None = None) -> bool:
        """Whether no echo comes back in a time in which they come, between namespaces of one machine."""
        return not self.pings(address, source=source, patience=_SILENCE)

    def mac_of(self, address: str, interface: str = "eth0") -> str | None:
        """Who answers an ARP request for this address, which is not asked of the own tables."""
        done = self.run("arping", "-c", "1", "-w", "1", "-I", interface, address, check=False)
        return done.stdout.partition("[")[2].partition("]")[0].lower() or None

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread is in the namespace: the sockets that it opens are, for good."""
        with Path("/proc/thread-self/ns/net").open() as home, Path(f"/run/netns/{self.name}").open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    @contextmanager
    def serving(self, address: str, port: int) -> Iterator[None]:
        """A TCP server that tells each caller the address it came from, and then repeats lines."""
        with self.inside():
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            server = socket.create_server((address, port), family=family)
        server.settimeout(0.1)
        ended = threading.Event()
        thread = threading.Thread(target=_serve, args=(server, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            server.close()

    def asks(self, address: str, port: int, *, source: str = "", patience: float = _PATIENCE) -> str | None:
        """The address that the server there sees us come from; None without an answer."""
        try:
            with self.call(address, port, source=source, patience=patience) as call:
                return call.seen
        except OSError:
            return None

    @contextmanager
    def call(self, address: str, port: int, *, source: str = "", patience: float = _PATIENCE) -> Iterator[Call]:
        """A connection that stays open."""
        with self.inside():
            line = socket.create_connection((address, port), patience, (source, 0) if source else None)
        with line, line.makefile("rwb") as stream:
            yield Call(stream.readline().decode().strip(), stream)


@dataclass(frozen=True)
class Call:
    """An open connection to a server of ours: who it takes us for, and whether it still answers."""

    seen: str
    stream: Any

    def answers(self, word: str = "still there") -> bool:
        """Whether a line comes back."""
        with suppress(OSError):
            self.stream.write(f"{word}\n".encode())
            self.stream.flush()
            return bool(self.stream.readline() == f"{word}\n".encode())
        return False


def _enter(handle: int) -> None:
    if _C.setns(handle, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _serve(server: socket.socket, ended: threading.Event) -> None:
    while not ended.is_set():
        with suppress(TimeoutError):
            line, (peer, *_) = server.accept()
            threading.Thread(target=_answer, args=(line, peer), daemon=True).start()


def _answer(line: socket.socket, peer: str) -> None:
    line.settimeout(30)
    with line, suppress(OSError), line.makefile("rwb") as stream:
        stream.write(f"{peer}\n".encode())
        stream.flush()
        for text in stream:
            stream.write(text)
            stream.flush()


@dataclass
class World:
    """Everything that was made, by name."""

    folder: Path
    prefix: str
    hosts: dict[str, Namespace] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Namespace:
        return self.hosts[name]

    def add(self, name: str) -> Namespace:
        """A new host with nothing but its loopback."""
        made = Namespace(f"{self.prefix}{name}")
        subprocess.run(["ip", "netns", "add", made.name], check=True)
        self.hosts[name] = made
        made.run("sysctl", "-q", "-w", *(f"{key}={value}" for key, value in _SETTINGS.items()))
        made.ip("link set lo up")
        return made

    def cable(self, one: str, port: str, other: str, other_port: str) -> None:
        """Join two hosts by a cable."""
        ends = f"link add {port} type veth peer name {other_port} netns {self[other].name}"
        self[one].ip(ends)
        self[one].ip(f"link set {port} up")
        self[other].ip(f"link set {other_port} up")

    def guest(self, name: str, vif: str, mac: str) -> Namespace:
        """A guest with `eth0`, whose other end is the vif in dom0, as xen-netback leaves it: down, in no bridge."""
        guest = self.add(name)
        self["dom0"].ip(f"link add {vif} type veth peer name eth0 address {mac} netns {guest.name}")
        guest.ip("link set eth0 up")
        return guest

    def vif_script(self, script: str, vif: str, command: str = "online", **keys: str) -> None:
        """Run one of Xen's scripts for a vif; `keys` are what xl wrote to xenstore: ip, bridge, gatewaydev."""
        scripts = xen_scripts(self.folder)
        store = self.folder / "xenstore" / vif
        store.mkdir(parents=True, exist_ok=True)
        for key, value in keys.items():
            (store / key).write_text(value)
        # libxl_linux.c (4.17), get_hotplug_env: netdev is what the config calls gatewaydev
        argv = ["env", f"vif={vif}", f"XENBUS_PATH={store}", "XENBUS_TYPE=vif", f"netdev={keys.get('gatewaydev', '')}"]
        done = self["dom0"].run(*argv, scripts / script, command, "type_if=vif", check=False)
        told = store / "hotplug-error"
        assert done.returncode == 0, f"{script} {vif}: {told.read_text() if told.exists() else done.stderr}"
        if command == "online":
            assert (store / "hotplug-status").read_text() == "connected"


# What stands in for xenstore's two commands: a folder per device, a file per key.
_READ = '#!/bin/sh\nexec cat "$1"\n'
_WRITE = (
    '#!/bin/sh\nwhile [ $# -ge 2 ]; do\n  case $1 in /local/*) ;; *) printf %s "$2" >"$1" ;; esac\n  shift 2\ndone\n'
)


def xen_scripts(folder: Path) -> Path:
    """Xen's scripts as installed, told to find our xenstore first, hooks below `root`, and to log where we may."""
    scripts = folder / "scripts"
    if scripts.exists():
        return scripts
    shutil.copytree(SCRIPTS, scripts)
    tools = folder / "tools"
    tools.mkdir()
    for name, text in (("xenstore-read", _READ), ("xenstore-write", _WRITE), ("logger", "#!/bin/sh\n")):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    places = scripts / "hotplugpath.sh"
    places.write_text(f'{places.read_text()}\nbindir="{tools}"\n')
    common = scripts / "xen-hotplug-common.sh"
    text = common.read_text().replace("/var/log/xen/xen-hotplug.log", str(folder / "xen-hotplug.log"))
    assert "/etc/xen/scripts/${1}" in text
    common.write_text(text.replace("/etc/xen/scripts/${1}", f"{folder}/root/etc/xen/scripts/${{1}}"))
    return scripts


def why_not() -> str:
    """What is missing for namespaces here; empty when nothing is."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if missing := [program for program in NEEDED if not shutil.which(program)]:
        return f"not installed: {', '.join(missing)}"
    probe = (
        "ip link add probe0 type bridge && ip link add probe1 type veth peer name probe2 && nft add table inet probe"
    )
    done = subprocess.run(["unshare", "--net", "sh", "-c", probe], capture_output=True, text=True, check=False)
    return f"this kernel cannot: {done.stderr.strip()}" if done.returncode else ""


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """dom0, router and client, cabled and addressed; gone afterwards, whatever happened. Skips where it cannot be."""
    if reason := why_not():
        pytest.skip(reason)
    _clear_stale()
    made = World(folder, f"{_PREFIX}{os.getpid()}-")
    try:
        _outside(made)
        yield made
    finally:
        for host in made.hosts.values():
            subprocess.run(["ip", "netns", "delete", host.name], check=True)


def _outside(made: World) -> None:
    for name in ("dom0", "router", "client"):
        made.add(name)
    made.cable("dom0", "eth0", "router", "lan")
    made.cable("client", "eth0", "router", "wan")
    router, client, dom0 = made["router"], made["client"], made["dom0"]
    for line in (
        f"{LAN4}.1/24 dev lan",
        f"{LAN6}::1/64 dev lan",
        "198.51.100.1/24 dev wan",
        "2001:db8:0:51::1/64 dev wan",
    ):
        router.ip(f"address add {line}")
    # The providers' routers of today send none, and ping takes one for a failure.
    router.sysctl(net__ipv4__conf__all__send_redirects="0", net__ipv4__conf__lan__send_redirects="0")
    router.sysctl(net__ipv4__ip_forward="1", net__ipv6__conf__all__forwarding="1")
    for host, address4, address6, gate4, gate6 in (
        (client, f"{FAR4}/24", f"{FAR6}/64", "198.51.100.1", "2001:db8:0:51::1"),
        (dom0, f"{LAN4}.2/24", f"{LAN6}::2/64", f"{LAN4}.1", f"{LAN6}::1"),
    ):
        host.ip(f"address add {address4} dev eth0")
        host.ip(f"address add {address6} dev eth0")
        host.ip(f"route add default via {gate4}")
        host.ip(f"-6 route add default via {gate6}")


def _clear_stale() -> None:
    """Namespaces of runs that were killed; those of runs still alive are theirs."""
    listed = subprocess.run(["ip", "-j", "netns", "list"], capture_output=True, text=True, check=True).stdout
    for name in [found["name"] for found in json.loads(listed or "[]")]:
        pid = name.removeprefix(_PREFIX).partition("-")[0]
        if name.startswith(_PREFIX) and not Path(f"/proc/{pid}").exists():
            subprocess.run(["ip", "netns", "delete", name], check=False)
