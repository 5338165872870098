"""JSON Schemas for editors: of a profile, what the model takes, plus `extends`, `layer`, `name+`; and of dom0.yaml."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from builder.profile.dom0 import Dom0
from builder.profile.model import Guest

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FILE_KEYS: Mapping[str, Mapping[str, Any]] = {
    "extends": {
        "description": "Layers below this file, by name; the later ones win over the earlier, this file over all",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    },
    "layer": {"description": "true: a layer for others to extend, no guest", "type": "boolean"},
}


def profile_schema() -> dict[str, Any]:
    """A schema that takes every sound file: no key is required at the top, for another file may give it."""
    schema = _tidy(Guest.model_json_schema())
    mergeable = [schema, schema["$defs"]["Disk"], schema["$defs"]["Root"]]
    for model in mergeable:
        lists = {name: value for name, value in model["properties"].items() if value.get("type") == "array"}
        added = {f"{name}+": _addition(name, value) for name, value in lists.items()}
        model["properties"] = {**model["properties"], **added}
    del schema["required"]
    schema["properties"] = {**_FILE_KEYS, **schema["properties"]}
    title = {"$schema": DIALECT, "title": "domu profile", "description": "A guest, a layer, or site.yaml"}
    return {**schema, **title}


def dom0_schema() -> dict[str, Any]:
    """The schema of dom0.yaml."""
    title = {"$schema": DIALECT, "title": "domu dom0", "description": "The dom0 of the site's guests: dom0.yaml"}
    return {**_tidy(Dom0.model_json_schema()), **title}


def schema_text() -> str:
    """The schema as profiles/schema.json holds it."""
    return _text(profile_schema())


def dom0_schema_text() -> str:
    """The schema as profiles/dom0.schema.json holds it."""
    return _text(dom0_schema())


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _addition(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key in {"type", "items"}}
    return {**kept, "description": f"Added to the {name} of the layers below"}


def _tidy(schema: Any) -> Any:
    """Without pydantic's titles (the keys again) and without null: an empty value is a finding."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: {name: _tidy(below) for name, below in value.items()} if key in {"properties", "$defs"} else _tidy(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value in (None, "", [], {}))
    }
    options = [option for option in kept.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        del kept["anyOf"]
        return {**options[0], **kept}
    return {**kept, "anyOf": options} if options else kept
