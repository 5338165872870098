"""`domu schema`: what a profile may hold, for editors."""

from __future__ import annotations

from builder.profile.schema import schema_text


def print_schema() -> str:
    """JSON Schema, draft 2020-12."""
    return schema_text()
