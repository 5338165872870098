"""Symbolic links on an ISO image: which file a path leads to that goes through some, as paths in md5sum.txt may."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import BinaryIO

from builder.image.iso.contents import Contents
from builder.image.iso.records import walk

_MOST = 40  # links on one way, as Linux has it


def read_links(image: BinaryIO, contents: Contents) -> dict[str, str]:
    """Every link in the primary tree: its path, and what it holds, with a slash behind."""
    tree = contents.volume.descriptors[0]
    return {one.path: one.link for one in walk(image, contents.volume, tree) if one.link}


def resolve(path: str, links: Mapping[str, str]) -> str | None:
    """The path without links; None where they go round in circles, or out of the image."""
    for _ in range(_MOST):
        parts = path.split("/")
        found = next((at for at in range(2, len(parts) + 1) if "/".join(parts[:at]) in links), None)
        if found is None:
            return path
        link = "/".join(parts[:found])
        joined = posixpath.join(posixpath.dirname(link), links[link], *parts[found:])
        path = posixpath.normpath(joined)
        if not path.startswith("/") or path.startswith("//"):
            return None
    return None
