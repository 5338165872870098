"""What the installer's debconf database holds after the installer has loaded a preseed file."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from builder.preseed.syntax import Broken, Entry, Fault, PreseedFile

# What cdebconf strips from the ends of a command: isspace() of the C locale (strstrip in its strutl.c).
BLANKS = " \t\n\v\f\r"
_WORD = re.compile(rf"[^{BLANKS}]+")


@dataclass(frozen=True, slots=True)
class LoadedAnswer:
    """The answer to one question; `line` and `last_line` are those of the last entry that set it."""

    question: str
    value: str
    seen: bool
    owner: str
    type: str
    line: int
    last_line: int


@dataclass(frozen=True, slots=True)
class SeenMark:
    """A `seen` line for a question that the file does not set: obeyed if the installer knows the question."""

    question: str
    seen: bool
    line: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """One answer per question, by line; all behind `abort_line` (0: none) is lost."""

    answers: tuple[LoadedAnswer, ...]
    marks: tuple[SeenMark, ...]
    abort_line: int

    @property
    def aborts(self) -> bool:
        """Whether the load ends in `preseed/load_error`, an error that the installer always shows."""
        return self.abort_line > 0


def load(file: PreseedFile) -> Loaded:
    """Load the file as preseed-common does; what expands to names of files in the installer is taken as written."""
    answers: dict[str, LoadedAnswer] = {}
    marks: dict[str, SeenMark] = {}
    abort_line = 0
    for item in file.items:
        if isinstance(item, Entry):
            _obey(item, answers, marks)
        elif item.fault is not Fault.UNFINISHED:
            abort_line = item.line
            break
    return Loaded(tuple(answers.values()), tuple(marks.values()), abort_line)


def lost_entries(file: PreseedFile) -> int:
    """How many entries stand behind the line that ends the load."""
    for index, item in enumerate(file.items):
        if isinstance(item, Broken) and item.fault is not Fault.UNFINISHED:
            return sum(isinstance(later, Entry) for later in file.items[index:])
    return 0


def _obey(entry: Entry, answers: dict[str, LoadedAnswer], marks: dict[str, SeenMark]) -> None:
    question, value = entry.question.text, entry.value.text.rstrip(BLANKS)
    if entry.type.text != "seen":
        marks.pop(question, None)
        answers.pop(question, None)  # so that the order is that of the entries that won
        answers[question] = LoadedAnswer(
            question=question,
            value=value,
            seen=True,
            owner=entry.owner.text,
            type=entry.type.text,
            line=entry.line,
            last_line=entry.last_line,
        )
        return
    flag = flag_of(value)
    if flag is None:
        return
    if question in answers:
        answers[question] = replace(answers[question], seen=flag)
    else:
        marks[question] = SeenMark(question, flag, entry.line)


def flag_of(value: str) -> bool | None:
    """What a `seen` line asks for: any one word but `true` means false, none or several are refused (command_fset)."""
    words = _WORD.findall(value)
    return words[0] == "true" if len(words) == 1 else None
