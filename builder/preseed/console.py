"""The installer's console as its text frontend writes it: what it does, how far it is, and where it waits for a person.

Follows cdebconf's src/modules/frontend/text/text.c: a title, the question's texts wrapped to the width of the
terminal, choices, and a prompt without an end of line. Questions are named by the catalogue of the same build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from builder.preseed.asked_rows import ASKED
from builder.preseed.catalogue import Catalogue, Question

# How much is kept to name a question by; the longest description of an installer's question has 2,400 bytes.
_KEPT = 16_384
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\([A-Z0-9])|\r")
# A kernel with its console here writes between, even behind a prompt.
_KERNEL = re.compile(r"\[ {0,4}\d+\.\d{6}\] [^\n]*\n")
_KERNEL_BEGINS = re.compile(r"\[ {0,4}(?:\d+(?:\.\d{0,6}(?:\](?: [^\n]*)?)?)?)?\Z")
_PROGRESS = re.compile(r"(?P<title>\S.*?)  (?P<done>(?:\.\.\. ?\d+%)*)")
_PERCENT = re.compile(r"(\d+)%\Z")
# Translations keep the sign at the end, and all but a few keep the brackets.
_PROMPT = re.compile(r"Prompt: '.' for help(?:, default=(?P<default>.*))?> ?")
_CONTINUE = re.compile(r"\[Press enter to continue\] ?")
_ENDS_LIKE_PROMPT = re.compile(r".*[>\]:] ?\Z")
_ALL = frozenset({"select", "multiselect", "boolean", "string", "password", "note", "error", "text"})
_CHOICE = re.compile(r"(?P<number>\d+): (?P<text>.*?)(?P<set> \[\*\])?,?(?= {2,}\d+: | *\Z)")
_CHOICES = re.compile(r" *\d+: .*")
_LONGEST_VALUE = 4000
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_LOGIN = re.compile(r"\S+ login: ?")


@dataclass(frozen=True, slots=True)
class Progress:
    """What the installer does and how much of that is done; `percent` of this task, not of the installation."""

    title: str
    percent: int


@dataclass(frozen=True, slots=True)
class Line:
    """Any other whole line, without its end."""

    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """The installer waits. `names` are the questions whose texts these are, the likeliest first; none when unknown.

    `text` is what stands above the prompt, `choices` and `default` what is offered.
    """

    names: tuple[str, ...]
    text: str
    choices: tuple[str, ...] = ()
    default: str = ""

    @property
    def answers(self) -> tuple[str, ...]:
        """Preseed lines that would have answered it, as the table of the installer's questions has them."""
        return next((row.lines for name in self.names for row in ASKED if name in row.mentioned), ())


Event: TypeAlias = Progress | Line


class Console:
    """Reads a console piece by piece; pieces may begin and end anywhere.

    `feed` gives what happened. `waiting` looks at the last words: it is for the caller to ask when nothing has come
    for some seconds, for a line half written looks like a prompt.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._questions = _Texts(catalogue)
        self._said = ""  # whole lines, the last of them
        self._rest = ""  # the line that has no end yet
        self._told = Progress("", -1)

    def feed(self, piece: str) -> list[Event]:
        """The events in this piece; progress is told when it grows, and before its line ends."""
        text = _KERNEL.sub("", self._rest + _ESCAPES.sub("", piece))
        *lines, self._rest = text.split("\n")
        events: list[Event] = []
        for line in lines:
            events += self._progress(line, ended=True) if _PROGRESS.fullmatch(line) else [Line(line)]
            self._said += f"{line}\n"
        self._said = self._said[-_KEPT:]
        return [*events, *self._progress(self._rest, ended=False)]

    def _progress(self, line: str, *, ended: bool) -> Iterator[Progress]:
        match = _PROGRESS.fullmatch(line)
        if not match or (not ended and not match["done"] and _ENDS_LIKE_PROMPT.fullmatch(line)):
            return
        percent = _PERCENT.search(match["done"])
        now = Progress(match["title"], int(percent[1]) if percent else 0)
        if now != self._told:
            self._told = now
            yield now

    def waiting(self) -> Prompt | None:
        """The prompt that the last words are; None when they are none."""
        said, last = self._said, _KERNEL_BEGINS.sub("", self._rest)
        if not last:  # cdebconf 0.280 ends a prompt's line, older ones do not
            said, _, last = self._said.rstrip("\n").rpartition("\n")
            if not self._said.endswith(f"{last}\n") or self._said.endswith("\n\n"):
                return None
        if match := _PROMPT.fullmatch(last):
            return self._prompt(said, match["default"] or "", {"string"})
        if _CONTINUE.fullmatch(last):
            return self._prompt(said, "", {"note", "error", "text"})
        if self._rest:  # a prompt in another language
            return None if _LOGIN.match(last) or not _ENDS_LIKE_PROMPT.fullmatch(last) else self._prompt(said, "", _ALL)
        return self._password()

    def _prompt(self, said: str, default: str, types: AbstractSet[str]) -> Prompt:
        lines = said.rstrip("\n").split("\n")
        offered: list[str] = []
        while lines and _CHOICES.fullmatch(lines[-1]):
            offered.insert(0, lines.pop())
        choices = [(int(one["number"]), one["text"].strip()) for row in offered for one in _CHOICE.finditer(row)]
        text = _last_block(lines)
        names = self._questions.ending(text, {"select", "multiselect", "boolean"} if choices else types)
        return Prompt(names, text, tuple(text for _, text in sorted(choices)), default)

    def _password(self) -> Prompt | None:
        """A password's question has no prompt: its description is the last that is said."""
        text = _last_block(self._said.split("\n"))
        names = self._questions.ending(text, {"password"})
        return Prompt(names, text) if names else None


