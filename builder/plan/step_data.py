"""Steps as plain data and back, for the journal: read strictly, for what is done next follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from builder.plan.steps import Step
from builder.units import Size


def step_data(step: Step) -> dict[str, Any]:
    """As JSON can hold it; `kind` names the step."""
    return _named(step)


def step_of(data: object) -> Step:
    """Of `step_data`. ValueError for anything else: an unknown kind or key, a key that is missing, another type."""
    step: Step = _value(data, Step)
    return step


def _named(value: Any) -> dict[str, Any]:
    return {"kind": type(value).__name__, **{one.name: _data(getattr(value, one.name)) for one in fields(value)}}


def _data(value: Any) -> Any:
    if isinstance(value, Size):
        return value.bytes
    if is_dataclass(value):
        return _named(value)
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


def _value(data: Any, kind: Any) -> Any:
    """`data` as this type says."""
    origin = get_origin(kind)
    if kind is Size and type(data) is int:
        return Size(data)
    if origin in (UnionType, Union) or is_dataclass(kind):
        return _dataclass(data, {one.__name__: one for one in get_args(kind) or (kind,)})
    if origin in (tuple, frozenset) and isinstance(data, list) and all(isinstance(one, str) for one in data):
        return origin(data)
    if (origin is Literal and data in get_args(kind)) or type(data) is kind:
        return data
    raise ValueError(f"{data!a} is no {kind}")


def _dataclass(data: object, kinds: Mapping[str, Any]) -> Any:
    if not isinstance(data, dict) or data.get("kind") not in kinds:
        raise ValueError(f"{data!a} is none of {', '.join(kinds)}")
    kind = kinds[data["kind"]]
    hints = get_type_hints(kind)
    needed = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    given = data.keys() - {"kind"}
    if not needed <= given <= hints.keys():
        raise ValueError(f"{kind.__name__} with the keys {', '.join(sorted(given))}")
    return kind(**{name: _value(data[name], hints[name]) for name in given})
