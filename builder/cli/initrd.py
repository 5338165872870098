"""`domu initrd`: look at an initrd, or put files in front of one."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer

from builder.cli.app import FINE, app

group = typer.Typer(name="initrd", help="List what is in front of an initrd, or repack one.", no_args_is_help=True)
app.add_typer(group)


@group.command("list")
def list_(
    file: Annotated[Path, typer.Argument(help="An initrd, repacked or not.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Show the files in front (never their content) and what follows."""
    from builder.report.initrd import segments_data, segments_text
    from builder.workflows.initrd import list_initrd

    segments = list_initrd(file)
    typer.echo(json_text.dumps(segments_data(segments), indent=2) if json else segments_text(segments))
    return FINE


@group.command()
def repack(
    base: Annotated[Path, typer.Argument(help="The installer's initrd.gz, or one repacked before.")],
    *,
    preseed: Annotated[Path, typer.Option(help="Becomes /preseed.cfg.")],
    output: Annotated[Path, typer.Option(help="The new initrd, readable by its owner only.")],
    add: Annotated[
        list[str] | None, typer.Option(metavar="PATH=FILE", help="A further file and where it goes; repeatable.")
    ] = None,
) -> int:
    """Put a preseed, and further files, in front of an initrd whose own bytes stay as they are."""
    from builder.units import Size
    from builder.workflows import initrd

    payloads = initrd.read_payloads(preseed, [path_and_file(text) for text in add or ()])
    done = initrd.repack(base, payloads, output)
    front = f"{Size(done.front).human} in front{', replacing the earlier ones' if done.replaced else ''}"
    typer.echo(f"{output}: {front}; {Size(done.base).human} of the base {done.way}")
    return FINE


def path_and_file(text: str) -> tuple[str, Path]:
    """`/domu/name=local/file` taken apart; a usage error when it has another shape."""
    path, equals, file = text.partition("=")
    if not (path and equals and file):
        raise typer.BadParameter(f"{text!r}: write PATH=FILE, such as /domu/motd=files/motd", param_hint="--add")
    return path, Path(file)
