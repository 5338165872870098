"""The two forms of a catalogue outside: compact bytes, of which one file per suite ships, and JSON for other programs.

Compact: gzip around one line of JSON, columns instead of records: small, and read in a few milliseconds.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from builder.errors import BuilderError
from builder.preseed.catalogue import ORDER, Catalogue, Question, UnreadPackage
from builder.preseed.owners import possible_prefixes

FORMAT = 1
_LARGEST = 32 << 20  # bytes of JSON; a suite has half a MB
_INSTALLER, _TARGET, _SUBSTITUTED = 1, 2, 4


def write_compact(catalogue: Catalogue) -> bytes:
    """The compact form; the same catalogue gives the same bytes."""
    packages = sorted({name for question in catalogue.questions for name in question.packages})
    number = {name: at for at, name in enumerate(packages)}
    why: defaultdict[str, list[list[Any]]] = defaultdict(list)
    for unread in catalogue.unread:
        own = unread.prefixes == possible_prefixes(unread.package)
        why[unread.why].append([unread.package, *([] if own else [list(unread.prefixes)])])
    whole = {
        "format": FORMAT,
        "suite": catalogue.suite,
        "arch": catalogue.arch,
        "installer": catalogue.installer,
        "made_from": dict(sorted(catalogue.made_from.items())),
        "unread": dict(sorted(why.items())),
        "packages": packages,
        "name": [question.name for question in catalogue.questions],
        "type": [question.type for question in catalogue.questions],
        "default": [question.default for question in catalogue.questions],
        "choices": [list(question.choices) for question in catalogue.questions],
        "flags": [_flags(question) for question in catalogue.questions],
        "provenance": [ORDER.index(question.provenance) for question in catalogue.questions],
        "owners": [[number[name] for name in question.packages] for question in catalogue.questions],
        "description": [question.description for question in catalogue.questions],
        "extended": [question.extended for question in catalogue.questions],
    }
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode(), 9, mtime=0)


def _flags(question: Question) -> int:
    return _INSTALLER * question.installer | _TARGET * question.target | _SUBSTITUTED * question.substituted


def read_compact(data: bytes, *, name: str) -> Catalogue:
    """A catalogue from its compact form; BuilderError when it is damaged or of another format."""
    try:
        text = zlib.decompressobj(wbits=31).decompress(data, _LARGEST)
        return _catalogue(json.loads(text))
    except (zlib.error, ValueError, KeyError, IndexError, TypeError) as error:
        raise BuilderError(f"{name} is no catalogue that can be read", "make it anew: domu catalogue update") from error


def _catalogue(whole: dict[str, Any]) -> Catalogue:
    if whole["format"] != FORMAT:
        raise ValueError("another format")
    packages = whole["packages"]
    columns = (whole[key] for key in ("type", "default", "choices", "flags", "provenance", "owners"))
    rows = zip(whole["name"], *columns, whole["description"], whole["extended"], strict=True)
    questions = tuple(
        Question(
            name,
            kind,
            default,
            tuple(choices),
            bool(flags & _SUBSTITUTED),
            description,
            extended,
            packages[owners[0]],
            ORDER[provenance],
            tuple(packages[at] for at in owners[1:]),
            installer=bool(flags & _INSTALLER),
            target=bool(flags & _TARGET),
        )
        for name, kind, default, choices, flags, provenance, owners, description, extended in rows
    )
    unread = tuple(
        UnreadPackage(package, why, tuple(prefixes[0]) if prefixes else possible_prefixes(package))
        for why, rows in whole["unread"].items()
        for package, *prefixes in rows
    )
    return Catalogue(
        whole["suite"], whole["arch"], whole["installer"], questions, tuple(sorted(unread, key=_by_name)),
        whole["made_from"],
    )  # fmt: skip


def _by_name(unread: UnreadPackage) -> tuple[str, str]:
    return unread.package, unread.why


def catalogue_data(catalogue: Catalogue, questions: Iterable[Question]) -> dict[str, Any]:
    """For JSON: what the catalogue is, these of its questions as records, and what was not read."""
    return {
        "suite": catalogue.suite,
        "arch": catalogue.arch,
        "installer": catalogue.installer,
        "made_from": dict(catalogue.made_from),
        "questions": [question_data(question) for question in questions],
        "unread": [
            {"package": unread.package, "why": unread.why, "prefixes": list(unread.prefixes)}
            for unread in catalogue.unread
        ],
    }


def question_data(question: Question) -> dict[str, Any]:
    """For JSON: one question. `choices` are those that the template names; `substituted`: the installer adds more."""
    return {
        "name": question.name,
        "type": question.type,
        "choices": list(question.choices),
        "substituted": question.substituted,
        "default": question.default,
        "description": question.description,
        "extended": question.extended,
        "package": question.package,
        "also": list(question.also),
        "provenance": question.provenance,
        "installer": question.installer,
        "target": question.target,
    }
