"""`domu catalogue`: the questions of the installer builds."""

from __future__ import annotations

import json as json_text
from datetime import UTC, datetime
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, maybe_site_of

group = typer.Typer(name="catalogue", help="The questions that an installer build can ask.", no_args_is_help=True)
app.add_typer(group)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Arch = Annotated[str, typer.Option(help="The architecture.")]


@group.command()
def update(
    context: typer.Context,
    *,
    suite: Annotated[list[str] | None, typer.Option(help="Only this suite; repeatable.")] = None,
    arch: Arch = "amd64",
    mirror: Annotated[str, typer.Option(help="A mirror, or auto for the one that apt uses.")] = "auto",
    proxy: Annotated[str, typer.Option(help="A proxy, auto, or none.")] = "auto",
    ship: Annotated[bool, typer.Option("--ship", help="Write the files that ship with domu.")] = False,
) -> int:
    """Read the pinned installer, its suite's udebs, and the packages whose questions people answer."""
    from builder.host.catalogue import shipped_suites
    from builder.report.catalogue import catalogue_text
    from builder.report.findings import findings_text
    from builder.report.progress import progress_on
    from builder.workflows import catalogue as workflow
    from builder.workflows.access import Terms

    for done in workflow.update(
        maybe_site_of(context),
        suite or shipped_suites(),
        arch,
        terms=Terms(mirror=mirror, proxy=proxy),
        progress=progress_on(),
        now=datetime.now(UTC),
        ship=ship,
    ):
        typer.echo(catalogue_text(done.catalogue))
        if done.findings:
            typer.echo(findings_text(done.findings))
    return FINE


@group.command()
def show(
    context: typer.Context,
    pattern: Annotated[str, typer.Argument(help="Part of a name, or a pattern as in 'mirror/*'.")] = "",
    *,
    suite: Annotated[str, typer.Option(help="The suite.")] = "trixie",
    arch: Arch = "amd64",
    json: Json = False,
) -> int:
    """Show the questions of a suite; one that matches alone is shown with all that is known of it."""
    from builder.preseed.catalogue_form import catalogue_data
    from builder.report.catalogue import catalogue_text, question_text, questions_text
    from builder.workflows.look_up import look_up

    found = look_up(maybe_site_of(context), suite, arch)
    chosen = found.catalogue.matching(pattern)
    if json:
        typer.echo(json_text.dumps(catalogue_data(found.catalogue, chosen), indent=1, ensure_ascii=False))
    elif len(chosen) == 1:
        typer.echo(question_text(chosen[0]))
    elif chosen:
        typer.echo(questions_text(chosen))
    if not json:
        typer.echo(catalogue_text(found.catalogue), err=True)
    if not found.fits:
        typer.echo("it is of another build than the pinned one: domu catalogue update", err=True)
    return FINE if chosen else FINDINGS


@group.command()
def diff(
    context: typer.Context,
    old: Annotated[str, typer.Argument(help="A suite.")],
    new: Annotated[str, typer.Argument(help="Another one.")],
    *,
    json: Json = False,
) -> int:
    """Show what changes for preseeds from one suite to another."""
    from builder.report.catalogue import diff_text
    from builder.workflows.look_up import compare

    found = compare(maybe_site_of(context), old, new)
    typer.echo(json_text.dumps(found.data(), indent=2, ensure_ascii=False) if json else diff_text(found))
    return FINE
