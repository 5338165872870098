"""A network plan for people, and as JSON."""

from __future__ import annotations

from shlex import join
from typing import Any

from builder.xen.network.plan import NetworkPlan


def plan_text(plan: NetworkPlan) -> str:
    """Every file under a line with its path, then the commands that bring it live."""
    files = [f"==> {one.path} <==\n{one.text}" for one in plan.files]
    commands = "".join(f"{join(one.argv)}\n" for one in plan.commands if one.argv != ("true",))
    packages = f"==> Debian packages that dom0 needs <==\n{' '.join(plan.packages)}\n"
    return "\n".join([*files, packages, f"==> commands, in this order <==\n{commands}"])


def plan_data(plan: NetworkPlan) -> dict[str, Any]:
    """Files, settings, rules, commands and vifs."""
    return {
        "files": [{"path": one.path, "mode": f"{one.mode:04o}", "text": one.text} for one in plan.files],
        "sysctls": [{"name": one.name, "value": one.value, "optional": one.optional} for one in plan.sysctls],
        "ruleset": plan.ruleset,
        "commands": [
            {
                "argv": list(one.argv),
                "why": one.why,
                "unless": list(one.unless),
                "undo": list(one.undo),
                "scope": one.scope,
            }
            for one in plan.commands
        ],
        "owned": list(plan.owned),
        "packages": list(plan.packages),
        "vifs": [
            {
                "name": one.name,
                "guest": one.guest,
                "mac": one.mac,
                "mode": one.nic.mode,
                "network": one.network.name if one.network else None,
                "addresses": list(map(str, one.nic.fixed_addresses)),
            }
            for one in plan.vifs
        ],
    }
