"""`domu build`: artefacts of guests into build/."""

from __future__ import annotations

import json as json_text
import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from builder.cli.app import FINE, app, site_of


@app.command()
def build(
    context: typer.Context,
    guests: Annotated[list[str] | None, typer.Argument(help="Guests; all unless named.")] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Build what is built already, too.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use the cache alone.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Build the artefacts of guests.

    Into build/GUEST/: preseed, initrd, kernel, xl configs, volumes, network, and a manifest of every input and output.
    """
    from builder.report.build import built_data, built_text
    from builder.report.findings import finding_data, findings_text, wants_colour
    from builder.report.progress import progress_on
    from builder.workflows.build import BuildOrder
    from builder.workflows.build import build as build_guests

    order = BuildOrder(tuple(guests or ()), force=force, offline=offline)
    done = build_guests(site_of(context), order, progress=progress_on(), now=datetime.now(UTC), environment=os.environ)
    if json:
        data = {
            "built": [built_data(one.manifest, one.folder, fresh=one.fresh) for one in done.built],
            "findings": [finding_data(finding) for finding in done.findings],
        }
        typer.echo(json_text.dumps(data, indent=2))
        return FINE
    if done.findings:
        typer.echo(findings_text(done.findings, colour=wants_colour(sys.stderr)), err=True)
    for one in done.built:
        typer.echo(built_text(one.manifest, one.folder, fresh=one.fresh))
    return FINE
