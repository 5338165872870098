"""`domu schema`: JSON Schema of the profiles, and of dom0.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from builder.cli.app import FINE, app


@app.command()
def schema(
    of: Annotated[Literal["profile", "dom0"], typer.Argument(help="Profiles, or dom0.yaml.")] = "profile",
) -> int:
    """Print the JSON Schema of profiles.

    Or that of dom0.yaml. Draft 2020-12, for editors; keep them as profiles/schema.json and profiles/dom0.schema.json.
    """
    from builder.workflows.schema import print_schema

    typer.echo(print_schema(of), nl=False)
    return FINE
