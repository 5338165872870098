"""`domu network plan`: the site's network, from its profiles alone. Touches nothing."""

from __future__ import annotations

from dataclasses import dataclass

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Severity
from builder.host.site import Site, load
from builder.xen.network.iptables import render_iptables
from builder.xen.network.plan import NetworkPlan, plan_network


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan, and what is worth knowing all the same (warnings and notes)."""

    plan: NetworkPlan
    findings: tuple[Finding, ...]
    iptables: str = ""


def plan(site: Site, *, iptables: bool = False) -> Planned:
    """The plan for all guests of the site.

    RefusalError with all findings when one profile has an error: a ruleset without a guest would cut it off.
    BuilderError when dom0.yaml names no networks.
    """
    loaded = load(site)
    broken = [one for one in loaded.findings if one.severity is Severity.ERROR and not one.guest]
    if not loaded.dom0.networks and not broken:
        raise BuilderError(
            "profiles/dom0.yaml names no networks, so there is nothing to plan",
            "write networks: there; docs/network.md explains it, and `domu init DIR` lays an example",
        )
    if any(finding.severity is Severity.ERROR for finding in loaded.findings):
        raise RefusalError("there is no network plan", loaded.findings, "mend the errors above; `domu check` has more")
    made = plan_network(loaded.dom0, loaded.guests)
    return Planned(made, loaded.findings, render_iptables(made.dom0, made.vifs) if iptables else "")
