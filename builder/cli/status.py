"""`domu status`: how guests stand."""

from __future__ import annotations

import json as json_text
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, site_of


@app.command()
def status(
    context: typer.Context,
    guests: Annotated[list[str] | None, typer.Argument(help="Guests; all unless named.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    root: Annotated[Path, typer.Option(help="Where dom0's file system begins.", hidden=True)] = Path("/"),
) -> int:
    """Tell how guests stand.

    What is built, what runs, how the last rebuild and the last drill ended, and what to do. Changes nothing.
    """
    from builder.report.status import status_data, status_text
    from builder.workflows.status import status as look

    def clock() -> datetime:
        return datetime.now(UTC)

    found = look(site_of(context), tuple(guests or ()), clock=clock, root=root)
    typer.echo(json_text.dumps(status_data(found), indent=2) if json else status_text(found, clock()))
    return FINDINGS if any(one.bad for one in found) else FINE
