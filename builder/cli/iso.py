"""`domu iso`: installer images, repacked or made from scratch."""

from __future__ import annotations

import typer

from builder.cli.app import app

group = typer.Typer(name="iso", help="Repack, make and check installer images.", no_args_is_help=True)
app.add_typer(group)
