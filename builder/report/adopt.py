"""What an adoption knows of a guest, and how sure, for people and as plain data."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

from builder.storage.table import align
from builder.xen.adopt.adoption import Adoption
from builder.xen.adopt.evidence import Certainty

_LONGEST = 44


def adoption_text(adoption: Adoption) -> str:
    """A line for each field with a value: what, how sure, from where; then what of it is not known, and the rest."""
    known = [row for row in adoption.rows if row.certainty is not Certainty.UNKNOWN]
    cells = [(row.field, _short(row.value), row.certainty, row.source) for row in known]
    lines = align([("field", "value", "how sure", "from"), *cells])
    gaps = [f"  {row.field}: {gap}" for row in known for gap in row.gaps]
    lines += ["", "Not known of these:", *gaps] if gaps else []
    lines += ["", "Cannot be known, and is as site.yaml and the defaults have it:"]
    for reason, fields in adoption.by_reason().items():
        text = f"{', '.join(fields)}: {reason}"
        lines += textwrap.wrap(text, 118, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def _short(value: Any) -> str:
    if value in (None, ""):
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def adoption_data(adoption: Adoption) -> list[Mapping[str, Any]]:
    """One mapping for each field, in the model's order."""
    return [
        {
            "field": row.field,
            "value": row.value,
            "certainty": str(row.certainty),
            "from": row.source,
            "gaps": list(row.gaps),
        }
        for row in adoption.rows
    ]
