"""The answers of a preseed file as a table for people and as plain data for `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builder.preseed.loader import Loaded, LoadedAnswer


def answers_data(loaded: Loaded) -> Mapping[str, Any]:
    """One object per question, by line. Bytes that are no UTF-8 stand as lone surrogates, U+DC80 to U+DCFF."""
    answers = [
        {
            "question": answer.question,
            "value": answer.value,
            "line": answer.line,
            "last_line": answer.last_line,
            "owner": answer.owner,
            "type": answer.type,
            "seen": answer.seen,
        }
        for answer in loaded.answers
    ]
    return {"answers": answers, "aborts": loaded.aborts}


def answers_text(loaded: Loaded) -> str:
    """A line per question; of passwords only that there is one."""
    width = max((len(_shown(answer.question)) for answer in loaded.answers), default=0)
    lines = [f"{a.line:>5}  {_shown(a.question):<{width}}  {_value(a)}".rstrip() for a in loaded.answers]
    if loaded.aborts:
        lines.append(f"{loaded.abort_line:>5}  the installer stops reading here: this line cannot be parsed")
    return "\n".join(lines)


def _value(answer: LoadedAnswer) -> str:
    shown = "(not shown)" if answer.type == "password" and answer.value else _shown(answer.value)
    return shown if answer.seen else f"{shown}  (not seen: may be asked)".lstrip()


def _shown(text: str) -> str:
    """Text without signs that a terminal would obey."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
