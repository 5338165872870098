"""What site.yaml alone says to the linter, for files that belong to no guest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from builder.profile.document import Branch, Leaf, Listing, SourceText, Tree, read_document
from builder.profile.explain import SPOKEN_KEYS

_CODE = re.compile(r"[LQ][0-9]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shared:
    """The site's suite, empty when it has none for all, and the codes that are not reported."""

    suite: str = ""
    ignored: frozenset[str] = frozenset()


def read_shared(source: SourceText) -> Shared:
    """What cannot be read counts as not said; `domu check` reports it."""
    root = read_document(source, known=SPOKEN_KEYS).root
    if root is None:
        return Shared()
    lint = root.entries.get("lint")
    ignore = lint.entries.get("ignore") if isinstance(lint, Branch) else None
    codes = map(_text, ignore.items) if isinstance(ignore, Listing) else ()
    return Shared(_text(root.entries.get("suite")), frozenset(code for code in codes if _CODE.fullmatch(code)))


def _text(tree: Tree | None) -> str:
    return tree.value if isinstance(tree, Leaf) and isinstance(tree.value, str) else ""
