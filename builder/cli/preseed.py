"""`domu preseed`: look at a preseed file through the installer's eyes."""

from __future__ import annotations

import json as json_text
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app

group = typer.Typer(name="preseed", help="Look at a preseed file as the installer does.", no_args_is_help=True)
app.add_typer(group)


@group.callback()
def preseed() -> None:
    """Look at a preseed file as the installer does."""


@group.command()
def parse(
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="A preseed file; - reads stdin.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, passwords included.")] = False,
) -> int:
    """Print the answers that the installer would hold after loading the file."""
    from builder.report.preseed import answers_data, answers_text
    from builder.workflows.preseed import load_preseed

    loaded = load_preseed(file.read())
    typer.echo(json_text.dumps(answers_data(loaded), indent=2) if json else answers_text(loaded))
    return FINDINGS if loaded.aborts else FINE
