"""`domu report`: what drills said of the guests."""

from __future__ import annotations

import json as json_text
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from builder.cli.app import FINE, app, site_of


@app.command()
def report(
    context: typer.Context,
    guests: Annotated[list[str] | None, typer.Argument(help="Guests; all unless named.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    root: Annotated[Path, typer.Option(help="Where dom0's file system begins.", hidden=True)] = Path("/"),
) -> int:
    """Tell how long guests take to come back.

    From the drills of this dom0 (domu rebuild --drill): the last of each guest, its age and its time, the time of all
    together, and who never came back in one.
    """
    from builder.report.recovery import report_data, report_text
    from builder.workflows.report import make_report

    found, under_way = make_report(site_of(context), tuple(guests or ()), root=root)
    now = datetime.now(UTC)
    if json:
        typer.echo(json_text.dumps(report_data(found, under_way, now), indent=2))
    else:
        typer.echo(report_text(found, under_way, now))
    return FINE
