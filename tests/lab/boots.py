"""One row of the boot matrix carried out: a guest's run config from domu, a boot, what its console said."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from builder.host.site import Site
from builder.workflows.render import render
from tests.lab.console import Seen, forget, wait_for
from tests.lab.dom0 import VOLUME_GROUP, Lab, LabError
from tests.lab.guest import ADDRESS, ARGUMENTS, GuestDisk, lay_guest
from tests.lab.image import GATEWAY
from tests.lab.place import ROOT

RECORD = ROOT / "tests/data/lab-boots.json"
LIMIT = 900.0  # seconds; a boot takes 50 to 300, and 610 were seen beside other work
# The first that is on the console decides. When all is slow, systemd gives up waiting for hvc0, and no prompt comes.
PATTERNS = {
    "booted": r"guest login:|Reached target .*graphical\.target",
    "not xen image": r"error: not xen image",
    "no kernel": r"error: you need to load the kernel first",
    "panic": r"Kernel panic - not syncing",
    "grub rescue": r"^grub(?: rescue)?>",
    "initramfs": r"^\(initramfs\)",
}


@dataclass(frozen=True, slots=True)
class Case:
    """What is tried."""

    type: str
    suite: str
    method: str
    hook: bool = False  # the guest has domu's kernel hook

    @property
    def name(self) -> str:
        """The guest's."""
        return f"{self.type}-{self.suite}"

    def __str__(self) -> str:
        return f"{self.type}-{self.suite}-{self.method}{'-hook' if self.hook else ''}"


@dataclass(frozen=True, slots=True)
class Row:
    """What came of it; `seconds` from xl create to the decisive line."""

    xen: str
    dom0: str
    type: str
    suite: str
    kernel: str
    compression: str
    method: str
    hook: bool
    result: str  # booted, failed
    seconds: int
    line: str
    guest: Mapping[str, str]  # what the guest says of itself
    date: str


def run_config(case: Case, site: Path) -> str:
    """domu's run config for this case."""
    arguments = ["root=/dev/xvda1", "ro", *ARGUMENTS.split()[1:]] if case.method == "direct" else []
    write_profile(case, site, arguments)
    return render(Site(site), case.name, "run", reveal=False)[0]


def write_profile(case: Case, site: Path, arguments: list[str]) -> None:
    """The profile of this case, the only one of its site."""
    profile = {
        "suite": case.suite,
        "type": case.type,
        "bootloader": case.method,
        "memory": "768M",
        "cpus": "1",
        "volume_group": VOLUME_GROUP,
        "disk": {"volume": f"{case.suite}-disk", "size": "10G"},
        "nics": [{"bridge": "xenbr0", "ipv4": {"address": f"{ADDRESS}/24", "gateway": GATEWAY}}],
        "kernel_args": arguments,
        "dom0_reads_disk": case.method == "pygrub",
        "proxy": "none",
    }
    shutil.rmtree(site / "profiles", ignore_errors=True)
    (site / "profiles").mkdir(parents=True)
    (site / "profiles" / f"{case.name}.yaml").write_text(yaml.safe_dump(profile))


def prepare(lab: Lab, guest: GuestDisk, device: str, folder: Path) -> None:
    """Lay the guest's disk and boot it once, directly, to install GRUB in it as the installer would."""
    lay_guest(lab, guest, device)
    _lay_kernel(lab, guest, Case("pv", guest.suite, "direct"))
    boot(lab, guest, Case("pv", guest.suite, "direct"), folder)
    lab.guest(
        ADDRESS,
        "grub-install --target=x86_64-xen --no-nvram && grub-install --target=i386-pc /dev/xvda && update-grub",
        limit=900,
    )
    stop(lab, Case("pv", guest.suite, "direct"))


def boot(lab: Lab, guest: GuestDisk, case: Case, folder: Path) -> Row:
    """Create the guest and wait for its login prompt or for what ends in failure. A booted one is left running."""
    text = run_config(case, folder)
    if case.method == "direct":
        _lay_kernel(lab, guest, case)
    lab.write(f"/root/{case.name}.cfg", text)
    forget(lab, case.name)
    begin = time.monotonic()
    made = lab.ask(f"xl create -q /root/{case.name}.cfg", limit=LIMIT)
    if made.status:
        lines = [line for line in made.err.splitlines() if line.strip()]
        seen = Seen("xl create", lines[0] if lines else f"exit status {made.status}", 0, made.err)
    else:
        seen = wait_for(lab, case.name, PATTERNS, LIMIT)
    seconds = time.monotonic() - begin
    booted = seen.name == "booted"
    (folder / f"{case}.console").write_text(seen.text)
    row = Row(
        xen=xen_version(lab),
        dom0=lab.image.suite,
        type=case.type,
        suite=case.suite,
        kernel=guest.kernel_version,
        compression=guest.compression,
        method=case.method,
        hook=case.hook,
        result="booted" if booted else "failed",
        seconds=round(seconds),
        line=seen.line,
        guest=ask_guest(lab) if booted else {},
        date=f"{datetime.now(UTC):%Y-%m-%d}",
    )
    if not booted:
        lab.ask(f"xl destroy {case.name}")
    return row


def ask_guest(lab: Lab) -> dict[str, str]:
    """What the guest says of itself over ssh."""
    asked = {
        "guest_type": "cat /sys/hypervisor/guest_type",
        "kernel": "uname -r",
        "modules": "lsmod | awk '/^xen/{print $1}' | sort | xargs",
        "failed_units": "systemctl --failed --plain --no-legend | wc -l",
    }
    script = "; ".join(f"echo {name}=$({command} 2>/dev/null)" for name, command in asked.items())
    for attempt in range(5):
        try:
            lines = lab.guest(ADDRESS, script).splitlines()
        except LabError:
            if attempt == 4:
                raise
            time.sleep(5)  # sshd comes up beside the prompt
        else:
            return dict(line.partition("=")[::2] for line in lines)
    raise AssertionError


def stop(lab: Lab, case: Case) -> None:
    """Power the guest off, and see it gone: `xl shutdown -w` returns before the domain's name is free again."""
    lab.run(f"xl shutdown -w {case.name} || xl destroy {case.name}", limit=600)
    lab.run(f"for try in $(seq 60); do xl domid {case.name} >/dev/null 2>&1 || exit 0; sleep 1; done; exit 1")


def xen_version(lab: Lab) -> str:
    """As 4.17.5."""
    lines = dict(line.partition(":")[::2] for line in lab.run("xl info").splitlines())
    return next(value.strip() for key, value in lines.items() if key.strip() == "xen_version")


def record(row: Row, path: Path = RECORD) -> None:
    """Into the record, in place of the row for the same case, dom0 and kernel."""
    rows = json.loads(path.read_text()) if path.exists() else []
    new = asdict(row)
    same = ("xen", "dom0", "type", "suite", "kernel", "method", "hook")
    kept = [one for one in rows if any(one[key] != new[key] for key in same)]
    rows = sorted([*kept, new], key=lambda one: [str(one[key]) for key in same])
    path.write_text(json.dumps(rows, indent=2) + "\n")


def _lay_kernel(lab: Lab, guest: GuestDisk, case: Case) -> None:
    """Kernel and initrd in dom0, where the run config of a directly booted guest names them."""
    target = f"/var/lib/domu/{case.name}/installed"
    if lab.ask(f"test -e {target}/vmlinuz").status:
        lab.copy(guest.folder, f"/root/{guest.suite}", ["vmlinuz", "initrd.img"])
        lab.run(f"mkdir -p {target} && ln -sf /root/{guest.suite}/vmlinuz /root/{guest.suite}/initrd.img {target}/")
