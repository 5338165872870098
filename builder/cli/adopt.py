"""`domu adopt`: a profile from a guest that exists."""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import Annotated

import typer

from builder.cli.app import FINE, app, site_of


@app.command()
def adopt(
    context: typer.Context,
    guest: Annotated[str, typer.Argument(help="The guest's name, and its profile's.")],
    *,
    config: Annotated[
        Path | None, typer.Option(help="Its xl config.", show_default="/etc/xen/GUEST.cfg", dir_okay=False)
    ] = None,
    installer_log: Annotated[
        Path | None,
        typer.Option(help="The guest's /var/log/installer, or debconf-get-selections --installer.", exists=True),
    ] = None,
    volumes: Annotated[
        Path | None, typer.Option(help="volumes.json of an earlier build.", exists=True, dir_okay=False)
    ] = None,
    suite: Annotated[str, typer.Option(help="Its Debian release, where nothing tells.")] = "",
    gateway: Annotated[str, typer.Option(help="The gateway of a routed guest, where nothing tells.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing profile.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the profile; write nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Write the profile of a guest that exists.

    From its xl config, its volumes and what its installer was answered; says of every field how sure it is.
    """
    from builder.host.adopt import Sources
    from builder.report.adopt import adoption_data, adoption_text
    from builder.report.findings import finding_data, findings_text, wants_colour
    from builder.workflows.adopt import adopt_guest

    sources = Sources(config, installer_log, volumes, suite, gateway)
    done = adopt_guest(site_of(context), guest, sources, force=force, dry_run=dry_run)
    if json:
        data = {
            "guest": guest,
            "path": str(done.path),
            "written": done.written,
            "fields": adoption_data(done.adoption),
            "findings": [finding_data(finding) for finding in done.findings],
            "profile": done.text,
        }
        typer.echo(json_text.dumps(data, indent=2))
        return FINE
    if dry_run:
        typer.echo(done.text, nl=False)
    typer.echo(adoption_text(done.adoption), err=dry_run)
    if done.findings:
        typer.echo("\n" + findings_text(done.findings, colour=wants_colour(sys.stderr)), err=True)
    if done.written:
        typer.echo(f"\n{done.path}: written. Read it, then: domu check {guest}")
    return FINE
