"""`domu drift`: which of the guests that run here are no longer what their profiles say."""

from __future__ import annotations

import json as json_text
import os
import sys
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, site_of


@app.command()
def drift(
    context: typer.Context,
    guests: Annotated[list[str] | None, typer.Argument(help="Guests; all that run unless named.")] = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Compare all running guests with their profiles.

    As domu verify does for one, many at once; and names domains that no profile describes.
    """
    from builder.report.findings import wants_colour
    from builder.report.verify import drift_text, result_data
    from builder.workflows.verify import drift as find_drift

    found = find_drift(site_of(context), tuple(guests or ()), environment=os.environ)
    failed = any(one.fails(strict=strict) for one in found)
    if json:
        typer.echo(json_text.dumps({"ok": not failed, "guests": [*map(result_data, found)]}, indent=2))
    else:
        typer.echo(drift_text(found, colour=wants_colour(sys.stdout)))
    return FINDINGS if failed else FINE
