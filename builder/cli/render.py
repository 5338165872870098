"""`domu render`: one artefact of a guest, on standard output."""

from __future__ import annotations

import json as json_text
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
    NETWORK = "network"


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
    json: Annotated[bool, typer.Option("--json", help="Volumes as JSON; any other as a JSON object.")] = False,
) -> int:
    """Print one artefact of a guest.

    Its preseed, scripts, xl configs, volumes or network. Nothing is written or fetched.
    """
    from builder.workflows.render import render as render_artefact

    text, findings = render_artefact(site_of(context), guest, artefact.value, reveal=reveal, as_json=json)
    if json and artefact not in {Artefact.VOLUMES, Artefact.NETWORK}:
        text = json_text.dumps({"guest": guest, "artefact": artefact.value, "text": text}, indent=2) + "\n"
    typer.echo(text, nl=False)
    for finding in findings:
        typer.echo(str(finding), err=True)
    return FINE
