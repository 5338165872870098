"""The profile of an adopted guest as text: what is known as YAML, what is not as comments beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from builder.profile.show import yaml_lines
from builder.xen.adopt.adoption import Adoption
from builder.xen.adopt.evidence import Certainty

_WIDTH = 118


def adopted_text(adoption: Adoption, values: Mapping[str, Any], source: str) -> str:
    """`values` in the model's order. `source`: what was adopted, for the first lines."""
    lines = [
        "# yaml-language-server: $schema=schema.json",
        "#",
        *_comment(
            f"Adopted from {source} by `domu adopt {adoption.name}`. Read it before you rebuild the guest from it."
        ),
        "",
    ]
    for row in adoption.rows:
        if row.field not in values:
            continue
        likely = [f"likely, by {row.source}"] if row.certainty is Certainty.LIKELY else []
        for gap in (*likely, *row.gaps):
            lines += _comment(gap)
        lines += yaml_lines({row.field: values[row.field]})
    lines += ["", *_comment("What could not be known is as site.yaml and the defaults have it:")]
    for reason, fields in adoption.by_reason().items():
        lines += _comment(f"{', '.join(fields)}: {reason}")
    return "".join(f"{line}\n" for line in lines)


def _comment(text: str) -> Iterator[str]:
    printable = "".join(sign if sign.isprintable() else "?" for sign in text)
    yield from textwrap.wrap(printable, _WIDTH, initial_indent="# ", subsequent_indent="#   ")
