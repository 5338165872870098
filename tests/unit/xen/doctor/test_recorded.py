"""What was recorded in a real dom0 (the lab's: Debian 12, Xen 4.17.5), read and judged anew."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builder.profile.model import Guest
from builder.report.doctor import doctor_text
from builder.xen.doctor.check import examine
from builder.xen.doctor.checks import CHECKS
from builder.xen.doctor.fact import Known
from builder.xen.doctor.facts import Cacher, Skew
from builder.xen.doctor.needs import DEBIAN_KEYRING, Needs, needs_of
from tests.dom0s import NOW, OS_RELEASE, MadeUp, archive_key, keyring
from tests.guests import SMALL

DATA = Path(__file__).parents[3] / "data/dom0"


def recorded(root: Path) -> MadeUp:
    """The dom0 as it was, but for the keyring and the room on its disk; os-release is that of every Debian 12."""
    data = json.loads((DATA / "bookworm.json").read_text())
    made = MadeUp(root)
    for path, content in data["files"].items():
        made.write(path, content)
    for path in (*data["empty"], *data["programs"]):
        made.write(path)
    for path in data["programs"]:
        (root / path.lstrip("/")).chmod(0o755)
    for path in data["folders"]:
        (root / path.lstrip("/")).mkdir(exist_ok=True)
    for command, (status, out, err) in data["outputs"].items():
        made.says(command, out, status=status, err=err)
    made.room()
    made.write("/etc/os-release", OS_RELEASE)
    made.write(DEBIAN_KEYRING, keyring(archive_key("trixie"), ends=NOW + timedelta(days=900)))
    return made


def needs() -> Needs:
    guests = [
        Guest.model_validate({**SMALL, "name": "db1", "memory": "2G", "autostart": True, "disk": {"size": "10G"}}),
        Guest.model_validate({**SMALL, "name": "web1", "type": "pvh", "disk": {"size": "20G"}}),
    ]
    return needs_of("/srv/site", tuple(guests), ())


def test_the_lab(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    facts = replace(
        recorded(tmp_path).facts(needs()),
        cachers=Known((Cacher("http://10.0.2.100:3142", "Debian Apt-Cacher NG/3.7.4", "", 200, "OK", here=False),)),
        skew=Known(Skew(0.2, "mirror.example.org")),
    )
    seen = doctor_text(examine(facts, needs(), CHECKS)) + "\n"
    if request.config.getoption("--regenerate"):
        (DATA / "bookworm.txt").write_text(seen)
    assert (DATA / "bookworm.txt").read_text() == seen


def test_the_facts_are_those_of_the_lab(tmp_path: Path) -> None:
    facts = recorded(tmp_path).facts(needs())
    assert facts.hypervisor.get().version == "4.17.5"
    assert [domain.name for domain in facts.domains.get()] == ["Domain-0", "pv-trixie"]
    menu = facts.grub.get()
    assert menu
    assert [(entry.title, entry.is_xen) for entry in menu.entries[::2]] == [
        ("Debian GNU/Linux", False),
        ("Debian GNU/Linux, with Xen hypervisor", True),
    ]
    assert menu.find("3>0>1").title.endswith("(recovery mode)")
    assert facts.storage.get().groups[0].name == "vg0"
    assert facts.daemons.get()["xenconsoled"][1:3] == ("--log=guest", "--log-dir=/var/log/xen/console")
    assert facts.xendomains.get().state == "generated"
    assert facts.init_reads.get() == {"XENCONSOLED_ARGS"}
