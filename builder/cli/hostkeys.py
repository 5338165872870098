"""`domu hostkeys`: SSH host keys that a guest keeps over rebuilds."""

from __future__ import annotations

import json as json_text
import os
from enum import StrEnum
from typing import Annotated

import typer

from builder.cli.app import FINE, app, site_of


class Kind(StrEnum):
    """The types that sshd has host keys of."""

    ED25519 = "ed25519"
    ECDSA = "ecdsa"
    RSA = "rsa"


@app.command()
def hostkeys(
    context: typer.Context,
    guest: Annotated[str, typer.Argument(help="The guest.")],
    *,
    kinds: Annotated[
        list[Kind] | None, typer.Option("--type", help="Of this type; may be repeated.", show_default="ed25519")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Make none: show those that the profile has.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Make none: tell what would be made.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Make SSH host keys that rebuilds keep.

    Private keys go to secrets/ of the site, and are never replaced. Prints the lines for the profile and known_hosts.
    """
    from builder.profile.host_keys import KEY_KINDS
    from builder.report.hostkeys import keys_data, keys_text
    from builder.workflows import hostkeys as workflow

    site = site_of(context)
    if show:
        keys = workflow.show(site, guest, environment=os.environ)
    else:
        chosen = {kind.value for kind in kinds or (Kind.ED25519,)}
        wanted = tuple(kind for kind in KEY_KINDS if kind in chosen)
        keys = workflow.make(site, guest, wanted, dry_run=dry_run)
    typer.echo(json_text.dumps(keys_data(keys), indent=2) if json else keys_text(keys))
    return FINE
