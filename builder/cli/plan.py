"""`domu plan`: what a rebuild would do on this dom0."""

from __future__ import annotations

import json as json_text
import os
import sys
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, site_of


@app.command()
def plan(
    context: typer.Context,
    guests: Annotated[list[str] | None, typer.Argument(help="Guests; all unless named.")] = None,
    *,
    commands: Annotated[bool, typer.Option("--commands", help="Show what to type for each step.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Tell what a rebuild of guests would do here.

    Looks at their builds and at this dom0, and touches nothing. What would be destroyed stands on lines of its own.
    """
    from builder.report.findings import findings_text, wants_colour
    from builder.report.plan import plan_data, plan_text
    from builder.workflows.plan import plan as plan_rebuild

    found = plan_rebuild(site_of(context), tuple(guests or ()), environment=os.environ)
    if json:
        typer.echo(json_text.dumps(plan_data(found), indent=2))
    else:
        texts = [plan_text(found, commands=commands), findings_text(found.findings, colour=wants_colour(sys.stdout))]
        typer.echo("\n\n".join(filter(None, texts)))
    return FINDINGS if found.refused else FINE
