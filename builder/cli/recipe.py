"""`domu recipe`: what partman would make of a recipe."""

from __future__ import annotations

import json as json_text
from typing import Annotated, Literal

import typer

from builder.cli.app import FINDINGS, FINE, app
from builder.units import Size


def size(text: str) -> Size:
    """A size with its unit, or bytes; a usage error otherwise."""
    try:
        return Size.parse(text, bare_is_bytes=True)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def recipe(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="The recipe, alone or in a preseed file; - reads stdin.")
    ],
    *,
    suite: Annotated[Literal["bookworm", "trixie"], typer.Option(help="Whose installer.")],
    disk: Annotated[Size, typer.Option(parser=size, metavar="SIZE", help="As 10G; bytes without a unit.")],
    ram: Annotated[Size, typer.Option(parser=size, metavar="SIZE", help="What the installer sees.")],
    label: Annotated[Literal["msdos", "gpt"], typer.Option(help="The partition table.")] = "msdos",
    method: Annotated[Literal["regular", "lvm"], typer.Option(help="partman-auto/method.")] = "regular",
    cap_ram: Annotated[
        str | None, typer.Option(help="partman-auto/cap-ram: MB, or false.", show_default="the suite's own")
    ] = None,
    default_filesystem: Annotated[str, typer.Option(help="partman/default_filesystem.")] = "ext4",
    device: Annotated[
        Literal["file", "block"],
        typer.Option(help="An image file, as layouts are measured, or a block device: some ends differ by 1 MiB."),
    ] = "file",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Tell how partman would lay out a recipe.

    On an empty disk, to the byte.
    """
    from builder.preseed.partman import Machine
    from builder.report.findings import finding_data, findings_text
    from builder.report.recipe import layout_data, layout_text
    from builder.workflows.recipe import forecast

    machine = Machine(suite, ram, label, method, cap_ram, default_filesystem, device)
    found = forecast(file.read(), file.name, machine, disk)
    if json:
        more = {
            "problem": found.layout.problem,
            "instead": found.instead,
            "findings": [*map(finding_data, found.findings)],
        }
        typer.echo(json_text.dumps({**layout_data(found.layout), **more}, indent=2))
    else:
        typer.echo(layout_text(found.layout))
        if found.findings:
            typer.echo("\n" + findings_text(found.findings), err=True)
    return FINDINGS if found.findings.errors else FINE
