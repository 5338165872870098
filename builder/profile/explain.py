"""What pydantic found wrong, said to a person: where the value stands, what was seen, what to write instead."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from builder.findings import Finding, Place, did_you_mean
from builder.profile.base import Model
from builder.profile.document import UNREAD, Branch, Leaf, Listing, Tree, shown
from builder.profile.dom0 import Dom0
from builder.profile.layers import FILE_KEYS
from builder.profile.model import UNSPOKEN, models_by_path

MODELS = models_by_path()
DOM0_MODELS = models_by_path(Dom0)
# Every key that some model has, less those whose values are not repeated: what else stands in a file may be a secret.
_KNOWN_MODELS = (*MODELS.values(), *DOM0_MODELS.values())
SPOKEN_KEYS = frozenset(name for model in _KNOWN_MODELS for name in model.model_fields) - UNSPOKEN | FILE_KEYS
Models = Mapping[tuple[str, ...], type[Model]]
Path = tuple[str | int, ...]

_SHAPES = {  # pydantic's error type -> what the field takes
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
}


def path_text(path: Iterable[str | int]) -> str:
    """`nics[0].ipv4.address`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def find_place(tree: Tree, path: Sequence[str | int]) -> Place:
    """Where the value at `path` stands, or the nearest one around it that was written."""
    place = tree.place
    for part in path:
        below = _below(tree, part)
        if below is None:
            break
        tree, place = below, below.place if below.place.file else place
    return place


def explain(error: ValidationError, tree: Branch, *, partial: bool, models: Models = MODELS) -> list[Finding]:
    """One finding for each wrong value; `partial`: a file that is no whole guest, so nothing is missing on top."""
    by_path: defaultdict[Path, list[Mapping[str, Any]]] = defaultdict(list)
    for item in error.errors(include_url=False, include_input=False):
        if not (partial and item["type"] == "missing" and len(item["loc"]) == 1):
            by_path[_own_path(tree, item)].append(item)
    findings = []
    for path, items in by_path.items():
        seen = _at(tree, path)
        deeper = any(len(other) > len(path) and other[: len(path)] == path for other in by_path)
        unread = isinstance(seen, Leaf) and seen.value is UNREAD and items[0]["type"] != "extra_forbidden"
        # With wrong values inside, the list is too short to pydantic and no other branch of a union fits: no news.
        if not unread and not deeper:
            findings.append(_finding(tree, path, items, models))
    return findings


def _own_path(tree: Tree, item: Mapping[str, Any]) -> Path:
    """Where the error is, without pydantic's names of union branches; a missing key is the last part all the same."""
    path: list[str | int] = []
    here: Tree | None = tree
    location = item["loc"]
    for number, part in enumerate(location):
        below = _below(here, part) if here else None
        if below is not None:
            path.append(part)
            here = below
        elif item["type"] == "missing" and number == len(location) - 1:
            path.append(part)
    return tuple(path)


def _finding(tree: Branch, path: Path, items: Sequence[Mapping[str, Any]], models: Models) -> Finding:
    seen, place = _at(tree, path), find_place(tree, path)
    name = path_text(path)
    spoken = all(isinstance(part, int) or part in SPOKEN_KEYS for part in path)
    if path[:1] in {("root",), ("users",)} and len(path) <= 2 and isinstance(seen, Leaf):
        spoken = False  # `root: hunter2`
    types = {item["type"] for item in items}
    if "missing" in types:
        return Finding("P031", f"{name} is missing", _field_hint(path, models), place)
    if "extra_forbidden" in types:
        return _unknown_key(path, _key_place(tree, path) or place, models)
    if "secret" in types:
        hint = "never write a password itself: `domu passwd` asks for it and prints the hash to write here"
        return Finding("S001", f"{name} {_message(items, 'secret')}", hint, place)
    value = f" {shown(seen.value)}" if isinstance(seen, Leaf) and spoken else ""
    problem, _, advice = _problem(items, seen).partition("; ")
    if not spoken and isinstance(seen, Leaf):
        problem = problem.replace(shown(seen.value), "the value")
    elif isinstance(seen, Leaf) and problem.startswith(repr(str(seen.value))):
        value = ""
    hint = _nearest(items, seen) if spoken else ""
    return Finding("P032", f"{name}:{value} {problem}", hint or advice or _field_hint(path, models), place)


