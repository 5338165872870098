"""`domu verify`: is what runs what the profile says."""

from __future__ import annotations

import json as json_text
import os
import sys
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, site_of


@app.command()
def verify(
    context: typer.Context,
    guest: Annotated[str, typer.Argument(help="The guest.")],
    *,
    address: Annotated[str, typer.Option(help="Where it answers.", show_default="as the profile says")] = "",
    user: Annotated[str, typer.Option(help="Who logs in there.", show_default="root, else who has sudo")] = "",
    port: Annotated[int, typer.Option(help="Its ssh port.", min=1, max=65_535)] = 22,
    identity: Annotated[str, typer.Option(help="The file of the SSH key.", show_default="ssh's own")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Compare a running guest with its profile.

    Asks dom0 and, by ssh, the guest itself: machine, disks, data, network, logins, packages, services, kernels.
    """
    from builder.report.findings import wants_colour
    from builder.report.verify import result_data, verify_text
    from builder.workflows import verify as workflow

    door = workflow.Door(address, user, port, identity)
    found = workflow.verify(site_of(context), guest, door=door, environment=os.environ)
    failed = found.fails(strict=strict)
    if json:
        typer.echo(json_text.dumps({"ok": not failed, **result_data(found)}, indent=2))
    else:
        typer.echo(verify_text(found, colour=wants_colour(sys.stdout)))
    return FINDINGS if failed else FINE
