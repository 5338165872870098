"""Rules about recipes: what partman misreads in silence, and what does not fit the disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from builder.findings import Finding, Severity
from builder.preseed import stock
from builder.preseed.given import Given, Hardware
from builder.preseed.partman import Label, Machine, decode, least_sum, to_megabytes
from builder.preseed.recipe import Recipe, parse_recipe
from builder.preseed.recipe_lint import lint_recipe
from builder.preseed.rule import Failing, Problem, Rule, Subject
from builder.preseed.rules_lines import ENTRY
from builder.preseed.rules_values import is_placeholder, shown, value_of
from builder.preseed.stock import stock_names
from builder.preseed.syntax import Entry
from builder.profile.model import Suite
from builder.units import Size

_EXPERT = "partman-auto/expert_recipe"
_CHOOSE = "partman-auto/choose_recipe"
_METHOD = "partman-auto/method"
_LARGEST = 50_000  # signs, blanks of continuations included; a long recipe has 10,000
_MOST_WORDS = 1_000
_DIGITS = 12  # of an amount of RAM in MB
_NAME = re.compile(r"^[a-z0-9-]+ ::(?= )")
_NUMBERED = re.compile(r"[0-9]{2}")


def _machine(subject: Subject) -> tuple[Machine, Size] | None:
    """What the recipe is to fit, when all of it is known."""
    suite, hardware = subject.given.suite, subject.given.hardware
    method = subject.value(_METHOD, "regular")
    if not suite or not hardware or not hardware.disk_size or not hardware.ram or method not in {"regular", "lvm"}:
        return None
    cap = subject.value("partman-auto/cap-ram")[:_DIGITS] or None
    label: Label = "gpt" if subject.value("partman-partitioning/default_label", hardware.label) == "gpt" else "msdos"
    machine = Machine(suite, hardware.ram, label, "lvm" if method == "lvm" else "regular", cap)
    return machine, hardware.disk_size


def _text(subject: Subject, entry: Entry) -> tuple[str, list[int]]:
    """A recipe as the lines that it stands in, and the byte at which each begins."""
    parts: list[str] = []
    starts: list[int] = []
    for line in subject.file.texts(entry):
        start = max(line.start, entry.value.start)
        body = line.raw[start - line.start :].replace(b"\r", b"").rstrip(b"\n\0").removesuffix(b"\\")
        parts.append(body.decode("utf-8", "surrogateescape"))
        starts.append(start + len(body) - len(body.lstrip()))
    return "\n".join(parts), starts


@lru_cache(maxsize=64)
def _least(text: str, machine: Machine) -> int:
    return least_sum(decode(parse_recipe(text)[0], machine))


@lru_cache(maxsize=64)
def _judge(text: str, suite: Suite | None) -> tuple[Recipe, tuple[Finding, ...]]:
    recipe, findings = parse_recipe(text)
    if suite:
        findings.extend(lint_recipe(recipe, suite))
    return recipe, tuple(findings)


@lru_cache(maxsize=64)
def _fallback(machine: Machine, size: Size, wanted: str) -> str | None:
    return stock.fallback_name(machine, size, wanted)


class _Judged(NamedTuple):
    """A recipe: its entry, the byte at which each of its lines begins, its text, and what was found."""

    entry: Entry
    starts: list[int]
    text: str
    recipe: Recipe
    findings: tuple[Finding, ...]


def _recipes(subject: Subject) -> Iterator[_Judged]:
    for entry in subject.by_question.get(_EXPERT, ()):
        value = entry.value.text
        if value and len(value) <= _LARGEST and len(value.split()) <= _MOST_WORDS and not _is_template(value):
            if any(ENTRY.match(line.body) for line in subject.file.texts(entry)[1:]):
                continue  # L106 says that a backslash makes other entries part of it
            text, starts = _text(subject, entry)
            text = _NAME.sub("recipe ::", text, count=1)  # so that guests share what differs by the name alone
            yield _Judged(entry, starts, text, *_judge(text, subject.given.suite))


def _is_template(value: str) -> bool:
    """Whether a recipe, which is full of `$name{ }`, is a template's."""
    return "{{" in value or "<%" in value or "${" in value


def _misread(subject: Subject, severity: Severity) -> Iterator[Problem]:
    for judged in _recipes(subject):
        for finding in judged.findings:
            if finding.severity is not severity or (finding.code == "R113" and _is_raid(subject)):
                continue
            offset = judged.starts[max(min(finding.place.line, len(judged.starts)), 1) - 1]
            yield Problem(offset, f"{finding.message} ({finding.code})", finding.hint)


def _is_raid(subject: Subject) -> bool:
    """With RAID the mount points stand in another recipe."""
    return subject.value(_METHOD) == "raid" or subject.last("partman-auto-raid/recipe") is not None


def _recipe_error(subject: Subject) -> Iterator[Problem]:
    return _misread(subject, Severity.ERROR)


def _recipe_warning(subject: Subject) -> Iterator[Problem]:
    return _misread(subject, Severity.WARNING)