def _problem(items: Sequence[Mapping[str, Any]], seen: Tree | None) -> str:
    """What is wrong, the most telling first: a field's own words, then choices, then shapes."""
    if own := [item for item in items if item["type"] == "value_error"]:
        words, semicolon, advice = _message(own, "value_error").partition("; ")
        return f"{words}{_or_choices(items) if words.startswith('is not') else ''}{semicolon}{advice}"
    choices = [word for item in items if item["type"] == "literal_error" for word in _choices(item)]
    shapes = list(dict.fromkeys(_SHAPES[item["type"]] for item in items if item["type"] in _SHAPES))
    if choices and isinstance(seen, Leaf) and isinstance(seen.value, str):
        more = f", nor {' or '.join(shapes)}" if shapes else ""
        return f"is not one of {', '.join(choices)}{more}"
    if choices or shapes:
        wanted = " or ".join([*([f"one of {', '.join(choices)}"] if choices else []), *shapes])
        quote = "; quote it" if "text" in shapes and isinstance(seen, Leaf) else ""
        return f"is {_kind(seen)}, and {wanted} is wanted{quote}"
    return (
        str(items[0]["msg"]).replace("Input should", "should").replace("Tuple ", "").replace(" after validation,", ",")
    )


def _message(items: Sequence[Mapping[str, Any]], kind: str) -> str:
    return next(str(item["msg"]) for item in items if item["type"] == kind).removeprefix("Value error, ")


def _or_choices(items: Sequence[Mapping[str, Any]]) -> str:
    choices = [word for item in items if item["type"] == "literal_error" for word in _choices(item)]
    return f", nor {' or '.join(choices)}" if choices else ""


def _choices(item: Mapping[str, Any]) -> list[str]:
    return re.findall(r"'([^']*)'", str(item.get("ctx", {}).get("expected", "")))


def _nearest(items: Sequence[Mapping[str, Any]], seen: Tree | None) -> str:
    choices = [word for item in items if item["type"] == "literal_error" for word in _choices(item)]
    return did_you_mean(seen.value, choices) if isinstance(seen, Leaf) and isinstance(seen.value, str) else ""


def _unknown_key(path: Path, place: Place, models: Models) -> Finding:
    key = str(path[-1])
    names = [part for part in path[:-1] if isinstance(part, str)]
    model = models.get(tuple(names))
    known = sorted(model.model_fields) if model else []
    # Below a password even a key may be one: `password: {hunter2}` is a mapping to YAML.
    if any(name in UNSPOKEN for name in names):
        return Finding("P030", f"{path_text(path[:-1])} has an unknown key", f"it takes {', '.join(known)}", place)
    hint = did_you_mean(key, known if names or models is not MODELS else [*known, *FILE_KEYS])
    where = f" in {path_text(path[:-1])}" if names else ""
    if not hint and known and names:
        hint = f"it takes {', '.join(known)}"
    return Finding("P030", f"unknown key {shown(key)}{where}", hint or "`domu schema` has every field", place)


def _field_hint(path: Path, models: Models) -> str:
    names = [part for part in path if isinstance(part, str)]
    model: type[Model] | None = models.get(tuple(names[:-1]))
    field = model.model_fields.get(names[-1]) if model and names else None
    return f"{names[-1]}: {field.description}" if field and field.description else "`domu schema` has every field"


def _kind(tree: Tree | None) -> str:
    match tree:
        case Branch():
            return "a mapping"
        case Listing():
            return "a list"
        case Leaf(value=bool()):
            return "a truth value"
        case Leaf(value=int()):
            return "a number"
        case _:
            return "text"


def _below(tree: Tree, part: str | int) -> Tree | None:
    if isinstance(tree, Branch) and isinstance(part, str):
        return tree.entries.get(part)
    if isinstance(tree, Listing) and isinstance(part, int) and part < len(tree.items):
        return tree.items[part]
    return None


def _key_place(tree: Tree, path: Path) -> Place | None:
    around = _at(tree, path[:-1])
    return around.keys.get(str(path[-1])) if isinstance(around, Branch) else None


def _at(tree: Tree, path: Path) -> Tree | None:
    here: Tree | None = tree
    for part in path:
        here = _below(here, part) if here else None
    return here


def leaves(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, Tree]]:
    """Every value with its path, those of mappings and lists as well."""
    yield path, tree
    if isinstance(tree, Branch):
        for key, below in tree.entries.items():
            yield from leaves(below, (*path, key))
    elif isinstance(tree, Listing):
        for number, below in enumerate(tree.items):
            yield from leaves(below, (*path, number))
