"""Whole rebuilds in the lab: a site as a user lays it in dom0, and what its guests got from the cacher."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from builder.media.mirror import Mirror
from tests.lab.dom0 import VOLUME_GROUP, Lab
from tests.lab.image import GATEWAY
from tests.lab.mirror import KEYRING, URL

SITE = "/root/site"
PV, PVH = "web1", "web2"
ADDRESSES: Mapping[str, str] = {PV: "10.0.2.50", PVH: "10.0.2.51"}


def site_profile(archive: Mirror, public_key: str) -> dict[str, Any]:
    """What the guests share. They are told of the real mirror, whose signatures they know; domu asks the lab's.

    The rest is for a machine that emulates: few packages, an initrd of what the guest has, and the CPU's own time
    stamps, each of which would be a trap into Xen otherwise: a PVH guest comes to its first process twice as fast.
    """
    real = urlsplit(archive.url)
    answers = [
        ("mirror/http/hostname", "string", real.netloc),
        ("base-installer/initramfs-tools/driver-policy", "select", "dep"),
    ]
    if real.path != urlsplit(URL).path:
        answers.append(("mirror/http/directory", "string", real.path))
    return {
        "suite": "trixie",
        "memory": "1G",
        "cpus": "1",
        "tsc_mode": "native",
        "volume_group": VOLUME_GROUP,
        "domain": "lab.example.org",
        "dns": [GATEWAY],
        "ntp": False,
        "mirror": URL,
        "keyring": f"profiles/{KEYRING}",
        "security": False,
        "tasks": [],
        "packages": ["openssh-server"],
        "root": {"ssh_keys": [public_key]},
        "debconf": [{"question": name, "type": kind, "value": value} for name, kind, value in answers],
        "ready": {"port": 22, "limit": 1800},
        "lint": {"ignore": ["L331"]},  # of two mirrors the later is meant
    }


def guest_profile(name: str, kind: str) -> dict[str, Any]:
    """A small web server with a data volume that is kept."""
    return {
        "type": kind,
        "disk": {
            "size": "3G",
            "partitions": [
                {"mount": "/", "minimum": "2G", "maximum": "unlimited"},
                {"mount": "swap", "minimum": "256M", "maximum": "256M"},
            ],
        },
        "volumes": [{"name": "srv", "size": "512M", "keep": True, "mount": "/srv", "filesystem": "ext4"}],
        "nics": [{"bridge": "xenbr0", "ipv4": {"address": f"{ADDRESSES[name]}/24", "gateway": GATEWAY}}],
    }


def profiles(archive: Mirror, public_key: str) -> dict[str, str]:
    """File name to text: what takes the place of the sample's."""
    made = {"site": site_profile(archive, public_key), PV: guest_profile(PV, "pv"), PVH: guest_profile(PVH, "pvh")}
    return {f"{name}.yaml": yaml.safe_dump(data, sort_keys=False) for name, data in made.items()}


@dataclass(frozen=True, slots=True)
class Served:
    """What a cacher sent to its clients, in bytes, and how much of it it had to fetch.

    `files`: of what was fetched, all but the archive's lists under fixed names, which may have changed any time.
    """

    sent: int
    fetched: int
    files: int = 0

    @property
    def share(self) -> float:
        """Of what was sent, how much came from the cache."""
        return 1 - self.fetched / self.sent if self.sent else 0.0


def served(log: str) -> Served:
    """From apt-cacher-ng's log, whose lines are time|I, O or E|bytes|client|file."""
    lines = [(kind, int(size), file) for _, kind, size, _, file in (line.split("|") for line in log.splitlines())]
    sums = {kind: sum(size for one, size, _ in lines if one == kind) for kind in ("I", "O")}
    return Served(sums["O"], sums["I"], sum(size for kind, size, file in lines if kind == "I" and not _is_list(file)))


def _is_list(file: str) -> bool:
    name = file.rpartition("/")[2]
    return (
        "/dists/" in file and "/by-hash/" not in file and name in {"Release", "InRelease", "Release.gpg", "Packages.xz"}
    )


def keep_runs(lab: Lab, folder: Path) -> None:
    """Journals, consoles and logs of dom0's runs, and what xenconsoled wrote, into a folder of this machine."""
    packed = lab.ask("tar -c -C / var/lib/domu/runs var/log/xen/console 2>/dev/null | base64")
    subprocess.run(["tar", "-x", "-C", folder], input=base64.b64decode(packed.out), check=True)
