"""One profile file: bytes to a tree of plain values, each with its place, and findings for what YAML does to people.

Reads YAML's events itself instead of using a constructor: `no`, 010 and 12:30 are seen before they turn into something
else, and neither tags, nor nesting, nor aliases can make more of a file than is written in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from builder.findings import Finding, Place

BIGGEST_FILE = 256 * 1024
_DEEPEST = 20
_MOST_VALUES = 20_000
# libyaml's parser is some ten times faster; PyYAML may be built without it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unread:
    """Stands where a value was refused, so that nothing more is said about it."""


UNREAD: Final = Unread()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A single value."""

    value: str | int | bool | Unread
    place: Place


@dataclass(frozen=True, slots=True)
class Branch:
    """A mapping; `keys` has the places of the keys, `entries` those of the values."""

    entries: Mapping[str, Tree]
    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """A list."""

    items: tuple[Tree, ...]
    place: Place


Tree = Leaf | Branch | Listing


@dataclass(frozen=True, slots=True)
class SourceText:
    """One profile file: its name for messages, its stem (the guest's or layer's name), its bytes."""

    name: str
    stem: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """What one file says; `root` is None when it could not be read as a mapping at all."""

    source: SourceText
    root: Branch | None
    findings: tuple[Finding, ...]


# What an unquoted word is in YAML 1.1, which most readers speak, and what to write. The first that matches counts.
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}", re.ASCII)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_TRAPS = (
    (
        "P009",
        re.compile(r"(?:y|yes|on|n|no|off)", re.IGNORECASE | re.ASCII),
        "is a truth value to some YAML readers and a word to others",
        "write true or false, or quote it: '{0}'",
    ),
    ("P008", re.compile(r"(?:~|null|)", re.IGNORECASE), "is empty", "write a value, or remove the line"),
    (
        "P010",
        re.compile(r"[-+]?0[0-9_]+|0o[0-7_]+|0[xX][0-9a-fA-F_]+|0b[01_]+|[-+]?[0-9][0-9_]+", re.ASCII),
        "is an octal, hexadecimal, grouped or very long number to YAML",
        "write a plain decimal number, or quote it: '{0}'",
    ),
    (
        "P010",
        re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", re.ASCII),
        "is a number of base sixty to YAML 1.1",
        "quote it: '{0}'",
    ),
    (
        "P010",
        re.compile(
            r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.inf|\.nan",
            re.IGNORECASE | re.ASCII,
        ),
        "is a number with a fraction to YAML, and no field takes one",
        "quote it: '{0}', or give a size its unit, as in 1.5G",
    ),
    (
        "P010",
        re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?", re.ASCII),
        "is a date to YAML",
        "quote it: '{0}'",
    ),
)
# Not printable in a file of text; the line breaks that nobody sees (NEL, LS, PS) are among them.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def shown(value: object) -> str:
    """A value as a message repeats it: one line, not long, nothing that a terminal obeys."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}...{text[-1]}"


def read_document(source: SourceText, *, known: frozenset[str]) -> Document:
    """Read one file. Values below keys that are not `known` are never repeated in a message: they may be secrets."""
    reader = _Reader(source, known)
    try:
        root = reader.read()
    except _AbandonedError:
        root = None
    return Document(source, root, tuple(reader.findings))


class _AbandonedError(Exception):
    """The rest of the file cannot be read; the finding is in."""


@dataclass(frozen=True, slots=True)
class _Anchored:
    tree: Tree
    values: int
    height: int


class _Reader:
    """Reads the events of one file, keeping the findings and what was anchored."""

    def __init__(self, source: SourceText, known: frozenset[str]) -> None:
        self.source = source
        self.known = known
        self.findings: list[Finding] = []
        self.anchors: dict[str, _Anchored] = {}
        self.values = 0
        self.events: Iterator[Any] = iter(())

    def read(self) -> Branch | None:
        text = self._text()
        self.events = yaml.parse(text, Loader=_LOADER)
        root: Tree | None = None
        documents = 0
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._abandon(
                        "P003", "holds a second document", "one file, one profile: remove the ---", event
                    )
                root = self._tree(self._next(), 1, spoken=True)
        if isinstance(root, Branch):
            return root
        if root is None or (isinstance(root, Leaf) and root.value is UNREAD):
            self.findings.clear()
            message = "is empty"
        else:
            message = "is no mapping"
        self._report(
            "P003", message, "write lines of the form key: value, as in suite: trixie", Place(self.source.name)
        )
        return None

    def _text(self) -> str:
        whole = Place(self.source.name)
        if len(self.source.data) > BIGGEST_FILE:
            raise self._abandon("P004", f"is bigger than {BIGGEST_FILE // 1024} KiB", "split it into layers", whole)
        try:
            text = self.source.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = self.source.data[: error.start].decode(errors="replace")
            raise self._abandon("P001", "is not UTF-8", "save it as UTF-8", self._position(before)) from None
        if match := _UNSEEN.search(text):
            message, hint = f"contains the sign {match[0]!a}, which is no text", "remove it"
            raise self._abandon("P001", message, hint, self._position(text[: match.start()]))
        return text

    def _position(self, before: str) -> Place:
        return Place(self.source.name, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)

    def _next(self) -> Any:
        try:
            return next(self.events)
        except yaml.YAMLError as error:
            # Only the parser's own words: what it quotes may be part of a secret.
            problem = str(getattr(error, "problem", None) or "cannot be read").split("'")[0].split('"')[0].strip()
            hint = "YAML indents with blanks, never with tabs" if "\\t" in str(error) else _SYNTAX_HINT
            raise self._abandon(
                "P002", f"is not YAML here: {problem}", hint, getattr(error, "problem_mark", None)
            ) from None

    def _tree(self, event: Any, depth: int, *, spoken: bool) -> Tree:
        place = self._place(event)
        self._count(1, place)
        if depth > _DEEPEST:
            raise self._abandon("P004", f"nests more than {_DEEPEST} levels", "no field needs that", place)
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event, depth)
        before = self.values
        if event.tag and event.tag != "!":
            self._report(
                "P005", "has a YAML tag (!...), which is not read here", "remove it, or quote the value", place
            )
        if isinstance(event, yaml.ScalarEvent):
            tree: Tree = Leaf(self._scalar(event, spoken=spoken), place)
        elif isinstance(event, yaml.SequenceStartEvent):
            tree = Listing(tuple(self._items(depth, spoken=spoken)), place)
        else:
            tree = self._branch(place, depth, spoken=spoken)
        if event.anchor:
            self.anchors[event.anchor] = _Anchored(tree, self.values - before, _height(tree))
        return tree

    def _items(self, depth: int, *, spoken: bool) -> Iterator[Tree]:
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            yield self._tree(event, depth + 1, spoken=spoken)

    def _branch(self, start: Place, depth: int, *, spoken: bool) -> Branch:
        entries: dict[str, Tree] = {}
        keys: dict[str, Place] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            place = self._place(event)
            key = self._key(event, depth)
            below = spoken and key is not None and key.removesuffix("+") in self.known
            tree = self._tree(self._next(), depth + 1, spoken=below)
            if key is None:
                continue
            if key in entries:
                name = f"the key {shown(key)}" if spoken else "a key"
                self._report("P006", f"{name} stands in line {keys[key].line} already", "keep one of them", place)
                continue
            entries[key], keys[key] = tree, place
        return Branch(entries, start, keys)

    def _key(self, event: Any, depth: int) -> str | None:
        if isinstance(event, yaml.ScalarEvent) and not event.tag and event.value:
            if event.value == "<<" and not event.style:
                hint = "put what is shared into a layer and name it: extends: [layer]"
                self._report("P005", "has a merge key (<<), which is not read here", hint, self._place(event))
                return None
            return str(event.value)
        self._report(
            "P007", "has a key that is not plain text", "write a field's name, as in suite:", self._place(event)
        )
        kept = len(self.findings)
        self._tree(event, depth + 1, spoken=False)
        del self.findings[kept:]
        return None

    def _scalar(self, event: Any, *, spoken: bool) -> str | int | bool | Unread:
        text = str(event.value)
        if event.tag and event.tag != "!":
            return UNREAD
        if event.style or _MAC.fullmatch(text):
            return text
        if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
            return text.lower() == "true"
        if _INTEGER.fullmatch(text):
            return int(text)
        for code, pattern, problem, hint in _TRAPS:
            if pattern.fullmatch(text):
                name = shown(text) if spoken and text else "the value" if text else "this"
                advice = hint.format(text) if spoken else hint.replace("'{0}'", "'...'")
                self._report(code, f"{name} {problem}", advice, self._place(event))
                return UNREAD
        return text

    def _aliased(self, event: Any, depth: int) -> Tree:
        place = self._place(event)
        anchored = self.anchors.get(event.anchor)
        if anchored is None:
            self._report("P005", "is an alias (*...) of nothing that stands above", "quote it if text is meant", place)
            return Leaf(UNREAD, place)
        self._count(anchored.values, place)
        if depth + anchored.height > _DEEPEST:
            raise self._abandon("P004", f"nests more than {_DEEPEST} levels", "no field needs that", place)
        return anchored.tree

    def _count(self, values: int, place: Place) -> None:
        self.values += values
        if self.values > _MOST_VALUES:
            raise self._abandon("P004", f"holds more than {_MOST_VALUES} values", "split it into layers", place)

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.source.name, mark.line + 1, mark.column + 1)

    def _report(self, code: str, message: str, hint: str, place: Place) -> None:
        self.findings.append(Finding(code, message, hint, place))

    def _abandon(self, code: str, message: str, hint: str, at: Any) -> _AbandonedError:
        if not isinstance(at, Place):
            mark = getattr(at, "start_mark", at)
            at = Place(self.source.name, mark.line + 1, mark.column + 1) if mark else Place(self.source.name)
        self._report(code, message, hint, at)
        return _AbandonedError()


_SYNTAX_HINT = "look at the quotes, colons and indentation of this line and the one before"


def _height(tree: Tree) -> int:
    below = tree.entries.values() if isinstance(tree, Branch) else tree.items if isinstance(tree, Listing) else ()
    return 1 + max(map(_height, below), default=-1)


def plain(tree: Tree) -> Any:
    """The values alone, as mappings and lists."""
    match tree:
        case Branch(entries):
            return {key: plain(below) for key, below in entries.items()}
        case Listing(items):
            return [plain(below) for below in items]
        case Leaf(value):
            return value
