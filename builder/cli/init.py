"""`domu init`: lay a new site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from builder.cli.app import FINE, app


@app.command()
def init(target: Annotated[Path, typer.Argument(metavar="DIR", help="A new or an empty folder.")]) -> int:
    """Lay a new site.

    With site.yaml, a first guest, and the schema that lets an editor complete them.
    """
    from builder.workflows.init import lay

    commands = lay(target)
    typer.echo(f"{target}: a new site. Put your own SSH key into {target}/profiles/site.yaml, then:")
    for command in commands:
        typer.echo(f"  {command}")
    return FINE
