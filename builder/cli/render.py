"""`domu render`: one artefact of a guest, on standard output."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from builder.cli.app import FINE, app, site_of


class Artefact(StrEnum):
    """What can be printed."""

    PRESEED = "preseed"
    SCRIPTS = "scripts"
    INSTALL = "install"
    RUN = "run"
    VOLUMES = "volumes"


@app.command()
def render(
    context: typer.Context,
    guest: Annotated[str, typer.Argument(help="The guest's name.")],
    artefact: Annotated[
        Artefact,
        typer.Argument(help="scripts: early and late steps and files; install and run: the xl configs."),
    ] = Artefact.PRESEED,
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show crypt hashes instead of Secret(...).")] = False,
) -> int:
    """Print one artefact of a guest: its preseed, scripts, xl configs or volumes. Nothing is written or fetched."""
    from builder.workflows.render import render as render_artefact

    text, findings = render_artefact(site_of(context), guest, artefact.value, reveal=reveal)
    typer.echo(text, nl=False)
    for finding in findings:
        typer.echo(str(finding), err=True)
    return FINE
