"""The Typer application, its global options, and the one place where errors become exit statuses."""

from __future__ import annotations

import gc
import sys
import tempfile
import traceback
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from builder import __version__
from builder.errors import BuilderError, RefusalError

if TYPE_CHECKING:
    from builder.host.site import Site

# Typer carries its own copy of click since 0.16.1 and publishes only this class of its family.
CLICK_ERROR: type[Exception] = typer.BadParameter.__mro__[2]
FINE, FINDINGS, USAGE, FAULT, INTERRUPTED = 0, 1, 2, 3, 130
# One module per command or group of commands; each registers itself on `app` when imported.
COMMANDS = (
    "init",
    "adopt",
    "show",
    "schema",
    "passwd",
    "hostkeys",
    "fetch",
    "render",
    "boot",
    "build",
    "check",
    "lint",
    "recipe",
    "initrd",
    "iso",
    "iso_master",
    "preseed",
    "catalogue",
    "explain",
    "volumes",
    "network",
    "network_apply",
    "network_show",
    "plan",
    "rebuild",
    "remove",
    "status",
    "report",
    "verify",
    "drift",
    "doctor",
)

app = typer.Typer(
    name="domu",
    help="Build Debian preseeds, installer images and Xen configs from profiles.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@dataclass(slots=True)
class Globals:
    """What was said before the command's name."""

    site: Path | None = None


def print_version(wanted: bool) -> None:
    """Answer `--version`, which needs no command."""
    if wanted:
        typer.echo(f"domu {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    *,
    site: Annotated[
        Path | None, typer.Option(help="The site's folder.", envvar="DOMU_SITE", show_default="working folder")
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=print_version),
    ] = False,
) -> None:
    """Build Debian preseeds, installer images and Xen configs from profiles."""
    context.obj = Globals(site)


def site_of(context: typer.Context) -> Site:
    """The site that the global options name; BuilderError when it is none."""
    from builder.host.site import find_site

    return find_site(context.obj.site)


def maybe_site_of(context: typer.Context) -> Site | None:
    """As site_of, but None outside of any site."""
    from builder.host.site import find_site_or_none

    return find_site_or_none(context.obj.site)


def main() -> None:
    """Entry point of `domu`. What a terminal's encoding lacks is spelt out there."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    load_commands()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # frozen values are no cycles: it takes a seventh off `domu lint` of 1,000 files
    sys.exit(call())


def load_commands() -> None:
    """Let every command register itself on `app`, once."""
    for command in COMMANDS:
        import_module(f"builder.cli.{command}")


def call(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit status: 0 fine, 1 findings, 2 usage, 3 our fault, 130 interrupted."""
    try:
        status = app(arguments, prog_name="domu", standalone_mode=False)
    except CLICK_ERROR as error:
        error.show()  # type: ignore[attr-defined]
        return USAGE
    except SystemExit as done:  # shell completion ends so
        return done.code if isinstance(done.code, int) else FINE
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("interrupted", err=True)
        return INTERRUPTED
    except RefusalError as error:
        for finding in error.findings:
            typer.echo(str(finding), err=True)
        typer.echo(f"domu: {error}", err=True)
        return FINDINGS
    except BuilderError as error:
        typer.echo(f"domu: {error}", err=True)
        return FINDINGS
    except Exception:
        typer.echo(f"domu: a fault of domu's own; please report it with {keep_traceback()}", err=True)
        return FAULT
    return status if isinstance(status, int) else FINE


def keep_traceback() -> str:
    """Write the current traceback to a file of the user's own and return its path."""
    with tempfile.NamedTemporaryFile("w", prefix="domu-fault-", suffix=".log", delete=False) as log:
        log.write(traceback.format_exc())
    return log.name
