"""Layers: which files make up a guest (`extends:`, site.yaml below all), and how later ones change earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from builder.findings import NOWHERE, Finding, Place, did_you_mean
from builder.profile.document import UNREAD, Branch, Document, Leaf, Listing, Tree, shown
from builder.profile.model import Guest

SITE = "site"
# Keys of a file that are about files; no guest has them.
FILE_KEYS = frozenset({"extends", "layer"})
# By the key of the mapping: of these, whoever comes later has the say, and the earlier ones are dropped.
_ONE_OF = {
    "disk": frozenset({"recipe", "partitions"}),
    "password": frozenset({"hash", "file", "env", "command"}),
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One file, its own values apart from what it says about files."""

    document: Document
    values: Branch
    extends: tuple[tuple[str, Place], ...]
    is_layer: bool
    findings: tuple[Finding, ...]

    @property
    def stem(self) -> str:
        """The name others extend it by."""
        return self.document.source.stem


def read_layer(document: Document) -> Layer:
    """Part what a file says about files from what it says about guests."""
    root = document.root or Branch({}, Place(document.source.name))
    findings: list[Finding] = []
    stem = document.source.stem
    is_layer = stem == SITE
    if flag := root.entries.get("layer"):
        if isinstance(flag, Leaf) and isinstance(flag.value, bool):
            is_layer = is_layer or flag.value
        elif not _unread(flag):
            findings.append(Finding("P021", "layer is neither true nor false", "write layer: true", flag.place))
    extends = tuple(_extended(root, findings))
    if stem == SITE and extends:
        hint = "move what all guests share into it; layers are for some of them"
        findings.append(Finding("P021", "site.yaml is below every guest and extends nothing", hint, extends[0][1]))
        extends = ()
    name = root.entries.get("name")
    if name and is_layer:
        hint = "remove the line: a guest's name is its own"
        findings.append(Finding("P021", "a layer gives a name to its guests", hint, name.place))
    for plus in [key for key in root.entries if key.endswith("+") and key.removesuffix("+") in FILE_KEYS]:
        findings.append(
            Finding("P022", f"{plus} is no list to add to", "write extends: [...]", root.entries[plus].place)
        )
    own = {key: tree for key, tree in root.entries.items() if key.removesuffix("+") not in FILE_KEYS}
    if is_layer:
        own.pop("name", None)
    return Layer(document, replace(root, entries=own), extends, is_layer, tuple(findings))


def _extended(root: Branch, findings: list[Finding]) -> Iterator[tuple[str, Place]]:
    named = root.entries.get("extends")
    if named is None:
        return
    for item in named.items if isinstance(named, Listing) else (named,):
        if isinstance(item, Leaf) and isinstance(item.value, str):
            yield item.value, item.place
        elif not _unread(item):
            hint = "write extends: NAME or extends: [NAME, NAME], without .yaml"
            findings.append(Finding("P021", "extends is neither a name nor a list of names", hint, item.place))


def chain(layer: Layer, layers: Mapping[str, Layer]) -> tuple[tuple[Layer, ...], tuple[Finding, ...]]:
    """The files of a guest from the first to the last word: site.yaml, what it extends, itself; each once."""
    ordered: dict[str, Layer] = {}
    findings: list[Finding] = []

    def visit(one: Layer, path: tuple[str, ...]) -> None:
        for name, place in one.extends:
            if name in (*path, one.stem):
                circle = " -> ".join([*path[path.index(name) if name in path else len(path) :], one.stem, name])
                findings.append(Finding("P020", f"extends goes in a circle: {circle}", "take one of them out", place))
            elif other := layers.get(name):
                visit(other, (*path, one.stem))
            else:
                hint = did_you_mean(name.removesuffix(".yaml"), layers) or "write the name of a file beside this one"
                findings.append(Finding("P020", f"extends {shown(name)}, which is no file here", hint, place))
        ordered.setdefault(one.stem, one)

    if SITE in layers:
        ordered[SITE] = layers[SITE]
    visit(layer, ())
    return tuple(ordered.values()), tuple(findings)


def merge(base: Branch, over: Branch, *, key: str = "") -> Branch:
    """`over` on top of `base`: mappings merge, everything else is replaced, `name+` adds to the list `name`.

    A `name+` with no list below it becomes the list `name`.
    """
    entries = dict(base.entries)
    for group in [_ONE_OF[key]] if key in _ONE_OF else []:
        if set(over.entries) & group:
            entries = {name: tree for name, tree in entries.items() if name not in group}
    for name, tree in over.entries.items():
        below = entries.get(name)
        if name.endswith("+"):
            plain = name.removesuffix("+")
            entries[plain] = _added(entries.get(plain), tree)
        elif isinstance(below, Branch) and isinstance(tree, Branch):
            entries[name] = merge(below, tree, key=name)
        else:
            entries[name] = _settled(tree, name)
    keys = {**base.keys, **{name.removesuffix("+"): place for name, place in over.keys.items()}}
    return Branch(entries, over.place, keys)


def _added(below: Tree | None, tree: Tree) -> Tree:
    if isinstance(below, Listing) and isinstance(tree, Listing):
        return Listing((*below.items, *tree.items), tree.place)
    return tree if below is None or not isinstance(tree, Listing) else below


def _settled(tree: Tree, key: str) -> Tree:
    """A mapping without anything below it: its own `name+` are lists now."""
    return merge(Branch({}, tree.place), tree, key=key) if isinstance(tree, Branch) else tree


def defaults() -> Branch:
    """The lists that a guest has without a word, so that `tasks+:` adds to them."""
    entries = {
        name: Listing(tuple(Leaf(item, NOWHERE) for item in field.default), NOWHERE)
        for name, field in Guest.model_fields.items()
        if isinstance(field.default, tuple) and all(isinstance(item, str) for item in field.default)
    }
    return Branch(entries, NOWHERE)


def misused_plus(tree: Tree) -> Iterator[Finding]:
    """`name` and `name+` in one mapping: one replaces, one adds; and a `name+` that is no list."""
    if isinstance(tree, Branch):
        for name, below in tree.entries.items():
            if name.endswith("+") and not isinstance(below, Listing) and not _unread(below):
                yield Finding(
                    "P022", f"{shown(name)} adds to a list and is none", "write [...] or - items", below.place
                )
            if name.endswith("+") and name.removesuffix("+") in tree.entries:
                message = f"{name} and {name.removesuffix('+')} stand in the same mapping"
                yield Finding(
                    "P022", message, "keep one: with + it adds to the list below, without it replaces", below.place
                )
            yield from misused_plus(below)
    elif isinstance(tree, Listing):
        for item in tree.items:
            yield from misused_plus(item)


def _unread(tree: Tree) -> bool:
    return isinstance(tree, Leaf) and tree.value is UNREAD
