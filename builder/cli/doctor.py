"""`domu doctor`: is this machine ready to run the site's guests."""

from __future__ import annotations

import json as json_text
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, maybe_site_of


@app.command()
def doctor(
    context: typer.Context,
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Do the safe mends, after showing and asking.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --fix: do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --fix: show and stop.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Tell whether this dom0 is ready.

    Looks and changes nothing: Xen, memory, volumes, networks, keys, cacher, clock, room; with the lines that mend it.
    """
    from builder.report.doctor import doctor_data, doctor_text, fix_text
    from builder.report.findings import wants_colour
    from builder.report.progress import progress_on
    from builder.workflows import doctor as workflow

    def clock() -> datetime:
        return datetime.now(UTC)

    site = maybe_site_of(context)
    done = workflow.doctor(site, clock=clock)
    if fix and done.fixes:
        chosen = []
        for one in done.fixes:
            typer.echo(fix_text(one), err=json)
            if not dry_run and (yes or typer.confirm(f"do {one.name}?", err=json)):
                chosen.append(one)
        if chosen:
            workflow.mend(chosen, progress=progress_on(sys.stderr))
            done = workflow.doctor(site, clock=clock)
    failed = done.fails(strict=strict)
    if json:
        typer.echo(json_text.dumps(doctor_data(done.diagnoses, ok=not failed), indent=2))
    else:
        typer.echo(doctor_text(done.diagnoses, colour=wants_colour(sys.stdout)))
    return FINDINGS if failed else FINE
