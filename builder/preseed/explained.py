"""One question explained: what the catalogues say of it, when it is asked, and the line that answers it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from builder.preseed.asked import rows_about
from builder.preseed.catalogue import Answer, Catalogue, Known, Question, Unread
from builder.preseed.situation import Asked
from builder.preseed.untemplated import BOOT_ALIASES

_UNANSWERABLE = frozenset({"text", "error", "title", "terminal", "entropy"})


@dataclass(frozen=True, slots=True)
class InSuite:
    """What one suite's catalogue says of the name."""

    suite: str
    installer: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Explained:
    """All about a name; `alias` is the boot parameter by which it was asked for, or empty. `line` may be empty."""

    name: str
    alias: str
    suites: tuple[InSuite, ...]
    asked: tuple[Asked, ...]
    line: str

    @property
    def question(self) -> Question | None:
        """As the last suite that knows it has it."""
        known = [found.answer.question for found in self.suites if isinstance(found.answer, Known)]
        return known[-1] if known else None

    @property
    def may_exist(self) -> bool:
        """Whether some suite knows it, or has a package that could own it and was not read."""
        return any(isinstance(found.answer, Known | Unread) for found in self.suites)


def explain(name: str, catalogues: Iterable[Catalogue]) -> Explained:
    """Look a question's name, or a boot parameter's short one, up in these catalogues."""
    full = BOOT_ALIASES.get(name, name)
    suites = tuple(InSuite(catalogue.suite, catalogue.installer, catalogue.may_exist(full)) for catalogue in catalogues)
    found = Explained(full, name if full != name else "", suites, rows_about(full), "")
    line = _example(full, found.asked) or (answer_line(found.question) if found.question else "")
    return Explained(found.name, found.alias, found.suites, found.asked, line)


def _example(name: str, rows: Iterable[Asked]) -> str:
    lines = (line for row in rows for line in row.lines)
    return next((line for line in lines if line.split()[1] == name), "")


def answer_line(question: Question) -> str:
    """A preseed line that answers it with its default, or its first choice; empty when no line can."""
    if question.type in _UNANSWERABLE:
        return ""
    owner = "d-i" if question.installer else question.package
    value = question.default or next(iter(question.choices), "")
    if question.type == "boolean":
        value = value or "true"
    if question.type == "password":
        value = "HASH" if question.name.endswith("-crypted") else "PASSWORD"
    return f"{owner} {question.name} {question.type} {value}".rstrip()
