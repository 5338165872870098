"""partman-auto's recipe grammar: text to lines of words and back.

Words are all there is: partman reads a recipe with `for word in $(cat FILE)` (partman-auto, recipes.sh decode_recipe)
and never complains. `builder.preseed.recipe_lint` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from builder.findings import Finding, Findings, Place, Severity

# The line of a preseed file that carries a recipe; people keep their recipes in this form.
_PRESEED_LINE = re.compile(r"\s*d-i[ \t]+partman-auto/expert_recipe[ \t]+string\b")
_NAME_ENDS: tuple[str, str] = (":", "::")
_LINE_END = "."


@dataclass(frozen=True, slots=True)
class Specifier:
    """`mountpoint{ / }` is a file of partman's for the partition; `$primary{ }` one of partman-auto's own signs."""

    name: str
    value: str
    closed: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """One partition: minimum, priority, maximum (MB of 10^6 bytes, or % of RAM), parted's filesystem, specifiers."""

    words: tuple[str, ...]
    number: int = field(default=0, compare=False)

    def word(self, position: int) -> str:
        """The word at a position from 0, empty where there is none."""
        return self.words[position] if position < len(self.words) else ""

    @property
    def specifiers(self) -> tuple[Specifier, ...]:
        """What partman makes of the words after the first four."""
        return tuple(read_specifiers(self.words[4:]))


@dataclass(frozen=True, slots=True)
class Recipe:
    """A name and its lines; with `::` the name is that of a debconf template, with `:` plain text."""

    name: str
    lines: tuple[Line, ...]
    name_end: Literal[":", "::"] = "::"


def read_specifiers(words: tuple[str, ...]) -> Iterator[Specifier]:
    """Follow setup_partition (recipes.sh): a word that ends in `{` opens, the word `}` closes, others are skipped."""
    rest = iter(words)
    for word in rest:
        if not word.endswith("{"):
            continue
        value: list[str] = []
        closed = False
        for inner in rest:
            if inner == "}":
                closed = True
                break
            value.append(inner)
        yield Specifier(word.removesuffix("{"), " ".join(value), closed)


def parse_recipe(text: str, file: str = "") -> tuple[Recipe, Findings]:
    """Read a recipe as partman does, with findings for what it would lose or misread in silence.

    Takes the recipe alone, or the `d-i partman-auto/expert_recipe string ...` entry of a preseed file.
    """
    findings = Findings()
    name, name_end, lines = "", None, list[Line]()
    pending: list[str] = []
    started = 1
    for word, number in _numbered_words(text):
        if word in _NAME_ENDS:
            if lines or name_end:
                findings.add(_second_name(" ".join(pending), Place(file, number)))
            name, name_end = " ".join(pending), word
            pending = []
        elif word == _LINE_END:
            lines.append(Line(tuple(pending), started if pending else number))
            pending = []
        else:
            started = started if pending else number
            pending.append(word)
    if pending:
        findings.add(
            Finding(
                "R101",
                f"the partition {' '.join(pending[:4])!r} has no end, so the installer drops it",
                "end every partition with a dot that stands alone: ' .'",
                Place(file, started),
            )
        )
    if name_end is None:
        findings.add(
            Finding("R102", "the recipe has no name", "begin it with a name and '::'", Place(file, 1), Severity.WARNING)
        )
    if not lines:
        findings.add(Finding("R103", "the recipe has no partition", "add lines that end in ' .'", Place(file, 1)))
    return Recipe(name, tuple(lines), ":" if name_end == ":" else "::"), findings


def render_recipe(recipe: Recipe, *, one_line: bool = False) -> str:
    """The recipe's text: two lines for each partition, or one line in all for `partman-auto/expert_recipe`."""
    head = f"{recipe.name} {recipe.name_end}".strip()
    if one_line:
        return " ".join([head, *(" ".join([*line.words, _LINE_END]) for line in recipe.lines)])
    blocks = [f"{' '.join(line.words[:4])}\n    {' '.join([*line.words[4:], _LINE_END])}\n" for line in recipe.lines]
    return "\n".join([f"{head}\n", *blocks])


def _numbered_words(text: str) -> Iterator[tuple[str, int]]:
    """Words with their line numbers; of a preseed file, those of its entry."""
    lines = list(enumerate(text.split("\n"), 1))
    entry = next((index for index, (_, line) in enumerate(lines) if _PRESEED_LINE.match(line)), None)
    for number, line in lines if entry is None else _entry_lines(lines[entry:]):
        # The shell splits at blanks only; str.split() would take more, as U+00A0.
        yield from ((word, number) for word in re.split(r"[ \t\r]+", line) if word)


def _entry_lines(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The value of the entry that begins the lines: without its head, continuation signs and inner comments."""
    for number, line in lines:
        if line.startswith("#"):
            continue
        value = _PRESEED_LINE.sub("", line, count=1).removesuffix("\r")
        yield number, value.removesuffix("\\")
        if not value.endswith("\\"):
            return


def _second_name(name: str, place: Place) -> Finding:
    message = f"a second recipe name, {name!r}: the installer takes one recipe, whose name is the last"
    return Finding("R104", message, "keep one name, at the beginning; write single dots at line ends", place)
