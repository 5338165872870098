"""`domu explain`: one question of the installer, without a network."""

from __future__ import annotations

import json as json_text
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, maybe_site_of


@app.command()
def explain(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="A question's name, or a boot parameter such as url or keymap.")],
    *,
    suite: Annotated[list[str] | None, typer.Option(help="Only this suite; repeatable.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Explain one of the installer's questions.

    Its type, choices and default, who asks it and when, and the line that answers it.
    """
    from builder.report.catalogue import explained_data, explained_text
    from builder.workflows.explain import explain as workflow

    found = workflow(maybe_site_of(context), question, suite or ())
    if json:
        typer.echo(json_text.dumps(explained_data(found), indent=2, ensure_ascii=False))
    else:
        typer.echo(explained_text(found))
    return FINE if found.may_exist else FINDINGS
