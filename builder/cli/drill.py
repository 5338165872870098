"""`domu rebuild --drill`, behind the options of `domu rebuild`."""

from __future__ import annotations

import json as json_text
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from builder.cli.app import FINDINGS, FINE, INTERRUPTED

if TYPE_CHECKING:
    from builder.host.clock import Clock
    from builder.host.site import Site


def run_drill(site: Site, names: list[str], root: Path, clock: Clock, *, dry_run: bool, json: bool) -> int:
    """Say what is different from a rebuild, drill, and say what came of it. Nothing is asked: nothing can be lost."""
    from builder.host.run import run_apart
    from builder.report.findings import findings_text, wants_colour
    from builder.report.recovery import drill_data, drill_text, stand_ins_text
    from builder.report.stages import stages_on
    from builder.workflows.bench import Bench
    from builder.workflows.drill import drill, propose_drill

    with stages_on() as stages:
        bench = Bench(run_apart, root, site.root.resolve(), clock, stages, environment=os.environ)
        proposal = propose_drill(site, names, bench)
        if proposal.findings:
            typer.echo(findings_text(proposal.findings, colour=wants_colour(sys.stderr)), err=True)
        if not json:
            typer.echo(stand_ins_text(proposal.stand_ins))
        if proposal.refused or dry_run:
            return FINDINGS if proposal.refused else FINE
        end = drill(site, proposal, bench)
    if json:
        typer.echo(json_text.dumps(drill_data(end.records, end.left, ok=end.ok), indent=2))
    else:
        typer.echo(drill_text(end.records, end.left))
    return INTERRUPTED if end.stopped else FINE if end.ok else FINDINGS


def clear_away_drill(site: Site, root: Path, clock: Clock) -> None:
    """What a drill that was killed left goes before anything else is done; what cannot go is told."""
    from builder.host.drills import marked

    if not marked(root):
        return
    from builder.host.run import run_apart
    from builder.report.stages import stages_on
    from builder.workflows.bench import Bench
    from builder.workflows.drill import clear_away

    with stages_on() as stages:
        left = clear_away(site, Bench(run_apart, root, site.root.resolve(), clock, stages, environment=os.environ))
    for text in left:
        typer.echo(f"left of a drill that was cut off: {text}", err=True)