@dataclass(frozen=True, slots=True)
class _Text:
    """A question's texts: what stands between its variables, and how many signs those are together."""

    question: Question
    parts: tuple[str, ...]
    weight: int

    def ends(self, words: str) -> bool:
        """Whether these words end with the question's texts; from the end, so that the nearest is found."""
        if not words.endswith(self.parts[-1]):
            return False
        begin = len(words) - len(self.parts[-1])
        for part in reversed(self.parts[:-1]):
            begin = words.rfind(part, max(0, begin - len(part) - _LONGEST_VALUE), begin)
            if begin < 0:
                return False
        return begin == 0 or not self.parts[0] or words[begin - 1] == " "


class _Texts:
    """The questions of a catalogue by what they show: the installer's, then those of packages that it installs."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    @cached_property
    def _texts(self) -> tuple[tuple[_Text, ...], tuple[_Text, ...]]:
        texts = [_text_of(self._filled(one)) for one in self._catalogue.questions if one.type not in {"text", "title"}]
        texts = [text for text in texts if text.weight]
        ours = tuple(text for text in texts if text.question.installer)
        return ours, tuple(text for text in texts if not text.question.installer)

    def _filled(self, question: Question) -> Question:
        """With the texts that scripts put in place of its variables, where it has nothing else to be known by."""
        fills = next((texts for start, texts in _FILLS.items() if question.name.startswith(start)), None)
        if fills is None:
            return question
        description, extended = question.description, question.extended
        for variable, name in fills.items():
            found = self._catalogue.by_name.get(name)
            text = found.description.replace("%s", "${PLACE}") if found else ""
            description, extended = description.replace(variable, text), extended.replace(variable, text)
        return replace(question, description=description, extended=extended)

    def ending(self, said: str, types: AbstractSet[str]) -> tuple[str, ...]:
        """Names of the questions of these types whose texts end what was said: those that match the most of it."""
        words = _words(said)
        for texts in self._texts:
            found = [text for text in texts if text.question.type in types and text.ends(words)]
            if found:
                return _best(found)
        return ()


def _best(found: Sequence[_Text]) -> tuple[str, ...]:
    """Names of those that match the most, the likeliest first."""
    most = max(text.weight for text in found)
    likely = sorted(found, key=lambda text: (text.question.name not in _KNOWN_STOPS, text.question.name))
    return tuple(text.question.name for text in likely if text.weight == most)


def _of_country(first: str, third: str) -> Mapping[str, str]:
    start = "localechooser/text/country"
    return {"${TXT1}": f"{start}/1/{first}", "${TXT2}": f"{start}/2", "${TXT3}": f"{start}/3/{third}"}


# localechooser 2.112, usr/bin/localechooser: by the beginning of a question's name, templates of its variables.
_FILLS: Mapping[str, Mapping[str, str]] = {
    "localechooser/continentlist": _of_country("continent", "continent"),
    "localechooser/countrylist/": _of_country("country", "country"),
    "localechooser/shortlist/": _of_country("country", "shortlist"),
}
_KNOWN_STOPS = {name for row in ASKED for name in row.shown}


def _text_of(question: Question) -> _Text:
    first, second = question.extended, question.description
    if question.type in {"note", "error"}:
        first, second = second, first
    parts = tuple(part.strip() for part in _VARIABLE.split(_words(f"{first}\n{second}")))
    return _Text(question, parts, sum(map(len, parts)))


def _words(text: str) -> str:
    """Wrapping undone: one blank between words; of two empty lines the frontend shows one as a dot."""
    return " ".join(word for word in text.split() if word != ".")


def _last_block(lines: Sequence[str]) -> str:
    """What was said since the prompt before, from the last title on if there is one; titles are underlined."""
    begin = 0
    for number, line in enumerate(lines):
        if _PROMPT.fullmatch(line) or _CONTINUE.fullmatch(line):
            begin = number + 1
        elif number and line and set(line) == {"-"} and len(line) >= len(lines[number - 1]) > 0:
            begin = number - 1
    return "\n".join(lines[begin:]).strip()
