"""`domu show`: a guest's resolved profile."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, site_of
from builder.findings import Severity


@app.command()
def show(
    context: typer.Context,
    guest: Annotated[str, typer.Argument(help="The guest's name.")],
    *,
    why: Annotated[bool, typer.Option("--why", help="After each value, the file and line that set it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON, with what is derived.")] = False,
) -> int:
    """Print the resolved profile of a guest.

    That is site.yaml, its layers and its own file, merged. Secrets are not shown.
    """
    from builder.workflows.show import show as show_guest

    shown = show_guest(site_of(context), guest, why=why)
    typer.echo(json.dumps(shown.data, indent=2, ensure_ascii=False) if as_json else shown.text, nl=as_json)
    for finding in shown.findings:
        typer.echo(str(finding), err=True)
    return FINDINGS if any(finding.severity is Severity.ERROR for finding in shown.findings) else FINE
