"""`domu init`: a new site, small and sound, to be changed by hand."""

from __future__ import annotations

from pathlib import Path

from builder.host.site import lay_site, read_sample
from builder.profile.schema import dom0_schema_text, schema_text

_IGNORED = b"""\
# Artefacts hold password hashes, and can be built again; so can the media.
/build/
/cache/
/secrets/
"""


def lay(target: Path) -> tuple[str, ...]:
    """Lay the site and return the two commands to go on with; BuilderError when the folder is not empty."""
    files = {
        ".gitignore": _IGNORED,
        "profiles/dom0.schema.json": dom0_schema_text().encode(),
        "profiles/dom0.yaml": read_sample("dom0.yaml"),
        "profiles/schema.json": schema_text().encode(),
        "profiles/site.yaml": read_sample("site.yaml"),
        "profiles/web1.yaml": read_sample("web1.yaml"),
        "profiles/webserver.yaml": read_sample("webserver.yaml"),
        "preseeds/README": b"Templates here take the place of the stock ones of the same name.\n",
    }
    lay_site(target, files)
    return (f"domu --site {target} show web1 --why", f"domu --site {target} check")
