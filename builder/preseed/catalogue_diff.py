"""What changes for preseeds between two catalogues, such as those of two releases."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from builder.preseed.catalogue import Catalogue, Question, Unread


@dataclass(frozen=True, slots=True)
class Change:
    """One property of a question that both have: `before` and `after` as texts."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A name that one of the two does not have, perhaps only because these packages were not read there."""

    name: str
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueDiff:
    """From `old` to `new` (suite and installer version each); names sorted."""

    old: str
    new: str
    added: tuple[Uncertain, ...]
    removed: tuple[Uncertain, ...]
    types: tuple[Change, ...]
    defaults: tuple[Change, ...]
    choices: tuple[Change, ...]

    def data(self) -> dict[str, Any]:
        """For JSON; `owners` of an added or removed question are packages that one side could not read."""
        return asdict(self)


def diff_catalogues(old: Catalogue, new: Catalogue) -> CatalogueDiff:
    """Compare two catalogues. Choices that are filled in at run time are not compared."""
    both = [(old.by_name[name], new.by_name[name]) for name in old.by_name if name in new.by_name]
    return CatalogueDiff(
        f"{old.suite} {old.installer}",
        f"{new.suite} {new.installer}",
        added=_only(new, old),
        removed=_only(old, new),
        types=tuple(Change(a.name, a.type, b.type) for a, b in both if a.type != b.type),
        defaults=tuple(Change(a.name, a.default, b.default) for a, b in both if a.default != b.default),
        choices=tuple(_choices(a, b) for a, b in both if a.choices != b.choices),
    )


def _only(having: Catalogue, lacking: Catalogue) -> tuple[Uncertain, ...]:
    return tuple(_uncertain(question, lacking) for question in having.questions if question.name not in lacking.by_name)


def _uncertain(question: Question, lacking: Catalogue) -> Uncertain:
    """By the package that owns it where it is, or by its prefix."""
    unread = {package.package for package in lacking.unread} & set(question.packages)
    answer = lacking.may_exist(question.name)
    if not unread and isinstance(answer, Unread):
        unread = set(answer.owners)
    return Uncertain(question.name, tuple(sorted(unread)))


def _choices(old: Question, new: Question) -> Change:
    gone = [f"-{choice}" for choice in old.choices if choice not in new.choices]
    come = [f"+{choice}" for choice in new.choices if choice not in old.choices]
    if not gone and not come:
        return Change(old.name, "in this order", ", ".join(new.choices))
    return Change(old.name, ", ".join(gone), ", ".join(come))
