"""`domu remove`: takes a guest from this dom0."""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, INTERRUPTED, app, site_of


@app.command()
def remove(
    context: typer.Context,
    guest: Annotated[str, typer.Argument(help="The guest.")],
    *,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="GUEST/VOLUME", help="Destroy this data volume, too; repeatable."),
    ] = None,
    yes: Annotated[str, typer.Option("--yes", metavar="GUEST", help="The guest once more: do it without asking.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan with its commands, and stop.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    root: Annotated[Path, typer.Option(help="Where dom0's file system begins.", hidden=True)] = Path("/"),
) -> int:
    """Take a guest from this dom0.

    Its domain, its system disk and its files go. Its data stays unless each volume is named with --data. Its profile
    stays, too: it is the site's.
    """
    from builder.host.clock import Clock, heeding_signals
    from builder.host.run import run_apart
    from builder.report.findings import findings_text, wants_colour
    from builder.report.remove import remove_data, remove_text, removed_text
    from builder.report.stages import stages_on
    from builder.workflows.bench import Bench
    from builder.workflows.remove import RemoveOrder, propose_removal
    from builder.workflows.remove import remove as remove_guest

    site, order = site_of(context), RemoveOrder(guest, tuple(data or ()))
    plan = propose_removal(site, order, root=root)
    if json:
        typer.echo(json_text.dumps(remove_data(plan), indent=2))
    else:
        texts = [remove_text(plan, commands=dry_run), findings_text(plan.findings, colour=wants_colour(sys.stdout))]
        typer.echo("\n\n".join(filter(None, texts)))
    if plan.refused or dry_run or not plan.steps:
        return FINDINGS if plan.refused else FINE
    if not _agreed(guest, yes):
        typer.echo(f"nothing was touched; to do it, add: --yes {guest}", err=True)
        return FINDINGS
    with heeding_signals(clock := Clock()), stages_on() as stages:
        end = remove_guest(site, order, plan, Bench(run_apart, root, site.root.resolve(), clock, stages))
    typer.echo(removed_text(end.run, end.folder, end.message, end.hint), err=json)
    if end.run.state == "unfinished":
        return INTERRUPTED
    return FINE if end.run.state == "done" else FINDINGS


def _agreed(guest: str, yes: str) -> bool:
    """Whether somebody said so: by --yes, or by the guest's name on a terminal."""
    if yes or not sys.stdin.isatty():
        return yes == guest
    return bool(typer.prompt(f"To remove it, type {guest}", err=True, default="") == guest)
