"""What every part of a profile is: a frozen, typed model that knows its keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue


class Model(BaseModel):
    """Unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def or_text(handler: GetJsonSchemaHandler, schema: JsonSchemaValue, **text: str) -> JsonSchemaValue:
    """The schema of a model that may also be written as one text."""
    mapping = handler.resolve_ref_schema(schema)
    whole = {"anyOf": [{"type": "string", **text}, dict(mapping)], "description": mapping.pop("description", "")}
    mapping.clear()
    mapping.update(whole)
    return schema
