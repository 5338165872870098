"""The doctor's answers: aligned lines with what mends them, then the count, then the lines to paste; and for JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from builder.xen.doctor.check import Check, Diagnosis, Verdict
from builder.xen.doctor.fixes import Fix

_COLOURS = {Verdict.WRONG: "31", Verdict.WARN: "33", Verdict.UNKNOWN: "36", Verdict.OK: "32"}
_MANY = 4
_WIDTH = 90  # of a message, before it goes on below
_WORD = max(len(verdict.word) for verdict in Verdict)


def doctor_text(diagnoses: Sequence[Diagnosis], *, colour: bool = False) -> str:
    """Verdict, code, subject, what was seen; the mending lines once more at the end, in order, each once."""
    width = max((len(one.subject) for one in diagnoses), default=0)
    lines = [_line(one, width, colour=colour) for one in _folded(diagnoses)]
    return "\n".join([*lines, "", count_text(diagnoses), *_to_paste(diagnoses)])


def _folded(diagnoses: Sequence[Diagnosis]) -> Iterator[Diagnosis]:
    """Checks that cannot be known for one and the same reason are one line, in the place of the first."""
    reasons = Counter(one.message for one in diagnoses if one.verdict is Verdict.UNKNOWN)
    told: set[str] = set()
    for one in diagnoses:
        if one.verdict is not Verdict.UNKNOWN or reasons[one.message] < _MANY:
            yield one
        elif one.message not in told:
            told.add(one.message)
            subjects = [other.subject for other in diagnoses if other.message == one.message]
            message = f"{one.message}: {', '.join(subjects)}"
            yield replace(one, code="    ", subject=f"{len(subjects)} checks", message=message)


def _line(one: Diagnosis, width: int, *, colour: bool) -> str:
    word = f"{one.verdict.word:<{_WORD}}"
    painted = f"\x1b[1;{_COLOURS[one.verdict]}m{word}\x1b[0m" if colour else word
    head = f"{painted}  {one.code}  {one.subject:<{width}}  "
    return head + textwrap.fill(_shown(one.message), _WIDTH, break_long_words=False, break_on_hyphens=False).replace(
        "\n", "\n" + " " * (_WORD + width + 10)
    )


def count_text(diagnoses: Sequence[Diagnosis]) -> str:
    """`14 fine, 2 to mend, 3 cannot be known here`."""
    counts = Counter(one.verdict for one in diagnoses)
    wrong, warn, unknown = counts[Verdict.WRONG], counts[Verdict.WARN], counts[Verdict.UNKNOWN]
    parts = [f"{counts[Verdict.OK]} fine"]
    parts += [f"{wrong} to mend"] if wrong else []
    parts += [f"{warn} to look at"] if warn else []
    parts += [f"{unknown} cannot be known here"] if unknown else []
    return ", ".join(parts)


def _to_paste(diagnoses: Sequence[Diagnosis]) -> list[str]:
    fixes = list(dict.fromkeys(one.fix.name for one in diagnoses if one.fix))
    mends = [line for one in diagnoses if not one.fix for line in one.mend]
    lines = [f"    domu doctor --fix   # {', '.join(fixes)}"] if fixes else []
    lines += [f"    {_shown(line)}" for line in dict.fromkeys(mends)]
    return ["", "To mend, as root:", *lines] if lines else []


def fix_text(fix: Fix) -> str:
    """What a fix would do, step by step, and how it is taken back."""
    steps = [f"make the folder {folder}" for folder in fix.folders]
    for edit in fix.edits:
        steps += [f"change {edit.path}:" if edit.before is not None else f"write {edit.path}:"]
        steps += [f"  {line}" for line in _difference(edit.before, edit.after)]
    steps += [f"run {' '.join(command)}" for command in fix.commands]
    ends = [f"to undo: {line}" for line in fix.undo] + ([f"left to do: {fix.left}"] if fix.left else [])
    return "\n".join([f"{fix.name}: {fix.does}", *(f"    {line}" for line in [*steps, *ends])])


def _difference(before: str | None, after: str) -> list[str]:
    old = (before or "").splitlines()
    gone = [f"- {line}" for line in old if line not in after.splitlines()]
    return gone + [f"+ {line}" for line in after.splitlines() if line not in old]


def doctor_data(diagnoses: Sequence[Diagnosis], *, ok: bool) -> Mapping[str, Any]:
    """For JSON: the answers as they are printed, and what `--fix` could do."""
    fixes = {one.fix.name: one.fix for one in diagnoses if one.fix}
    return {
        "ok": ok,
        "summary": {verdict.word: sum(one.verdict is verdict for one in diagnoses) for verdict in Verdict},
        "checks": [
            {
                "code": one.code,
                "subject": one.subject,
                "verdict": one.verdict.word,
                "message": one.message,
                "mend": list(one.mend),
                "fix": one.fix.name if one.fix else None,
            }
            for one in diagnoses
        ],
        "fixes": [
            {
                "name": fix.name,
                "does": fix.does,
                "folders": list(fix.folders),
                "files": [edit.path for edit in fix.edits],
                "commands": [list(command) for command in fix.commands],
                "undo": list(fix.undo),
                "left": fix.left,
            }
            for fix in fixes.values()
        ],
    }


def checks_table(checks: Sequence[Check]) -> str:
    """The table of docs/doctor.md."""
    rows = [f"| {one.code} | {one.subject} | {one.looks_at} | {one.trouble} | {one.mend} |" for one in checks]
    return "\n".join(["| code | check | looks at | not ok when | how to mend |", "|---|---|---|---|---|", *rows]) + "\n"


def _shown(text: str) -> str:
    """Names of files and guests may hold signs that a terminal would obey."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
