"""`domu volumes`: the guests' volumes on this machine, planned and carried out."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, site_of

if TYPE_CHECKING:
    from builder.storage.storage_plan import StoragePlan
    from builder.workflows.volumes import VolumeOrder

group = typer.Typer(no_args_is_help=True, help="Plan and make the guests' volumes in dom0's volume groups.")
app.add_typer(group, name="volumes")

Guests = Annotated[list[str] | None, typer.Argument(help="Guests; all unless named.")]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Make anew what is not kept: the system disks.")]
Adopt = Annotated[
    list[str] | None, typer.Option("--adopt", metavar="GROUP/NAME", help="Take this volume as the guest's; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@group.command()
def plan(
    context: typer.Context, guests: Guests = None, *, rebuild: Rebuild = False, adopt: Adopt = None, json: Json = False
) -> int:
    """Tell what would be done.

    Looks at this machine's LVM and changes nothing; what would be destroyed stands on lines of its own.
    """
    from builder.workflows.volumes import plan as plan_volumes

    found = plan_volumes(site_of(context), _order(guests, adopt, rebuild=rebuild))
    _show(found, json=json)
    return FINDINGS if found.refused else FINE


@group.command("apply")
def apply_plan(
    context: typer.Context,
    guests: Guests = None,
    *,
    rebuild: Rebuild = False,
    adopt: Adopt = None,
    yes: Annotated[
        list[str] | None, typer.Option("--yes", metavar="GUEST", help="Destroy what the plan says; for each guest.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands and stop.")] = False,
    json: Json = False,
) -> int:
    """Make, grow and tag volumes.

    Shows the plan first. What destroys something is asked for by the guest's name; nothing is done when one volume of
    the run is refused.
    """
    from builder.report.progress import progress_on
    from builder.report.volumes import commands_text
    from builder.workflows.volumes import apply as apply_volumes
    from builder.workflows.volumes import plan as plan_volumes

    site, order = site_of(context), _order(guests, adopt, rebuild=rebuild)
    found = plan_volumes(site, order)
    _show(found, json=json)
    if found.refused or not found.steps:
        return FINDINGS if found.refused else FINE
    if dry_run:
        if not json:
            typer.echo("\n" + commands_text(found))
        return FINE
    if missing := _unagreed(found, yes or ()):
        typer.echo(
            f"nothing was touched; to destroy it, add: {' '.join(f'--yes {name}' for name in missing)}", err=True
        )
        return FINDINGS
    apply_volumes(site, order, found, progress=progress_on(sys.stderr))
    return FINE


def _order(guests: list[str] | None, adopt: list[str] | None, *, rebuild: bool) -> VolumeOrder:
    from builder.workflows.volumes import VolumeOrder

    return VolumeOrder(tuple(guests or ()), "rebuild" if rebuild else "ensure", tuple(adopt or ()))


def _show(found: StoragePlan, *, json: bool) -> None:
    from builder.report.findings import findings_text, wants_colour
    from builder.report.volumes import plan_data, plan_text

    if json:
        typer.echo(json_text.dumps(plan_data(found), indent=2))
        return
    typer.echo(plan_text(found))
    if found.findings:
        typer.echo("\n" + findings_text(found.findings, colour=wants_colour(sys.stdout)))


def _unagreed(found: StoragePlan, agreed: Collection[str]) -> list[str]:
    """Guests of whom something is destroyed and nobody said yes to it; on a terminal each is asked for by name."""
    missing = sorted({one.guest for one in found.destroyed} - set(agreed))
    if not sys.stdin.isatty():
        return missing
    return [name for name in missing if typer.prompt(f"To destroy it, type {name}", err=True, default="") != name]
