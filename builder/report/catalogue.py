"""Catalogues, what differs between two, and one question explained: as text for people and as data for JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from builder.preseed.catalogue import ORDER, Catalogue, Known, Question, Unknown, Unread
from builder.preseed.catalogue_diff import CatalogueDiff, Change, Uncertain
from builder.preseed.catalogue_form import question_data
from builder.preseed.explained import Explained, InSuite
from builder.preseed.situation import Asked

_WIDTH = 100
_MANY = 12  # choices that are shown; `--json` has them all


def catalogue_text(catalogue: Catalogue) -> str:
    """Which build, how many questions from where, and how much was not read."""
    counts = Counter(question.provenance for question in catalogue.questions)
    parts = ", ".join(f"{counts[provenance]} {provenance}" for provenance in ORDER if counts[provenance])
    head = f"{catalogue.suite}/{catalogue.arch}, installer {catalogue.installer}"
    unread = Counter(unread.why for unread in catalogue.unread)
    lines = [f"{head}: {len(catalogue.questions)} questions ({parts})"]
    lines += [f"  {count} packages not read: {why}" for why, count in sorted(unread.items())]
    return "\n".join(lines)


def questions_text(questions: Iterable[Question]) -> str:
    """One line for each: name, type, default, package."""
    rows = [(question.name, question.type, question.default or "-", question.package) for question in questions]
    widths = [min(max((len(row[column]) for row in rows), default=0), 60) for column in range(3)]
    return "\n".join("  ".join([*(f"{row[at]:{widths[at]}}" for at in range(3)), row[3]]) for row in rows)


def question_text(question: Question) -> str:
    """Everything about one question."""
    owners = ", ".join(question.packages)
    lines = [
        f"{question.name}: {question.type}, asked by {owners} (read from: {question.provenance})",
        f"  default: {question.default or '(none)'}",
    ]
    if choices := _choices(question):
        lines.append(f"  choices: {choices}")
    if question.description:
        lines.append(textwrap.indent(textwrap.fill(question.description, _WIDTH), "  "))
    for line in filter(None, question.extended.split("\n")):
        lines.append(textwrap.indent(textwrap.fill(line, _WIDTH - 2), "    "))
    return "\n".join(lines)


def _choices(question: Question) -> str:
    shown = ", ".join(question.choices[:_MANY])
    if len(question.choices) > _MANY:
        shown += f" ... ({len(question.choices)} in all)"
    more = "and what the installer fills in" if shown else "the installer fills them in"
    return f"{shown}{'; ' if shown else ''}{more}" if question.substituted else shown


def diff_text(diff: CatalogueDiff) -> str:
    """What was added, removed and changed."""
    lines = [f"{diff.old} -> {diff.new}"]
    lines += _only("added", diff.added)
    lines += _only("removed", diff.removed)
    lines += _changes("type changed", diff.types)
    lines += _changes("default changed", diff.defaults)
    lines += _changes("choices changed", diff.choices)
    return "\n".join(lines)


def _only(what: str, names: tuple[Uncertain, ...]) -> Iterator[str]:
    sure = [name.name for name in names if not name.owners]
    perhaps = [name for name in names if name.owners]
    yield f"{what}: {len(sure)}" + (f", and {len(perhaps)} perhaps, as a package was not read" if perhaps else "")
    yield from (f"  {name}" for name in sure)
    owners = Counter(", ".join(name.owners[:3]) + (" ..." if len(name.owners) > 3 else "") for name in perhaps)
    yield from (f"  perhaps {count} of {owner}" for owner, count in sorted(owners.items()))


def _changes(what: str, changes: tuple[Change, ...]) -> Iterator[str]:
    yield f"{what}: {len(changes)}"
    for change in changes:
        yield "  " + textwrap.shorten(f"{change.name}: {change.before or '(none)'} -> {change.after or '(none)'}", 160)


def explained_text(found: Explained) -> str:
    """For a person at a terminal."""
    lines = [f"{found.alias} on the kernel command line means {found.name}"] if found.alias else []
    if found.question:
        lines.append(question_text(found.question))
    lines += [_in_suite(there) for there in found.suites]
    for row in found.asked:
        lines += _asked(row)
    if found.line:
        lines += ["answer it with:", f"  {found.line}"]
    elif found.question:
        lines.append(f"no line answers it: the type is {found.question.type}")
    return "\n".join(lines)


def _in_suite(there: InSuite) -> str:
    head = f"  {there.suite} ({there.installer}): "
    match there.answer:
        case Known(question, None):
            return f"{head}known, {question.type} of {', '.join(question.packages)}"
        case Known(_, family) if family:
            return f"{head}one of {family.shown}, which no template declares"
        case Unread(owners):
            return f"{head}may exist; not read: {', '.join(owners[:4])}{' ...' if len(owners) > 4 else ''}"
        case Unknown(near):
            return f"{head}unknown{'; did you mean ' + ', '.join(near) + '?' if near else ''}"
    raise AssertionError(there)


def _asked(row: Asked) -> Iterator[str]:
    sure = "asked" if row.certain else "may be asked"
    yield f"{sure} at priority {row.priority}: {row.when}"
    yield f"  seen in {row.evidence}"
    others = [line for line in row.lines if len(row.lines) > 1]
    yield from (f"  {line}" for line in others)


def explained_data(found: Explained) -> dict[str, Any]:
    """For JSON; `question` as the last suite has it, `state` per suite known, unread or unknown."""
    return {
        "name": found.name,
        "alias": found.alias,
        "question": question_data(found.question) if found.question else None,
        "suites": [_suite_data(there) for there in found.suites],
        "asked": [
            {
                "shown": list(row.shown),
                "priority": row.priority,
                "certain": row.certain,
                "when": row.when,
                "answered_by": [list(group) for group in row.answered_by],
                "lines": list(row.lines),
                "evidence": row.evidence,
            }
            for row in found.asked
        ],
        "line": found.line,
    }


def _suite_data(there: InSuite) -> dict[str, Any]:
    answer = there.answer
    return {
        "suite": there.suite,
        "installer": there.installer,
        "state": type(answer).__name__.lower(),
        "owners": list(answer.owners) if isinstance(answer, Unread) else [],
        "near": list(answer.near) if isinstance(answer, Unknown) else [],
        "question": question_data(answer.question) if isinstance(answer, Known) else None,
    }
