"""`domu boot`: how a guest is started."""

from __future__ import annotations

import json as json_text
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, site_of


@app.command()
def boot(
    context: typer.Context,
    guest: Annotated[str, typer.Argument(help="The guest's name.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Tell how a guest is started, and why so.

    With what else would work, and what cannot. On a dom0 it looks at what is there; elsewhere it says what it assumes.
    """
    from builder.report.boot import boot_data, boot_text
    from builder.report.findings import findings_text
    from builder.workflows.boot import explain_boot

    answer = explain_boot(site_of(context), guest)
    about = (answer.guest, answer.choice, answer.advice)
    if json:
        data = boot_data(*about, findings=answer.findings, dom0=answer.dom0, seen=answer.seen)
        typer.echo(json_text.dumps(data, indent=2))
    else:
        typer.echo(boot_text(*about, dom0=answer.dom0, seen=answer.seen))
        if answer.findings:
            typer.echo("\n" + findings_text(answer.findings), err=True)
    return FINDINGS if answer.findings.errors else FINE
