"""`domu passwd`: ask for a password, print its crypt hash."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from builder.cli.app import FINE, app


class Method(StrEnum):
    """The two that a profile takes."""

    YESCRYPT = "yescrypt"
    SHA512 = "sha512"


@app.command()
def passwd(
    method: Annotated[Method, typer.Option(help="Debian's default is yescrypt.")] = Method.YESCRYPT,
) -> int:
    """Ask for a password and print its hash.

    It is asked for twice; the crypt hash is for a profile, or the file, variable or command that a profile names.

    Without a terminal, the password is the first line of standard input.
    """
    from builder.workflows.passwd import make_hash

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt="Again", err=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    typer.echo(make_hash(password, method.value))
    return FINE
