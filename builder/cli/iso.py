"""`domu iso`: installer images, repacked or made from scratch, and whether one is sound."""

from __future__ import annotations

import json as json_text
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, site_of
from builder.cli.initrd import path_and_file

group = typer.Typer(name="iso", help="Repack, make and check installer images.", no_args_is_help=True)
app.add_typer(group)


@group.command()
def repack(
    context: typer.Context,
    iso: Annotated[Path, typer.Argument(help="A Debian installer image, or one repacked before.")],
    *,
    output: Annotated[Path, typer.Option(help="The new image, readable by its owner only.")],
    guest: Annotated[str | None, typer.Option(help="Install this guest.")] = None,
    preseed: Annotated[Path | None, typer.Option(help="Or install what this file says.")] = None,
    add: Annotated[
        list[str] | None, typer.Option(metavar="PATH=FILE", help="A further file and where it goes; repeatable.")
    ] = None,
    delay: Annotated[int, typer.Option(help="Seconds before it starts by itself.")] = 5,
    append: Annotated[str, typer.Option(help="More kernel arguments, as in console=ttyS0.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Put a preseed into every initrd of an image, and let its menus start an unattended installation."""
    from builder.host.known_initrds import KnownInitrds
    from builder.host.places import user_cache
    from builder.report.iso import repacked_data, repacked_text
    from builder.report.progress import progress_on
    from builder.workflows import iso as work
    from builder.workflows.initrd import read_payloads

    added = [path_and_file(text) for text in add or ()]
    if guest and not preseed:
        from builder.workflows.iso_guest import wish_of

        wish = wish_of(site_of(context), guest, environment=os.environ)
    elif preseed and not guest:
        wish = work.Wish(read_payloads(preseed, ()))
    else:
        raise typer.BadParameter("name either a guest or a preseed", param_hint="--guest, --preseed")
    wish = replace(wish, delay=delay, shared=(*wish.shared, *append.split())).with_files(added)
    known = KnownInitrds(user_cache() / "initrds")
    done = work.repack(iso, wish, output, known=known, progress=progress_on(sys.stderr))
    made = (output, done.size, done.added, done.way, done.initrds)
    typer.echo(json_text.dumps(repacked_data(*made), indent=2) if json else repacked_text(*made))
    return FINE


@group.command()
def verify(
    file: Annotated[Path, typer.Argument(help="An installer image.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Check an image: records, boot tables, every line of md5sum.txt, and what its initrds carry."""
    from builder.progress import Silence
    from builder.report.findings import findings_text, wants_colour
    from builder.report.iso import checks_data, checks_text
    from builder.report.progress import progress_on
    from builder.workflows import iso as work

    seen = work.verify(file, progress=progress_on(sys.stderr) if sys.stderr.isatty() else Silence())
    table = (seen.path, seen.size, seen.checks)
    if json:
        typer.echo(json_text.dumps(checks_data(*table), indent=2))
    else:
        typer.echo(checks_text(*table))
        if seen.findings:
            typer.echo(findings_text(seen.findings, colour=wants_colour(sys.stdout)))
    return FINDINGS if seen.findings else FINE
