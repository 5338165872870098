"""From a rendered line back to the template's line that it was most likely made from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

from builder.findings import Place
from builder.preseed.render import Template

_TAGS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
Row: TypeAlias = tuple[tuple[str, ...], Place]


def rows_of(templates: Iterable[Template]) -> tuple[Row, ...]:
    """The lines of templates, as the texts between their tags; those that write nothing of their own are left out."""
    return tuple(
        (pieces, Place(template.origin, number))
        for template in templates
        for number, line in enumerate(template.text.splitlines(), 1)
        for pieces in [tuple(_TAGS.split(line))]
        if any(pieces)
    )


def trace(line: str, rows: Iterable[Row]) -> Place | None:
    """The place of the row that says most of this line itself; None when there is none, or more than one."""
    best = 0
    places: set[Place] = set()
    for pieces, place in rows:
        weight = sum(len(piece) for piece in pieces)
        if weight >= best and _made_of(line, pieces):
            places = {place} if weight > best else places | {place}
            best = weight
    return places.pop() if len(places) == 1 else None


def _made_of(line: str, pieces: tuple[str, ...]) -> bool:
    """Whether the pieces stand in the line in this order, the first at its beginning and the last at its end."""
    first, *rest = pieces
    if not rest:
        return line == first
    *inner, last = rest
    if not line.startswith(first) or not line.endswith(last):
        return False
    at = len(first)
    for piece in inner:
        found = line.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return at <= len(line) - len(last)
