"""`domu network show`: dom0's networks and their guests, as text and as a picture."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer

from builder.cli.app import FINE, site_of
from builder.cli.network import group


@group.command()
def show(
    context: typer.Context,
    *,
    svg: Annotated[Path | None, typer.Option(help="Write a picture to this file; - prints it.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Show dom0's networks.

    With the guests on each: vifs, MACs, addresses, and what is passed on to them.
    """
    from builder.report.network_picture import picture_data, picture_svg, picture_text
    from builder.workflows.network import plan as make_plan
    from builder.workflows.network_show import write_picture

    plan = make_plan(site_of(context)).plan
    if svg and str(svg) != "-":
        write_picture(svg, picture_svg(plan))
    if svg and str(svg) == "-":
        typer.echo(picture_svg(plan), nl=False)
    elif json:
        typer.echo(json_text.dumps(picture_data(plan), indent=2))
    else:
        typer.echo(picture_text(plan), nl=False)
    return FINE
