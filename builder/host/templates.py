"""Finds the preseed templates: those shipped with the package, and a site's own, which replace them by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from builder.errors import BuilderError
from builder.host.site import Site
from builder.preseed.render import Template

STOCK = Path(__file__).parent.parent / "preseeds"


def read_templates(site: Site) -> Mapping[str, Template]:
    """Every *.j2 of the package and of the site's preseeds/, by name; BuilderError when one cannot be read."""
    return _templates_of(STOCK) | _templates_of(site.preseeds)


def _templates_of(folder: Path) -> dict[str, Template]:
    if not folder.is_dir():
        return {}
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".j2" and path.is_file())
    return {path.name: _read(path) for path in paths}


def _read(path: Path) -> Template:
    try:
        return Template(path.name, path.read_text("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise BuilderError(f"{path} is not UTF-8: {error.reason} at byte {error.start}", "save it as UTF-8") from error
    except OSError as error:
        raise BuilderError(f"{path} cannot be read: {error.strerror}") from error
