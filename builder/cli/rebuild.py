"""`domu rebuild`: guests installed again, unattended."""

from __future__ import annotations

import json as json_text
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from builder.cli.app import FINDINGS, FINE, INTERRUPTED, USAGE, app, site_of
from builder.cli.drill import clear_away_drill, run_drill

if TYPE_CHECKING:
    from builder.host.clock import Clock
    from builder.host.site import Site
    from builder.workflows.rebuild import Proposal


@app.command()
def rebuild(
    context: typer.Context,
    guests: Annotated[list[str] | None, typer.Argument(help="Guests.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All guests of the site.")] = False,
    yes: Annotated[
        list[str] | None, typer.Option("--yes", metavar="GUEST", help="Confirm this guest instead of being asked.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin again where an earlier run was cut off, instead of going on with it.")
    ] = False,
    drill: Annotated[
        bool, typer.Option("--drill", help="Into throw-away volumes on an isolated bridge: compare, measure, delete.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    root: Annotated[Path, typer.Option(help="Where dom0's file system begins.", hidden=True)] = Path("/"),
) -> int:
    """Install guests again, unattended.

    Shows the plan and asks once for the names of the guests. What was cut off is gone on with by the same command.
    """
    from builder.host.clock import Clock, heeding_signals

    if bool(guests) == every:
        typer.echo("Name guests, or say --all.", err=True)
        return USAGE
    clock = Clock()
    with heeding_signals(clock):
        site = site_of(context)
        if drill:
            return run_drill(site, guests or [], root, clock, dry_run=dry_run, json=json)
        if not dry_run:
            clear_away_drill(site, root, clock)
        proposal = _propose(site, guests or [], root, anew=anew)
        if not json:
            typer.echo(_proposal_text(proposal))
        if dry_run or proposal.refused:
            return _show(proposal, json=json)
        confirmed = yes if yes is not None or json else _ask(proposal)
        return _rebuild(site, proposal, confirmed or [], root, clock, json=json)


def _propose(site: Site, guests: list[str], root: Path, *, anew: bool) -> Proposal:
    from builder.workflows.rebuild import RebuildOrder, propose

    return propose(site, RebuildOrder(tuple(guests), anew=anew), environment=os.environ, root=root)


def _show(proposal: Proposal, *, json: bool) -> int:
    """What there is to say when nothing is done."""
    from builder.report.findings import findings_text, wants_colour
    from builder.report.rebuild import proposal_data

    if json:
        data = proposal_data(proposal.plan, proposal.going_on, proposal.done.values(), proposal.findings)
        typer.echo(json_text.dumps(data, indent=2))
    elif found := [*proposal.plan.findings, *proposal.findings]:
        typer.echo(findings_text(found, colour=wants_colour(sys.stderr)), err=True)
    return FINDINGS if proposal.refused else FINE


def _rebuild(site: Site, proposal: Proposal, confirmed: list[str], root: Path, clock: Clock, *, json: bool) -> int:
    from builder.host.run import run_apart
    from builder.report.findings import finding_data
    from builder.report.rebuild import end_data, end_text
    from builder.report.stages import stages_on
    from builder.workflows.bench import Bench
    from builder.workflows.rebuild import rebuild as rebuild_guests

    with stages_on() as stages:
        bench = Bench(run_apart, root, site.root.resolve(), clock, stages, environment=os.environ)
        end = rebuild_guests(site, proposal, confirmed, bench)
    if json:
        data = [end_data(one.run, one.folder, one.message, one.hint, one.findings) for one in end.guests]
        skipped = [finding_data(one) for one in end.skipped]
        whole = {"ok": end.ok, "stopped": end.stopped, "guests": data, "skipped": skipped}
        typer.echo(json_text.dumps(whole, indent=2))
    else:
        for one in end.guests:
            typer.echo(end_text(one.run, one.folder, one.message, one.hint, one.findings))
        for finding in end.skipped:
            typer.echo(str(finding))
    return INTERRUPTED if end.stopped else FINE if end.ok else FINDINGS


def _proposal_text(proposal: Proposal) -> str:
    from builder.report.plan import plan_text
    from builder.report.rebuild import done_text, going_on_text

    planned = plan_text(proposal.plan) if proposal.plan.guests else ""
    texts = [done_text(proposal.done.values()), going_on_text(proposal.going_on), planned]
    return "\n\n".join(filter(None, texts))


def _ask(proposal: Proposal) -> list[str]:
    """The names that a person types; none where there is nothing to confirm, or nobody is there."""
    if not proposal.to_confirm or not sys.stdin.isatty():
        return []
    answer: str = typer.prompt("\nTo go on, type the names of the guests: " + ", ".join(proposal.to_confirm), err=True)
    return answer.replace(",", " ").split()
