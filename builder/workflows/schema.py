"""`domu schema`: what a profile and dom0.yaml may hold, for editors."""

from __future__ import annotations

from typing import Literal

from builder.profile.schema import dom0_schema_text, schema_text


def print_schema(of: Literal["profile", "dom0"] = "profile") -> str:
    """JSON Schema, draft 2020-12."""
    return dom0_schema_text() if of == "dom0" else schema_text()
