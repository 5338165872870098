"""What `domu iso` puts into an image for a guest: a module of its own, as reading profiles takes its time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from builder.errors import RefusalError
from builder.findings import Finding, Findings
from builder.host.run import Runner, run
from builder.host.secrets import resolve
from builder.host.site import Site
from builder.workflows.check import check
from builder.workflows.iso import Wish
from builder.workflows.payload import payloads_of, read_carried
from builder.workflows.render import Artefacts
from builder.xen.config import INSTALLER_ARGUMENTS, INSTALLER_CONSOLE


def wish_of(site: Site, name: str, *, environment: Mapping[str, str], runner: Runner = run) -> Wish:
    """A guest's preseed and files, for its architecture and console; RefusalError when the guest has errors."""
    artefacts, _ = prove(site, name, environment=environment, runner=runner)
    return wish_for(artefacts, read_carried(site, artefacts.guest))


def prove(
    site: Site, name: str, *, environment: Mapping[str, str], runner: Runner = run
) -> tuple[Artefacts, tuple[Finding, ...]]:
    """A guest rendered with its secrets, and warnings about it; RefusalError when it has errors."""
    proved = check(
        site,
        (name,),
        secrets=lambda guest: resolve(guest.secrets(), site=site, runner=runner, environment=environment),
        runner=runner,
    )
    findings = Findings()
    findings.extend(proved.findings)
    if findings.errors:
        raise RefusalError("no image was made", proved.findings, "mend the errors above")
    (artefacts,) = proved.artefacts
    return artefacts, proved.findings


def wish_for(artefacts: Artefacts, carried: Mapping[str, bytes]) -> Wish:
    """The same for a guest that is rendered already; `carried` are the site's files (`payload.read_carried`)."""
    guest = artefacts.guest
    wish = Wish(payloads_of(artefacts, carried), arch=guest.arch, guest=guest.name, suite=guest.suite)
    if guest.type == "hvm":  # installed over Xen's console, not over a screen
        return replace(wish, arguments=("auto=true", *INSTALLER_ARGUMENTS), shared=(INSTALLER_CONSOLE,))
    return wish
