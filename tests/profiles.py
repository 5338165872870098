"""Profiles for tests: a sound site in few words, one that sets every field, and a way to change one value in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from builder.profile.load import LoadedSite, SourceText, load_site

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfW8EuEKb2VCqmubrN/ACJB7LqwB5FhML94uNY4n39i nobody@example.org"
HASH = f"$6$canary${'canary' * 14}ca"
SITE: Mapping[str, Any] = {
    "suite": "trixie",
    "memory": "1G",
    "volume_group": "vg0",
    "nics": [{"bridge": "xenbr0"}],
    "ssh_keys": [KEY],
}
# Every field of every model, each with a sound value.
FULL: Mapping[str, Any] = {
    "name": "web1",
    "description": "A web server",
    "suite": "trixie",
    "arch": "amd64",
    "type": "pv",
    "memory": "1G",
    "install_memory": "1G",
    "max_memory": "2G",
    "vcpus": 2,
    "max_vcpus": 4,
    "cpus": "0-3",
    "cpu_weight": 512,
    "cpu_cap": 150,
    "uuid": "0f1e2d3c-4b5a-4697-8812-3d4e5f60718a",
    "vnc": {"listen": "127.0.0.1", "display": 7},
    "on_poweroff": "destroy",
    "on_reboot": "restart",
    "on_crash": "preserve",
    "autostart": True,
    "start_after": ["db1"],
    "media": "iso",
    "media_sources": ["package"],
    "iso": "images/netinst.iso",
    "iso_sha256": "0" * 64,
    "iso_mirror": "http://mirror.example.org/debian-cd/current/amd64/iso-cd",
    "iso_keyring": "keys/cd.gpg",
    "domain": "example.org",
    "dns": ["192.0.2.53"],
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
    "volume_group": "vg0",
    "thin_pool": "thin",
    "thin_watermark": "70%",
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
    "dom0_path": "/var/lib/domu",
    "locale": "de_DE.UTF-8",
    "keyboard": "de",
    "timezone": "Europe/Berlin",
    "ntp": True,
    "mirror": "http://mirror.example.org/debian",
    "components": ["main"],
    "security": True,
    "keyring": "keys/mirror.gpg",
    "proxy": "http://cacher.example.org:3142",
    "keep_proxy": False,
    "packages": ["vim"],
    "tasks": ["standard"],
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
    "dom0_reads_disk": True,
    "kernel_args": ["quiet"],
    "early_commands": ["true"],
    "late_commands": [{"run": "true", "where": "target"}],
    "initrd_files": [{"source": "files/a", "path": "/files/a", "executable": True}],
    "debconf": [{"owner": "d-i", "question": "a/b", "type": "string", "value": "c"}],
    "template": "preseed.cfg.j2",
    "lint": {"ignore": ["L201"]},
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