def _recipe_note(subject: Subject) -> Iterator[Problem]:
    return _misread(subject, Severity.NOTE)


def _too_large(subject: Subject) -> Iterator[Problem]:
    if (known := _machine(subject)) is None:
        return
    machine, size = known
    for judged in list(_recipes(subject))[-1:]:
        needed, there = _least(judged.text, machine), to_megabytes(size.bytes)
        if needed > there and not any(finding.severity is Severity.ERROR for finding in judged.findings):
            instead = _fallback(machine, size, subject.value(_CHOOSE))
            then = f"partman takes the recipe {instead} without a word" if instead else "no stock recipe fits, either"
            message = f"the recipe needs {needed} MB and the disk has {there} MB: {then}"
            yield Problem(judged.entry.value.start, message, "make the disk larger, or the minima smaller")


def _has_expert(subject: Subject) -> bool:
    return any(subject.value(name) for name in (_EXPERT, f"{_EXPERT}_file"))


def _short_name(subject: Subject, value: str) -> str | None:
    """The stock recipe that a value names: by its file's name, that without its number, or its title."""
    suite, catalogue = subject.given.suite, subject.given.catalogue
    if not suite or not catalogue:
        return None
    for name in stock_names(suite):
        titles = (catalogue.by_name.get(f"partman-auto/text/{name}{end}") for end in ("_scheme", ""))
        if (
            value in {name, *(title.description for title in titles if title)}
            or _NUMBERED.sub("", value, count=1) == name
        ):
            return name
    return None


def _no_recipe(subject: Subject) -> Iterator[Problem]:
    entry, suite = subject.last(_CHOOSE), subject.given.suite
    if not entry or not suite or _has_expert(subject):
        return
    value = value_of(entry)
    if value and not is_placeholder(value) and _short_name(subject, value) is None:
        names = ", ".join(stock_names(suite))
        message = f"{suite} has no recipe {shown(value)}: partman takes the first that fits, without a word"
        yield Problem(entry.value.start, message, f"write one of {names}")


def _stock_too_large(subject: Subject) -> Iterator[Problem]:
    entry, known = subject.last(_CHOOSE), _machine(subject)
    if not entry or not known or _has_expert(subject):
        return
    machine, size = known
    wanted = _short_name(subject, value_of(entry))
    if wanted and (instead := _fallback(machine, size, wanted)) != wanted:
        then = f"partman takes {instead} without a word" if instead else "no other fits, and partman stops at no_recipe"
        message = f"the recipe {wanted} does not fit a disk of {to_megabytes(size.bytes)} MB: {then}"
        yield Problem(entry.value.start, message, "make the disk larger, or choose a recipe that fits")


def _two_recipes(subject: Subject) -> Iterator[Problem]:
    entry, file = subject.last(_EXPERT), subject.last(f"{_EXPERT}_file")
    if entry and file and value_of(entry) and value_of(file):
        message = f"{_EXPERT} (line {entry.line}) is written to a file and taken in place of this one"
        yield Problem(file.question.start, message, "remove one of the two")


def _second_choice(subject: Subject) -> Iterator[Problem]:
    entry, expert = subject.last(_CHOOSE), subject.last(_EXPERT)
    if entry and expert and _short_name(subject, value_of(entry)):
        message = f"this counts only when the recipe of line {expert.line} does not fit the disk"
        yield Problem(entry.question.start, message, "remove it, unless that is meant")


def _nothing_for_lvm(subject: Subject) -> Iterator[Problem]:
    method = subject.last(_METHOD)
    if not method or value_of(method) not in {"lvm", "crypto"}:
        return
    for judged in list(_recipes(subject))[-1:]:
        lines = judged.recipe.lines
        if lines and not any("lvmok" in word for line in lines for word in line.words):
            message = f"no partition of the recipe is marked for LVM, which {_METHOD} {value_of(method)} asks for"
            yield Problem(judged.entry.value.start, message, "add $lvmok{ } to the partitions that are to be volumes")


_PV = Given(hardware=Hardware("pv", ("/dev/xvda",), Size.parse("10G"), Size.parse("1G")))
_TINY = Given(hardware=Hardware("pv", ("/dev/xvda",), Size.parse("4G"), Size.parse("1G")))
_RECIPE = b"d-i partman-auto/expert_recipe string"
_ROOT = b" 500 900 -1 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } .\n"

