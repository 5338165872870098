"""`domu network`: dom0's networks for its guests."""

from __future__ import annotations

import json as json_text
from typing import Annotated

import typer

from builder.cli.app import FINE, app, site_of

group = typer.Typer(name="network", help="dom0's networks for the guests.", no_args_is_help=True)
app.add_typer(group)


@group.command()
def plan(
    context: typer.Context,
    *,
    iptables: Annotated[
        bool, typer.Option("--iptables", help="The rules for iptables instead, as a script for sh.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Print what dom0 needs: files, kernel settings, rules, commands.

    From profiles/dom0.yaml and the guests' NICs. Nothing is changed.
    """
    from builder.report.network import plan_data, plan_text
    from builder.workflows.network import plan as make_plan

    planned = make_plan(site_of(context), iptables=iptables)
    if json:
        typer.echo(json_text.dumps(plan_data(planned.plan), indent=2))
    else:
        typer.echo(planned.iptables if iptables else plan_text(planned.plan), nl=False)
    for finding in planned.findings:
        typer.echo(str(finding), err=True)
    return FINE
