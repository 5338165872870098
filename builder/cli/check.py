"""`domu check`: the command for CI."""

from __future__ import annotations

import json as json_text
import sys
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, site_of


@app.command()
def check(
    context: typer.Context,
    guests: Annotated[list[str] | None, typer.Argument(help="Guests; all unless named.")] = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Prove guests without building them.

    Looks at profiles, templates, recipes, what the installer would still ask, and the xl configs; touches nothing.
    """
    from builder.findings import Severity
    from builder.report.findings import count_text, finding_data, findings_text, wants_colour
    from builder.workflows.check import check as check_guests

    done = check_guests(site_of(context), guests or ())
    limit = Severity.WARNING if strict else Severity.ERROR
    failed = any(finding.severity <= limit for finding in done.findings)
    if json:
        data = {
            "ok": not failed,
            "guests": list(done.names),
            "findings": [finding_data(finding) for finding in done.findings],
        }
        typer.echo(json_text.dumps(data, indent=2))
    else:
        if done.findings:
            typer.echo(findings_text(done.findings, colour=wants_colour(sys.stdout)))
        count = len(done.names)
        typer.echo(f"{count} guest{'s' * (count != 1)} checked: {count_text(done.findings)}")
    return FINDINGS if failed else FINE
