"""What was built, copied to where xl looks for it on dom0."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from builder.errors import BuilderError
from builder.host.digests import file_digest
from builder.host.dom0.reading import below
from builder.host.files import private_folder, write_in_front


def place_files(build: Path, folder: str, digests: Mapping[str, str], root: Path) -> None:
    """Copy these files of a build (name -> SHA-256) into `folder` on dom0, each whole or not at all; others stay.

    Raises BuilderError when one is missing, is another one by now, or does not fit.
    """
    target = below(root, folder)
    private_folder(target)
    for name, sha256 in digests.items():
        source, copy = build / name, target / name
        if not source.is_file():
            raise BuilderError(f"{source} is missing", "domu build makes it again")
        if copy.parent != target:
            private_folder(copy.parent)
        write_in_front(b"", source, copy, mode=source.stat().st_mode & 0o777)
        if file_digest(copy)[0] != sha256:
            copy.unlink()
            raise BuilderError(f"{source} was changed after it was built", "domu build makes it again")
