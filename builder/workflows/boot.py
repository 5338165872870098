"""`domu boot`: how a guest would start here, what else would work, and what cannot. Touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from builder.errors import BuilderError
from builder.findings import Finding, Findings, Severity
from builder.host.boot import read_boot_facts, read_kernel_file
from builder.host.run import Runner, run
from builder.host.site import Site, load
from builder.host.xl import ROOT, look_for_xen
from builder.profile.model import Guest
from builder.workflows.render import find_guest
from builder.xen.boot import Choice, advise, check_boot, choose
from builder.xen.boot_facts import assumed_facts
from builder.xen.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Answer:
    """The guest, the choice with everything beside it, advice (may be empty), and what speaks against the choice.

    `dom0`: whether this machine is one, so that its own facts count, and how that was seen.
    """

    guest: Guest
    choice: Choice
    advice: str
    findings: Findings
    dom0: bool
    seen: str


def explain_boot(site: Site, name: str, *, runner: Runner = run, root: Path = ROOT) -> Answer:
    """BuilderError for an unknown guest, RefusalError when its profile is unsound."""
    guest = find_guest(site, name)
    dom0 = load(site).dom0
    presence = look_for_xen(root)
    facts = read_boot_facts(runner, assumed_facts(dom0.xen, dom0.suite), root)
    kernel = built_kernel(site, guest)
    choice = choose(guest, facts, kernel)
    findings = Findings()
    findings.extend(check_boot(guest, facts, kernel))
    return Answer(guest, choice, advise(guest, choice), findings, presence.dom0, presence.why)


def built_kernel(site: Site, guest: Guest) -> Kernel | None:
    """The kernel that `domu build` took for the installer: the installed guest gets the very same file.

    Compared byte for byte: linux-image 6.12.107+deb13 has the vmlinuz of the installer of 20250803+deb13u7. None: not
    built yet.
    """
    kernel = read_kernel_file(site.build / guest.name / "vmlinuz")
    return kernel and replace(kernel, origin=f"{kernel.origin}, the installer's, which the guest gets, too")


def kernel_findings(guest: Guest, path: Path) -> tuple[Finding, ...]:
    """What speaks against starting the guest with the kernel in this file; a warning where it cannot be read."""
    choice = choose(guest)
    if choice.chosen is None or choice.chosen.way.unpacker == "itself":
        return ()
    try:
        kernel = read_kernel_file(path)
    except BuilderError as error:
        message = f"{error.message}; whether {choice.chosen.method} can start it was judged by the suite alone"
        return (Finding("X107", message, error.hint, severity=Severity.WARNING, guest=guest.name),)
    return tuple(check_boot(guest, kernel=kernel))
