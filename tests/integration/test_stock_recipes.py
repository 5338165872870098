"""The figures of stock recipes against the real partman-auto udebs of both suites."""

from __future__ import annotations

import hashlib
import lzma
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from builder.preseed.recipe import Recipe, parse_recipe
from builder.preseed.stock import stock_names, stock_recipe
from builder.profile.model import Suite
from tests.pool import fetched


def recipes_of(suite: Suite, folder: Path) -> dict[str, Recipe]:
    """The recipes for amd64 without EFI, by short name, in the order of their files."""
    index = lzma.decompress(fetched(f"dists/{suite}/main/debian-installer/binary-amd64/Packages.xz")).decode()
    stanza = next(it for it in index.split("\n\n") if it.startswith("Package: partman-auto\n"))
    fields = dict(line.split(": ", 1) for line in stanza.splitlines() if not line.startswith(" ") and ": " in line)
    udeb = folder / "partman-auto.udeb"
    udeb.write_bytes(fetched(fields["Filename"]))
    assert hashlib.sha256(udeb.read_bytes()).hexdigest() == fields["SHA256"]
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", udeb], check=True, capture_output=True).stdout
    files = {}
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        for member in archive:
            if (content := archive.extractfile(member)) is not None:
                files[Path(member.name)] = content.read().decode(errors="replace")
    own = Path("lib/partman/recipes-amd64")
    home = own if any(path.parent == own for path in files) else own.with_name("recipes")
    found = {path.name[2:]: text for path, text in sorted(files.items()) if path.parent == home}
    return {name: parse_recipe(text)[0] for name, text in found.items()}


@pytest.mark.network
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_stock_recipes_are_those_of_the_installer(suite: Suite, tmp_path: Path) -> None:
    real = recipes_of(suite, tmp_path)
    assert tuple(real) == stock_names(suite)
    assert real == {name: stock_recipe(suite, name) for name in stock_names(suite)}
