"""The catalogue: every question that one installer build and the packages it installs can be asked to skip.

A value without hands: made from templates by host.catalogue, kept in a compact form (catalogue_form), compared
(catalogue_diff), and asked by lint, completeness and `domu explain`.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal, TypeAlias

from builder.preseed.owners import SHARED_PREFIXES
from builder.preseed.untemplated import FAMILIES, Family

# Best first: where a question is declared in several places, the first of these is believed. `source` is a udeb's.
Provenance = Literal["initrd", "udeb", "source", "deb", "table"]
ORDER: tuple[Provenance, ...] = ("initrd", "udeb", "source", "deb", "table")


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `package` owns it, `also` declare it too; `choices` and `substituted` as in templates.Template."""

    name: str
    type: str
    default: str
    choices: tuple[str, ...]
    substituted: bool
    description: str
    extended: str
    package: str
    provenance: Provenance
    also: tuple[str, ...] = ()
    installer: bool = True  # the installer's own debconf database has it
    target: bool = False  # a package of the installed system declares it

    @property
    def packages(self) -> tuple[str, ...]:
        """Every package that declares it, the owner first."""
        return (self.package, *self.also)


@dataclass(frozen=True, slots=True)
class UnreadPackage:
    """A package that may own questions and was not looked into. `prefixes` are the first words of such names."""

    package: str
    why: str
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """The name is a question. `family` tells when it is one of a family that no template declares."""

    question: Question
    family: Family | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """Perhaps a question: these packages could own it, and none of them was read."""

    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody declares it; `near` are similar names, the most similar first."""

    near: tuple[str, ...]


Answer: TypeAlias = Known | Unread | Unknown


@dataclass(frozen=True)
class Catalogue:
    """The questions of one suite and architecture, sorted by name. `made_from` names what was read, by digest."""

    suite: str
    arch: str
    installer: str  # the version of the build
    questions: tuple[Question, ...]
    unread: tuple[UnreadPackage, ...] = ()
    made_from: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> Mapping[str, Question]:
        """Questions by name."""
        return {question.name: question for question in self.questions}

    @cached_property
    def owners_by_prefix(self) -> Mapping[str, tuple[str, ...]]:
        """Packages that were not read, by the first word of the names that they may own."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for unread in self.unread:
            for prefix in unread.prefixes:
                found[prefix].append(unread.package)
        return {prefix: tuple(sorted(owners)) for prefix, owners in found.items()}

    @cached_property
    def first_words(self) -> frozenset[str]:
        """What names of questions begin with, up to the slash."""
        return frozenset(name.partition("/")[0] for name in self.by_name)

    def find(self, name: str) -> Question | None:
        """The question of this name, one of a family included; None when none is known."""
        if question := self.by_name.get(name):
            return question
        known = self._known(name)
        return known.question if known else None

    def _known(self, name: str) -> Known | None:
        if question := self.by_name.get(name):
            return Known(question)
        family = next((family for family in FAMILIES if family.matches(name, self.suite)), None)
        return Known(_of_family(name, family), family) if family else None

    def matching(self, pattern: str) -> tuple[Question, ...]:
        """Questions whose name holds this text, or matches it when it has a `*`; all for an empty one."""
        glob = pattern if "*" in pattern else f"*{pattern}*"
        exact = self.by_name.get(pattern)
        return (exact,) if exact else tuple(found for found in self.questions if fnmatchcase(found.name, glob))

    def may_exist(self, name: str) -> Answer:
        """Is this a question? Never Unknown while a package that could own it is unread."""
        if known := self._known(name):
            return known
        if owners := self.possible_owners(name):
            return Unread(owners)
        return Unknown(self.near(name))

    def possible_owners(self, name: str) -> tuple[str, ...]:
        """Packages that were not read and whose questions have such names."""
        first, *rest = name.split("/")
        if first == "shared":  # any package may put a question there
            return tuple(unread.package for unread in self.unread)
        words = [first, *rest] if first in SHARED_PREFIXES else [first]
        return next((owners for word in words if (owners := self.owners_by_prefix.get(word))), ())

    def near(self, name: str, count: int = 3) -> tuple[str, ...]:
        """Known names that are written like this one; those of the same family are preferred."""
        first = name.partition("/")[0] + "/"
        relatives = [known for known in self.by_name if known.startswith(first)]
        found = difflib.get_close_matches(name, relatives, n=count, cutoff=0.75)
        if len(found) < count:
            # Only what is as long, give or take a few letters, can be a slip of the pen; and it is much quicker.
            others = [known for known in self.by_name if abs(len(known) - len(name)) <= max(4, len(name) // 4)]
            found += difflib.get_close_matches(name, others, n=count, cutoff=0.75)
        return tuple(dict.fromkeys(found))[:count]


def _of_family(name: str, family: Family) -> Question:
    return Question(name, family.type, "", (), False, family.description, "", family.package, "table")


def merge_questions(questions: Iterable[Question]) -> tuple[Question, ...]:
    """One question for each name, sorted: the best provenance wins, and the other packages are kept in `also`.

    Within one provenance the package whose name is the question's first word wins, then the first by name.
    """
    groups: defaultdict[str, list[Question]] = defaultdict(list)
    for question in questions:
        groups[question.name].append(question)
    return tuple(_merged(groups[name]) for name in sorted(groups))


def _merged(group: list[Question]) -> Question:
    best = min(group, key=_rank)
    others = {question.package for question in group} - {best.package}
    return replace(
        best,
        also=tuple(sorted(others)),
        installer=any(question.installer for question in group),
        target=any(question.target for question in group),
    )


def _rank(question: Question) -> tuple[int, bool, str]:
    own = question.name.startswith(f"{question.package.removesuffix('-udeb')}/")
    return ORDER.index(question.provenance), not own, question.package
