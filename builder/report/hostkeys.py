"""A guest's SSH host keys: lines for its profile and for known_hosts. Public halves only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from builder.profile.private_key import PublicKey


class Keys(Protocol):
    """Files of new keys by kind, public halves, the guest's names."""

    @property
    def guest(self) -> str:
        """Its name."""

    @property
    def files(self) -> Mapping[Any, str]:
        """Kind -> path as a profile names it."""

    @property
    def public(self) -> Sequence[PublicKey]:
        """None when nothing was made."""

    @property
    def names(self) -> Sequence[str]:
        """What clients call the guest."""


def known_hosts_lines(keys: Keys) -> list[str]:
    """As sshd(8) has them, SSH_KNOWN_HOSTS FILE FORMAT."""
    return [f"{','.join(keys.names)} {key.line}" for key in keys.public]


def profile_lines(keys: Keys) -> list[str]:
    """For the guest's profile."""
    return ["ssh_host_keys:", *(f"  {kind}: {{file: {path}}}" for kind, path in keys.files.items())]


def keys_text(keys: Keys) -> str:
    """What was made, or would be, and what to write where."""
    lines = []
    if keys.files:
        made = "made" if keys.public else "would make"
        lines = [f"{made} {', '.join(keys.files.values())}", "", f"For profiles/{keys.guest}.yaml:"]
        lines += [f"    {line}" for line in profile_lines(keys)]
    if keys.public:
        lines += [*([""] if lines else []), "For known_hosts of its clients:"]
        lines += [f"    {line}" for line in known_hosts_lines(keys)]
        lines += ["", "Fingerprints:", *(f"    {key.kind}: {key.fingerprint}" for key in keys.public)]
    return "\n".join(lines)


def keys_data(keys: Keys) -> Mapping[str, Any]:
    """The same for `--json`."""
    return {
        "guest": keys.guest,
        "files": dict(keys.files),
        "known_hosts": known_hosts_lines(keys),
        "keys": [{"type": key.kind, "public": key.line, "fingerprint": key.fingerprint} for key in keys.public],
    }
