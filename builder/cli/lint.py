"""`domu lint`: what is wrong with a preseed file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from builder.cli.app import FINDINGS, FINE, app, maybe_site_of
from builder.cli.recipe import size
from builder.units import Size

Format = Literal["text", "json", "sarif", "junit", "github"]


@app.command()
def lint(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Preseed files; - reads stdin.")],
    *,
    suite: Annotated[
        list[str] | None,
        typer.Option(
            help="bookworm or trixie; repeatable: what differs is marked.",
            envvar="DOMU_SUITE",
            show_default="that of the site",
        ),
    ] = None,
    loaded: Annotated[
        Literal["initrd", "file", "network"] | None, typer.Option(help="Where the installer finds the file.")
    ] = None,
    guest_type: Annotated[
        Literal["pv", "pvh", "hvm", "any"], typer.Option(help="The kind of Xen guest that is installed.")
    ] = "any",
    disk: Annotated[
        Size | None, typer.Option(parser=size, metavar="SIZE", help="The disk, as 10G: does the recipe fit?")
    ] = None,
    ram: Annotated[Size | None, typer.Option(parser=size, metavar="SIZE", help="What the installer sees.")] = None,
    priority: Annotated[
        Literal["high", "critical"], typer.Option(help="debconf/priority: what is milder is not asked.")
    ] = "high",
    parameters: Annotated[
        str, typer.Option(metavar="LINE", help="The installer's boot parameters: they answer questions, too.")
    ] = "",
    form: Annotated[Format, typer.Option("--format", help="For people, or for a CI server.")] = "text",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what is certain, in the file.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix would mend; write nothing.")] = False,
) -> int:
    """Tell what is wrong with preseed files.

    As the installer of a suite would read them; no profile, no network and no root is needed.
    """
    from builder.findings import Severity
    from builder.report.findings import wants_colour
    from builder.report.formats import report
    from builder.report.lint import diff_text, mended_text, summary
    from builder.workflows.lint import STDIN, Terms, lint_files, suites_of

    site = maybe_site_of(context)
    suites = suites_of(site, suite or ())
    if not suites:
        raise typer.BadParameter("say which installer reads the file: --suite bookworm or --suite trixie")
    names = [str(file) for file in files]
    for name in names:
        if name != STDIN and not Path(name).exists():
            raise typer.BadParameter(f"there is no file {name}")
    terms = Terms(suites, loaded, None if guest_type == "any" else guest_type, disk, ram, priority, parameters)
    done = lint_files(site, names, terms, stdin=sys.stdin.buffer, mend=fix or diff, write=fix and not diff)
    linted = [one.linted for one in done]
    limit = Severity.WARNING if strict else Severity.ERROR
    mended = {one.linted.name: one.fixed.mended for one in done if one.fixed and one.fixed.mended}
    if diff:
        shown = (diff_text(one.linted.name, one.data, one.fixed.data) for one in done if one.fixed)
        typer.echo("".join(shown), nl=False)
        typer.echo(summary(linted) + mended_text(mended, verb="could be mended"), err=True)
    else:
        piped = fix and STDIN in names  # then stdout is the mended file
        text = report(linted, "json" if json else form, limit, mended=mended, colour=wants_colour(sys.stdout))
        for one in done:
            if one.fixed and piped and one.linted.name == "stdin":
                sys.stdout.buffer.write(one.fixed.data)
        typer.echo(text, err=piped)
    return FINDINGS if any(finding.severity <= limit for one in linted for finding in one.findings) else FINE
