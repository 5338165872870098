"""`domu iso master` and `domu iso cidata`: images made from scratch."""

from __future__ import annotations

import json as json_text
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from builder.cli.app import FINE, site_of
from builder.cli.iso import group


@group.command()
def master(
    context: typer.Context,
    *,
    guest: Annotated[str, typer.Option(help="The guest that the image installs.")],
    output: Annotated[
        Path | None,
        typer.Option(help="The new image, readable by its owner only.", show_default="build/GUEST-netboot.iso"),
    ] = None,
    delay: Annotated[int, typer.Option(help="Seconds before it starts by itself.")] = 5,
    append: Annotated[str, typer.Option(help="More kernel arguments, as in console=ttyS0.")] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Use the cache alone.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Make an ISO that installs one guest from netboot media: for CD and USB, BIOS and UEFI with Secure Boot."""
    from builder.report.findings import findings_text, wants_colour
    from builder.report.iso_master import mastered_data, mastered_text
    from builder.report.progress import progress_on
    from builder.workflows.iso_master import MasterOrder
    from builder.workflows.iso_master import master as make

    done = make(
        site_of(context),
        MasterOrder(guest, output, delay, tuple(append.split()), offline=offline),
        progress=progress_on(sys.stderr),
        now=datetime.now(UTC),
        environment=os.environ,
    )
    if done.findings:
        typer.echo(findings_text(done.findings, colour=wants_colour(sys.stderr)), err=True)
    made = (done.path, done.sha256, done.size, done.installer_version, done.loaders)
    typer.echo(json_text.dumps(mastered_data(*made), indent=2) if json else mastered_text(*made))
    return FINE


@group.command()
def cidata(
    context: typer.Context,
    *,
    guest: Annotated[str, typer.Option(help="The guest that the clone becomes.")],
    output: Annotated[
        Path | None,
        typer.Option(help="The new image, readable by its owner only.", show_default="build/GUEST-cidata.iso"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Make the seed that tells cloud-init in a cloned golden image its name, logins and addresses."""
    from builder.report.iso_master import seed_data, seed_text
    from builder.workflows.cidata import cidata as make

    done = make(site_of(context), guest, output, environment=os.environ)
    made = (done.path, done.sha256, done.size)
    typer.echo(json_text.dumps(seed_data(*made), indent=2) if json else seed_text(*made))
    return FINE
