"""`domu fetch`: installer media, verified, into the cache."""

from __future__ import annotations

import json as json_text
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from builder.cli.app import FINDINGS, FINE, app, site_of


@app.command()
def fetch(
    context: typer.Context,
    *,
    suite: Annotated[list[str] | None, typer.Option(help="Only this suite, guests or not; repeatable.")] = None,
    arch: Annotated[list[str] | None, typer.Option(help="Only this architecture; repeatable.")] = None,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Take the newest build and pin it.")] = False,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Ask the mirror for every udeb that an installation will pull.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use the cache alone.")] = False,
    mirror: Annotated[str, typer.Option(help="A mirror, or auto, instead of the profiles'.")] = "",
    proxy: Annotated[str, typer.Option(help="A proxy, auto or none, instead of the profiles'.")] = "",
    keyring: Annotated[
        Path | None, typer.Option(help="Whose signatures count, instead of the profiles' keyring.")
    ] = None,
    allow_expired: Annotated[
        bool, typer.Option("--allow-expired", help="Take a Release that is past its Valid-Until, with a warning.")
    ] = False,
    allow_older: Annotated[
        bool, typer.Option("--allow-older", help="Take a Release that is older than one seen before.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Fetch and verify installer media.

    What the guests need, by signature and digest, pinned in profiles/media.lock.
    """
    from builder.findings import Severity
    from builder.report.fetch import fetched_data, held_text, preflight_text
    from builder.report.findings import findings_text
    from builder.report.progress import progress_on
    from builder.workflows import fetch as workflow

    order = workflow.FetchOrder(
        suites=tuple(suite or ()),
        archs=tuple(arch or ()),
        mirror=mirror,
        proxy=proxy,
        keyring=keyring,
        upgrade=upgrade,
        preflight=preflight,
        offline=offline,
        allow_expired=allow_expired,
        allow_older=allow_older,
    )
    done = workflow.fetch(site_of(context), order, progress=progress_on(sys.stderr), now=datetime.now(UTC))
    if json:
        typer.echo(json_text.dumps(fetched_data(done.held, done.preflights, done.findings), indent=2))
    else:
        typer.echo(held_text(done.held))
        for seen in done.preflights:
            typer.echo(preflight_text(seen))
        if done.findings:
            typer.echo(findings_text(done.findings))
    return FINDINGS if any(finding.severity is Severity.ERROR for finding in done.findings) else FINE
