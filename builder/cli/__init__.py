"""The front door: arguments in, one workflow called, its answer printed, an exit status out."""

from builder.cli.app import main

__all__ = ["main"]
