"""`domu schema`: JSON Schema of the profiles."""

from __future__ import annotations

import typer

from builder.cli.app import FINE, app


@app.command()
def schema() -> int:
    """Print the JSON Schema of profiles.

    Draft 2020-12, for editors; keep it as profiles/schema.json.
    """
    from builder.workflows.schema import print_schema

    typer.echo(print_schema(), nl=False)
    return FINE
