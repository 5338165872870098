"""A whole unattended installation in the lab: `domu build`'s artefacts, carried to dom0, started by their install config.

A mirror may list udebs that it cannot give; the lab's supplement (tests/boot/supplement.py) stands in for them, as an
archive behind domu's initrd. It stays in the lab: what domu builds is not changed. `xl create` then prints one line,
`xc_dom_do_gunzip: inflate failed`, and goes on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from builder.host.site import Site
from builder.progress import Silence
from builder.workflows.build import BuildOrder, build
from tests.boot.supplement import make_supplement
from tests.lab.console import Seen, forget, wait_for
from tests.lab.dom0 import VOLUME_GROUP, Lab
from tests.lab.guest import ADDRESS
from tests.lab.image import CACHER, GATEWAY
from tests.lab.place import ROOT
from tests.media import netboot_media

DOM0_PATH = "/var/lib/domu"
VOLUME = 4096  # MiB
LIMIT = 3 * 3600.0  # seconds; an idle machine takes half an hour
# The text frontend's line of what it does, and how an installation ends or stops.
ENDS = {
    "ended": r"reboot: (?:Power down|Power off not available)",
    "question": r"^Prompt: .*>",
    "panic": r"Kernel panic - not syncing",
}


@dataclass(frozen=True, slots=True)
class Installed:
    """How it went: the last of the console, and seconds from xl create."""

    guest: str
    seen: Seen


def lay_profile(site: Path, name: str, public_key: str, more: Mapping[str, Any]) -> None:
    """A guest for the lab's network: a fixed address, the cacher as its proxy, the lab's key for root."""
    profile = {
        "suite": "trixie",
        "type": "pv",
        "memory": "1G",
        "cpus": "1",
        "volume_group": VOLUME_GROUP,
        "disk": {
            "size": f"{VOLUME}M",
            "partitions": [
                {"mount": "/", "minimum": "2G", "maximum": "unlimited"},
                {"mount": "swap", "minimum": "256M", "maximum": "512M"},
            ],
        },
        "nics": [{"bridge": "xenbr0", "ipv4": {"address": f"{ADDRESS}/24", "gateway": GATEWAY}}],
        "dns": [GATEWAY],
        "ntp": False,
        "tasks": [],
        "packages": ["openssh-server"],
        "root": {"ssh_keys": [public_key]},
        "proxy": f"http://{CACHER}",
        "security": False,
        "dom0_path": DOM0_PATH,
        **more,
    }
    (site / "profiles").mkdir(parents=True, exist_ok=True)
    (site / "profiles" / f"{name}.yaml").write_text(yaml.safe_dump(profile))
    if not (site / "cache").exists():
        (site / "cache").symlink_to(ROOT / "cache")


def built(site: Path, name: str, folder: Path) -> Path:
    """The guest's artefacts, and beside them `lab-initrd.gz` with the supplement; `folder` is for this alone."""
    run = build(Site(site), BuildOrder((name,)), progress=Silence(), now=datetime.now(UTC), environment=os.environ)
    place = run.built[0].folder
    shutil.rmtree(folder, ignore_errors=True)
    media = netboot_media("trixie", site / "profiles")
    supplement = make_supplement(Site(ROOT), media, folder)
    print(supplement)
    initrd = (place / "initrd.gz").read_bytes()
    (folder / "initrd.gz").write_bytes(initrd + bytes(-len(initrd) % 512) + supplement.archive.read_bytes())
    return place


def install(lab: Lab, name: str, artefacts: Path, initrd: Path, limit: float = LIMIT) -> Installed:
    """Carry the artefacts to dom0, make the volume, start the installer, and wait until it has ended."""
    target = f"{DOM0_PATH}/{name}"
    lab.copy(artefacts, target)
    lab.write(f"{target}/initrd.gz", initrd.read_bytes())
    lab.run(f"lvs {VOLUME_GROUP}/{name}-disk || lvcreate -q -y -L {VOLUME}M -n {name}-disk {VOLUME_GROUP}")
    forget(lab, name)
    lab.run(f"xl create -q {target}/{name}.install.cfg")
    return Installed(name, wait_for(lab, name, ENDS, limit))