RULES = (
    Rule(
        "L510",
        Severity.ERROR,
        "A recipe that partman cannot use",
        _recipe_error,
        "partman never complains about a recipe: what it cannot read it drops, or it takes another recipe. The R code "
        "in the message is that of `domu recipe`.",
        "Mend the partition that the message names; `domu recipe` shows what partman makes of it.",
        failing=(
            Failing(_RECIPE + b" my :: 10x 900 -1 ext4 mountpoint{ / } .\n", 1),
            Failing(
                _RECIPE + b" my :: \\\n" + _ROOT[:-1] + b" \\\n  64 64 64 linux-swap method{ swap } format{ }\n", 3
            ),
        ),
        passing=(
            _RECIPE + b" my ::" + _ROOT,
            _RECIPE + b" my ::" + _ROOT[:-1] + b" \\\nd-i partman/choose_partition select finish\n",
        ),
    ),
    Rule(
        "L511",
        Severity.WARNING,
        "A recipe that partman misreads",
        _recipe_warning,
        "partman never complains about a recipe: what it does not know it passes over. The R code in the message is "
        "that of `domu recipe`.",
        "Mend the partition that the message names; `domu recipe` shows what partman makes of it.",
        failing=(
            Failing(_RECIPE + b" my :: 500 900 -1 ext4 method{ format } mountpoint{ / } use_filesystem{ } .\n", 1),
            Failing(_RECIPE + b" my :: \\\n  500 900 -1 etx4 \\\n" + _ROOT[17:], 2),
        ),
        passing=(_RECIPE + b" my ::" + _ROOT,),
    ),
    Rule(
        "L512",
        Severity.NOTE,
        "A recipe with something odd",
        _recipe_note,
        "It works, perhaps not as meant. The R code in the message is that of `domu recipe`.",
        "See the message; `domu recipe` shows what partman makes of it.",
        failing=(Failing(_RECIPE + b" my :: 900 500 -1 ext4 format{ } ." + _ROOT, 1),),
        passing=(
            _RECIPE + b" my ::" + _ROOT,
            _RECIPE + b" my :: 512 0 512 ext2 format{ } ." + _ROOT.replace(b"500 900", b"500 0"),
        ),
    ),
    Rule(
        "L513",
        Severity.ERROR,
        "A recipe that does not fit the disk",
        _too_large,
        "partman writes one line to the log and takes a stock recipe instead (recipes.sh, choose_recipe).",
        "Make the disk larger, or the minima smaller.",
        failing=(Failing(_RECIPE + b" my ::" + _ROOT.replace(b"500 900", b"50000 90000"), 1),),
        passing=(_RECIPE + b" my ::" + _ROOT,),
        given=_PV,
    ),
    Rule(
        "L514",
        Severity.WARNING,
        "A stock recipe that the suite does not have",
        _no_recipe,
        "Once partman-auto/choose_recipe has an answer it is not asked; a name that is not found is replaced by the "
        "first recipe that fits.",
        "Write one of the recipes named.",
        failing=(Failing(b"d-i partman-auto/choose_recipe select atomc\n", 1),),
        passing=(
            b"d-i partman-auto/choose_recipe select atomic\n",
            b"d-i partman-auto/choose_recipe select 30atomic\n",
            b"d-i partman-auto/choose_recipe select mine\n" + _RECIPE + b" mine ::" + _ROOT,
        ),
    ),
    Rule(
        "L515",
        Severity.WARNING,
        "A stock recipe that does not fit the disk",
        _stock_too_large,
        "partman offers only recipes that fit, and takes the first of those in silence. trixie's want far larger "
        "disks than bookworm's did.",
        "Make the disk larger, or choose a recipe that fits.",
        failing=(Failing(b"d-i partman-auto/choose_recipe select atomic\n", 1),),
        passing=(b"d-i partman-auto/choose_recipe select small_disk\n",),
        given=_TINY,
    ),
    Rule(
        "L516",
        Severity.NOTE,
        "A stock recipe beside one of one's own",
        _second_choice,
        "partman takes partman-auto/expert_recipe when it fits, and looks at partman-auto/choose_recipe only when it "
        "does not.",
        "Remove it, unless it is meant as the second choice.",
        failing=(Failing(_RECIPE + b" my ::" + _ROOT + b"d-i partman-auto/choose_recipe select atomic\n", 2),),
        passing=(_RECIPE + b" my ::" + _ROOT,),
    ),
    Rule(
        "L517",
        Severity.WARNING,
        "Two recipes of one's own",
        _two_recipes,
        "partman writes partman-auto/expert_recipe to /tmp/expert_recipe and sets partman-auto/expert_recipe_file to "
        "that.",
        "Remove one of the two.",
        failing=(
            Failing(_RECIPE + b" my ::" + _ROOT + b"d-i partman-auto/expert_recipe_file string /hd-media/r\n", 2),
        ),
        passing=(b"d-i partman-auto/expert_recipe_file string /hd-media/r\n",),
    ),
    Rule(
        "L518",
        Severity.ERROR,
        "A recipe without a volume for LVM",
        _nothing_for_lvm,
        "With the methods lvm and crypto partman stops at partman-auto-lvm/unusable_recipe, an error, unless some "
        "partition has $lvmok{ } (auto-lvm.sh).",
        "Add `$lvmok{ }` to the partitions that are to be volumes.",
        failing=(Failing(b"d-i partman-auto/method string lvm\n" + _RECIPE + b" my ::" + _ROOT, 2),),
        passing=(
            b"d-i partman-auto/method string regular\n" + _RECIPE + b" my ::" + _ROOT,
            b"d-i partman-auto/method string lvm\n"
            + _RECIPE
            + b" my ::"
            + _ROOT.replace(b"ext4 m", b"ext4 $lvmok{ } m"),
        ),
    ),
)
