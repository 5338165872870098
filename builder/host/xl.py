"""dom0's `xl`: asked through the Runner, answered as values of the study; what it cannot tell is told in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuilderError
from builder.host.run import Completed, Runner, as_line
from builder.xen.readings import Domain, XenInfo, read_domains, read_info

ROOT = Path("/")
# What libxl, libxencall and Debian's wrapper of xl say, and what it means. The first that is found counts.
_REASONS = (
    ("Permission denied", "xl works for root only", "run it as root, as in: sudo domu ..."),
    ("Operation not permitted", "xl works for root only", "run it as root, as in: sudo domu ..."),
    (
        "can't find hypervisor information",
        "no Xen runs here",
        "start this machine with Xen (grub: Debian ..., with Xen)",
    ),
    (
        "could not obtain handle on privileged command interface: no such file",
        "no Xen runs here",
        "start this machine with Xen (grub: Debian ..., with Xen)",
    ),
    (
        "of xen utils",
        "the tools of the running Xen are not installed",
        "install xen-utils of the version that /sys/hypervisor/version names, or restart with the Xen installed",
    ),
    ("xenstore", "xenstore does not answer", "systemctl status xen; then, as root: service xen start"),
)


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether Xen is below this system, whether this is its Domain-0, and how that was seen."""

    xen: bool
    dom0: bool
    why: str


def look_for_xen(root: Path = ROOT) -> Presence:
    """From what the kernel says in `root`: /sys/hypervisor, /proc/xen. Needs no rights and no xl."""
    try:
        hypervisor = (root / "sys/hypervisor/type").read_text().strip()
    except OSError:
        return Presence(xen=False, dom0=False, why="there is no /sys/hypervisor/type: no Xen runs below this system")
    if hypervisor != "xen":
        return Presence(xen=False, dom0=False, why=f"the hypervisor below this system is {hypervisor}, not Xen")
    capabilities = root / "proc/xen/capabilities"
    try:
        dom0 = "control_d" in capabilities.read_text().split()
    except OSError:
        return _by_uuid(root)
    said = "control_d" if dom0 else "no control_d"
    return Presence(xen=True, dom0=dom0, why=f"/proc/xen/capabilities has {said}")


def _by_uuid(root: Path) -> Presence:
    """Without xenfs on /proc/xen: Xen gives Domain-0 a UUID of zeros (xen/common/domain.c)."""
    try:
        dom0 = not (root / "sys/hypervisor/uuid").read_text().strip().strip("0-")
    except OSError:
        return Presence(xen=True, dom0=False, why="neither /proc/xen/capabilities nor /sys/hypervisor/uuid can be read")
    kind = "the zeros of Domain-0" if dom0 else "a guest's"
    return Presence(xen=True, dom0=dom0, why=f"/proc/xen is not mounted; /sys/hypervisor/uuid is {kind}")


def is_dom0(root: Path = ROOT) -> bool:
    """Whether this system is Xen's Domain-0."""
    return look_for_xen(root).dom0


def list_domains(runner: Runner) -> tuple[Domain, ...]:
    """Every domain, Domain-0 first, with the configs that xl knows. BuilderError as `ask` has it, or for odd output."""
    table = ask(runner, "list", "--verbose").text
    return read_domains(table, ask(runner, "list", "--long").text)


def xen_info(runner: Runner) -> XenInfo:
    """The hypervisor, its memory and its abilities."""
    return read_info(ask(runner, "info").text)


def xen_log(runner: Runner) -> bytes:
    """What Xen has said since it was started, as far as its ring goes; it tells why a kernel did not start."""
    return ask(runner, "dmesg").stdout


def ask(runner: Runner, *words: str) -> Completed:
    """Run xl and return what it left. BuilderError, with the reason in words, when it is not there or refuses."""
    try:
        done = runner(["xl", *words])
    except BuilderError as error:
        if "is not installed" not in error.message:
            raise
        raise BuilderError("xl is not installed", "on a dom0: apt-get install xen-system-amd64") from error
    if done.status == 0:
        return done
    said = done.stderr.decode(errors="replace")
    for sign, meaning, hint in _REASONS:
        if sign.lower() in said.lower():
            raise BuilderError(f"{as_line(done.argv)} failed: {meaning}", hint)
    raise BuilderError(f"{as_line(done.argv)} failed: {done.complaint}", "look at: xl dmesg; systemctl status xen")
