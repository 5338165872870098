"""Profiles for tests: a sound site in few words, one that sets every field, and a way to change one value in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from builder.profile.load import LoadedSite, SourceText, load_site
from tests.guests import FULL as EVERY_FIELD

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfW8EuEKb2VCqmubrN/ACJB7LqwB5FhML94uNY4n39i nobody@example.org"
HASH = f"$6$canary${'canary' * 14}ca"
SITE: Mapping[str, Any] = {
    "suite": "trixie",
    "memory": "1G",
    "volume_group": "vg0",
    "nics": [{"bridge": "xenbr0"}],
    "ssh_keys": [KEY],
}
# Every field of every model, each with a sound value: those of another guest that has them all, and of its own.
FULL: Mapping[str, Any] = EVERY_FIELD | {
    "name": "web1",
    "description": "A web server",
    "type": "pv",
    "install_memory": "1G",
    "on_poweroff": "destroy",
    "on_reboot": "restart",
    "on_crash": "preserve",
    "nics": [
        {
            "mode": "bridge",
            "bridge": "xenbr0",
            "mac": "00:16:3e:00:00:01",
            "ipv4": {"address": "192.0.2.10/24", "gateway": "192.0.2.1"},
            "ipv6": {"address": "2001:db8::10/64", "gateway": "fe80::1"},
            "rate": "100Mb/s",
        },
        {
            "mode": "nat",
            "bridge": "natbr0",
            "vlan": 7,
            "ipv4": {"address": "10.0.0.5/24"},
            "ipv6": "none",
            "forward": [{"address": "203.0.113.5", "protocol": "udp", "ports": ["53"], "to": 5353}],
            "isolated": True,
            "antispoof": False,
        },
    ],
    "wipe": "discard",
    "disk": {
        "volume": "web1-disk",
        "size": "8G",
        "headroom": "10%",
        "thin": False,
        "label": "gpt",
        "method": "lvm",
        "partitions": [
            {
                "mount": "/",
                "filesystem": "ext4",
                "minimum": "2G",
                "priority": "3G",
                "maximum": "4G",
                "primary": True,
                "name": "root",
            }
        ],
    },
    "volumes": [
        {
            "name": "data",
            "volume": "web1-data",
            "size": "1G",
            "keep": True,
            "thin": True,
            "mount": "/srv",
            "filesystem": "xfs",
        }
    ],
    "ntp": True,
    "components": ["main"],
    "keyring": "keys/mirror.gpg",
    "packages": ["vim"],
    "root": {"password": {"file": "secrets/root.hash"}, "ssh_keys": [KEY]},
    "users": [
        {
            "name": "alex",
            "full_name": "Alex Example",
            "password": {"command": ["print-hash"]},
            "ssh_keys": [KEY],
            "sudo": True,
        },
        {"name": "kim", "password": {"env": "KIM_HASH"}},
        {"name": "robin", "password": {"hash": HASH}},
    ],
    "ssh_keys": [KEY],
    "bootloader": "pygrub",
    "kernel_args": ["quiet"],
    "early_commands": ["true"],
    "late_commands": [{"run": "true", "where": "target"}],
    "initrd_files": [{"source": "files/a", "path": "/files/a", "executable": True}],
    "ready": {"command": ["/usr/local/sbin/is-up"], "console": False, "limit": 300},
    "debconf": [{"owner": "d-i", "question": "a/b", "type": "string", "value": "c"}],
}


def source(stem: str, text: str | bytes) -> SourceText:
    """profiles/STEM.yaml with this text."""
    return SourceText(f"profiles/{stem}.yaml", stem, text if isinstance(text, bytes) else text.encode())


def load(guest: str | Mapping[str, Any] = "{}\n", **others: str | Mapping[str, Any]) -> LoadedSite:
    """site.yaml of SITE unless given, web1.yaml with `guest`, and others by stem."""
    files = {"site": SITE, "web1": guest} | others
    return load_site([source(stem, as_yaml(text)) for stem, text in files.items()])


def as_yaml(text: str | Mapping[str, Any]) -> str:
    """JSON is YAML, as long as it is ASCII or has no surrogate pairs."""
    return text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)


def changed(profile: Mapping[str, Any], path: Sequence[str | int], value: Any) -> dict[str, Any]:
    """A copy with one value set."""
    copied: Any = copy.deepcopy(dict(profile))
    inner = copied
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    result: dict[str, Any] = copied
    return result


def codes(loaded: LoadedSite) -> list[str]:
    """The codes of all findings, in order."""
    return [finding.code for finding in loaded.findings]
