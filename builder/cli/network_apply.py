"""`domu network apply`, `remove`, `confirm` and `rollback`: dom0's network changed, on trial first."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from builder.cli.app import FINDINGS, FINE, site_of
from builder.cli.network import group

if TYPE_CHECKING:
    from builder.host.network.journal import Ending
    from builder.workflows.network_apply import Done, Wish

Root = Annotated[Path, typer.Option(help="Where the machine's files are.", show_default="/")]
Diff = Annotated[bool, typer.Option("--diff", help="Print what would change as a unified diff, and stop.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="The same.")]
Within = Annotated[
    int, typer.Option(min=1, max=3600, metavar="SECONDS", help="Taken back unless confirmed within these.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Confirm at once if the gateways still answer, else take it back.")]
Check = Annotated[
    list[str] | None, typer.Option(metavar="HOST[:PORT]", help="With --yes, who else has to answer; repeatable.")
]
Force = Annotated[bool, typer.Option("--force", help="Write over files that others wrote or changed; keeps copies.")]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Make comments of others' lines about interfaces that are now domu's.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@group.command()
def apply(
    context: typer.Context,
    *,
    diff: Diff = False,
    dry_run: DryRun = False,
    confirm_within: Within = 60,
    yes: Yes = False,
    check: Check = None,
    force: Force = False,
    take_over: TakeOver = False,
    root: Root = Path("/"),
    json: Json = False,
) -> int:
    """Bring dom0's networks live, on trial.

    Unless `domu network confirm` comes in time, everything goes back as it was.
    """
    from builder.report.progress import progress_on
    from builder.workflows import network_apply as work

    wish = _wish(confirm_within, check, force=force, yes=yes, dry_run=diff or dry_run, take_over=take_over)
    hands, show = work.hands_at(root), _show(json=json)
    return _tell(work.apply(site_of(context), hands, wish, progress_on(sys.stderr), show), wish, json=json)


@group.command()
def remove(
    *,
    diff: Diff = False,
    dry_run: DryRun = False,
    confirm_within: Within = 60,
    yes: Yes = False,
    check: Check = None,
    force: Force = False,
    root: Root = Path("/"),
    json: Json = False,
) -> int:
    """Take away everything that was applied, on trial.

    Interfaces and settings become what they were before the first change.
    """
    from builder.report.progress import progress_on
    from builder.workflows import network_apply as work

    wish = _wish(confirm_within, check, force=force, yes=yes, dry_run=diff or dry_run)
    hands, show = work.hands_at(root), _show(json=json)
    return _tell(work.remove(hands, wish, progress_on(sys.stderr), show), wish, json=json)


@group.command()
def confirm(*, root: Root = Path("/"), json: Json = False) -> int:
    """Make the change on trial last.

    Its files are written, for this boot and all others.
    """
    from builder.workflows import network_apply as work

    return _tell_ending(work.confirm(work.hands_at(root)), wanted="confirmed", json=json)


@group.command()
def rollback(*, root: Root = Path("/"), json: Json = False) -> int:
    """Take the change on trial back, now."""
    from builder.workflows import network_apply as work

    return _tell_ending(work.rollback(work.hands_at(root)), wanted="taken back", json=json)


@group.command(hidden=True)
def watch(trial: str, *, root: Root = Path("/")) -> int:
    """Take a trial back when its time is up; `apply` starts this."""
    from builder.workflows import network_apply as work

    work.watch(work.hands_at(root), trial)
    return FINE


def _wish(
    within: int, checks: list[str] | None, *, force: bool, yes: bool, dry_run: bool, take_over: bool = False
) -> Wish:
    from builder.host.network.reach import Neighbour
    from builder.workflows.network_apply import Wish

    if checks and not yes:
        raise typer.BadParameter("means something with --yes only", param_hint="--check")
    try:
        asked = tuple(Neighbour.parse(text) for text in checks or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--check") from error
    return Wish(within=within, force=force, take_over=take_over, yes=yes, dry_run=dry_run, checks=asked)


def _show(*, json: bool) -> Callable[[str], None]:
    """Prints the diff before anything is done; in JSON it is part of the answer."""
    return (lambda _diff: None) if json else (lambda diff: typer.echo(diff, nl=False))


def _tell(done: Done, wish: Wish, *, json: bool) -> int:
    from builder.report.network_apply import done_data, ending_text, waiting_text

    for finding in done.findings:
        typer.echo(str(finding), err=True)
    end = done.ending
    if json:
        ended = (end.outcome, end.reason, end.problems) if end else None
        typer.echo(
            json_text.dumps(done_data(done.diff, done.findings, done.trial.id if done.trial else None, ended), indent=2)
        )
    elif not done.diff:
        typer.echo("nothing to do: dom0's network is as planned")
    elif end:
        typer.echo(ending_text(end.outcome, end.reason, end.problems))
    elif done.trial:
        typer.echo(waiting_text(done.trial.id, wish.within))
    return FINE if not end or (end.outcome == "confirmed" and not end.problems) else FINDINGS


def _tell_ending(ending: Ending, *, wanted: str, json: bool) -> int:
    from builder.report.network_apply import ending_text

    if json:
        data = {"id": ending.id, "outcome": ending.outcome, "problems": ending.problems, "reason": ending.reason}
        typer.echo(json_text.dumps(data, indent=2))
    else:
        typer.echo(ending_text(ending.outcome, ending.reason, ending.problems))
    return FINE if ending.outcome == wanted and not ending.problems else FINDINGS
