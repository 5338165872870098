"""Stock installers under Xen, watched on the consoles that xenconsoled keeps: PV, PVH and HVM stop at a question.

What is proven is that each type's console comes to dom0, from the install config that domu writes. An HVM guest's
emulator is itself emulated here, so it takes its time.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from builder.image.initrd import InitrdPayload, segment
from builder.plan.watch import InstallWatch, Verdict, installer_domain, kept_logs
from builder.profile.model import Guest, GuestType
from builder.workflows.look_up import look_up
from builder.xen.config import folder_of, install_config_path, render_install_config
from builder.xen.readings import read_domains
from tests.guests import guest, rendered
from tests.lab.console import console_log, forget
from tests.lab.dom0 import VOLUME_GROUP, Lab
from tests.media import netboot_media

pytestmark = pytest.mark.lab
LIMIT = 2400.0
LEFT_OUT = "debian-installer/locale"


def one(kind: GuestType) -> Guest:
    nics = [{"bridge": "xenbr0"}]
    return guest(name=f"watch-{kind}", type=kind, memory="768M", cpus="1", volume_group=VOLUME_GROUP, nics=nics)


def lay(lab: Lab, made: Guest, folder: Path) -> None:
    """Stock kernel and initrd with the preseed less its locale, and the install config, in dom0."""
    media, text = netboot_media(made.suite, folder), rendered(made)
    preseed = "".join(line for line in text.text.splitlines(keepends=True) if LEFT_OUT not in line)
    files = {path: InitrdPayload(script.encode(), 0o600) for path, script in text.files.items()}
    packed = segment({**files, "/preseed.cfg": InitrdPayload(preseed.encode(), 0o600)})
    lab.write(f"{folder_of(made)}/vmlinuz", media.kernel.path.read_bytes())
    lab.write(f"{folder_of(made)}/initrd.gz", packed + media.initrd.path.read_bytes())
    lab.write(install_config_path(made), render_install_config(made))
    lab.run(f"lvcreate --yes -qq -n {made.disk_volume} -L 1G {made.volume_group}")


def watched(lab: Lab, made: Guest) -> tuple[Verdict, str, float]:
    """What is told of its console, the console, and the seconds from the start."""
    watch, begin, read = InstallWatch(made.name, look_up(None, made.suite).catalogue), time.monotonic(), 0
    console = ""
    while (now := time.monotonic()) < begin + LIMIT:
        console = lab.ask(f"cat {console_log(made.name)}").out
        watch.feed(console[read:], now)
        read = len(console)
        domains = read_domains(lab.run("xl list --verbose"))
        if verdict := watch.look(now, installer_domain(domains, made.name, made.domain_uuid)):
            return verdict, console, now - begin
        time.sleep(3)
    pytest.fail(f"nothing was told within {LIMIT:.0f} s; the console's end:\n{console[-3000:]}")


@pytest.mark.parametrize("kind", ["pv", "pvh", "hvm"])
def test_the_console_of_an_installer_comes_to_dom0(lab: Lab, kind: GuestType, tmp_path: Path) -> None:
    made = one(kind)
    lay(lab, made, tmp_path)
    forget(lab, made.name)
    lab.run(f"xl create {install_config_path(made)}", limit=600)
    try:
        verdict, console, seconds = watched(lab, made)
    finally:
        lab.ask(f"xl destroy {made.name}", limit=120)
        lab.ask(f"lvremove --yes -qq {made.volume_group}/{made.disk_volume}")
    print(f"\n{kind}: {verdict.kind}, {verdict.message} after {seconds:.0f} s")
    assert verdict.prompt, console[-3000:]
    assert verdict.prompt.names[0] == "localechooser/languagelist"
    assert "syslog" in kept_logs(console)
