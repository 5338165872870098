"""A running guest, asked by ssh: a script on standard input, its answer as bytes. What answers is not trusted."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from builder.errors import BuilderError
from builder.host.run import Completed, Runner, bounded

# Bytes and seconds: 3,000 packages answer with 200 kB, and a system that is still starting is waited for 90 s.
LARGEST = 8 << 20
LIMIT = 600.0
_OWN_FAILURE = 255  # ssh(1), EXIT STATUS: every other is the command's
ASK = bounded(LARGEST)
# -T: no terminal. Nothing of ours is lent to the guest: neither agent nor ports; no other way to log in than by key.
_OPTIONS: Mapping[str, str] = {
    "BatchMode": "yes",
    "ConnectTimeout": "60",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "8",
    "PreferredAuthentications": "publickey",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "ControlPath": "none",
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "CheckHostIP": "no",
    "LogLevel": "ERROR",
}
# What ssh says, what it means, what to do. The first that is found counts.
_REASONS = (
    (
        "Permission denied",
        "it does not let this user in",
        "put this machine's public key into ssh_keys of the profile, or name another with --identity",
    ),
    (
        "Connection refused",
        "nothing listens on its ssh port",
        "does its profile install openssh-server? look: xl console",
    ),
    ("No route to host", "there is no way to it", "look at its network: xl console; domu network show"),
    ("timed out", "it does not answer", "look at its network: xl console; domu network show"),
    ("not resolve hostname", "its name leads nowhere", "name an address: --address"),
    ("sudo:", "sudo wants a password there", "give ssh_keys to root, or let the user run sudo without one"),
)


class HostKeyError(BuilderError):
    """The ssh server that answers has another host key than the guest's own."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a guest is reached. `host_keys`: public keys as in `ssh-ed25519 AAAA...`; with none, any host is believed."""

    guest: str
    address: str
    user: str = "root"
    port: int = 22
    identity: str = ""
    host_keys: tuple[str, ...] = ()

    def argv(self, known_hosts: str, command: Sequence[str]) -> list[str]:
        """The command line of ssh; host keys are looked up by the guest's name, whatever its address."""
        checked = {
            "StrictHostKeyChecking": "yes" if self.host_keys else "no",
            "UserKnownHostsFile": known_hosts,
            "HostKeyAlias": self.guest,
        }
        words = [word for name, value in {**_OPTIONS, **checked}.items() for word in ("-o", f"{name}={value}")]
        key = ["-i", self.identity, "-o", "IdentitiesOnly=yes"] if self.identity else []
        # Several words would be joined by blanks for the login shell there; these need no quotes.
        return ["ssh", "-T", *words, *key, "-p", str(self.port), "-l", self.user, "--", self.address, " ".join(command)]


def ask_guest(
    way: Way, script: str, *, runner: Runner = ASK, limit: float = LIMIT, env: Mapping[str, str] | None = None
) -> bytes:
    """What the script prints there, run by sh as root. `env`: SSH_AUTH_SOCK, for keys in an agent.

    Raises HostKeyError when another host answers, BuilderError when none does or the script fails.
    """
    command = ("sh", "-s") if way.user == "root" else ("sudo", "-n", "sh", "-s")
    with _known_hosts(way) as known_hosts:
        done = runner(way.argv(known_hosts, command), stdin=script.encode(), limit=limit, env=env)
    if done.status != 0:
        raise _meaning(way, done)
    return done.stdout


@contextmanager
def _known_hosts(way: Way) -> Iterator[str]:
    if not way.host_keys:
        yield "/dev/null"
        return
    with tempfile.NamedTemporaryFile("w", prefix="domu-known-hosts-") as file:
        file.writelines(f"{way.guest} {key}\n" for key in way.host_keys)
        file.flush()
        yield file.name


def _meaning(way: Way, done: Completed) -> BuilderError:
    said = done.stderr.decode(errors="replace")
    where = f"{way.user}@{way.address}"
    if way.host_keys and "Host key verification failed" in said:
        hint = "is the address another machine's, or was the guest installed without ssh_host_keys? domu rebuild"
        return HostKeyError(f"what answers at {way.address} has another host key than the profile's", hint)
    for sign, meaning, hint in _REASONS if done.status == _OWN_FAILURE or "sudo:" in said else ():
        if sign in said:
            return BuilderError(f"{where}: {meaning}", hint)
    return BuilderError(f"{where}: {done.complaint}", f"try it by hand: ssh -p {way.port} {where}")


def find_neighbour(mac: str, *, runner: Runner = ASK) -> str | None:
    """The address that this machine last saw at a MAC, IPv4 before IPv6; None where it saw none."""
    try:
        seen = json.loads(runner(("ip", "-json", "neighbour", "show")).text)
        rows = [(row["dst"], row["dev"]) for row in seen if row.get("lladdr") == mac and "FAILED" not in row["state"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuilderError(f"ip neighbour prints something else than its JSON: {error!r}") from error
    found = sorted(rows, key=lambda row: (":" in row[0], row))
    return next((f"{address}%{device}" if address.startswith("fe80:") else address for address, device in found), None)
