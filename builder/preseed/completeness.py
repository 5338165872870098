"""Completeness: which questions an installer would still stop at, given all that answers them, and in which order.

The table is asked_rows; here answers are collected as the installer gets them: in time or too late, by the way the
preseed is loaded. `make predict-test` holds the outcome against installers that run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from builder.findings import Finding, Place, Severity
from builder.preseed.asked import still_asked
from builder.preseed.given import Hardware, Loading
from builder.preseed.loader import Loaded
from builder.preseed.partitions import recipe_of
from builder.preseed.recipe import Recipe, parse_recipe
from builder.preseed.situation import Asked, Method, Priority, Situation
from builder.preseed.untemplated import BOOT_ALIASES
from builder.profile.model import Guest, Suite
from builder.profile.nics import Static4, Static6

# Stages in the order in which the installer comes to them, by the beginnings of what is asked in them.
_STAGES: Mapping[str, tuple[str, ...]] = {
    "language": ("localechooser/", "keyboard-configuration/", "lowmem/"),
    "network": ("netcfg/", "hw-detect/"),
    "mirror": ("mirror/",),
    "accounts": ("passwd/",),
    "clock": ("time/", "clock-setup/ntp"),
    "partitioning": ("partman",),
    "software": ("apt-setup/", "pkgsel/", "popularity-contest/", "tasksel/"),
    "boot loader": ("grub-installer/",),
    "end": ("clock-setup/utc", "finish-install/"),
}
STAGES = tuple(_STAGES)
# Over by the time that a preseed is read which comes from a file (menu item 1400) or the network (2100).
_BEFORE: Mapping[Loading, frozenset[str]] = MappingProxyType(
    {"initrd": frozenset(), "file": frozenset({"language"}), "network": frozenset({"language", "network"})}
)
# auto-install/enable (boot parameter auto=true) has these wait for a preseed (S60auto-install).
_WAITING = frozenset({"language"})
_INTERACTIVE = ("preseed/include", "preseed/include_command", "preseed/run", "preseed/early_command")
LOAD_ERROR = Asked(
    ("preseed/load_error",),
    "critical",
    "when the file cannot be read to its end: an error, which no answer keeps away",
    (),
    (),
    "preseed-common 1.125 preseed.sh",
)


@dataclass(frozen=True, slots=True)
class Pending:
    """One stop that lies ahead, at `question`.

    `missing`: lines that would keep it away; `late`: it is answered, but too late.
    """

    row: Asked
    question: str
    stage: str
    missing: tuple[str, ...]
    late: bool = False


def stage_of(row: Asked) -> str:
    """The stage in which this stop comes."""
    return next((stage for stage, starts in _STAGES.items() if row.shown[0].startswith(starts)), STAGES[0])


def answers_of(loaded: Loaded) -> dict[str, str]:
    """The answers by question that keep questions away: those that are marked as seen."""
    seen = {mark.question: "" for mark in loaded.marks if mark.seen}
    return seen | {answer.question: answer.value for answer in loaded.answers if answer.seen}


def answers_of_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """What a kernel command line answers (env2debconf): short names stand for long ones, empty values for nothing."""
    found: dict[str, str] = {}
    for name, value in parameters.items():
        question = BOOT_ALIASES.get(name, name).rpartition(":")[2]
        if value and "/" in question and not question.endswith("?"):
            found[question] = value
    return found


def find_pending(
    answers: Mapping[str, str],
    situation: Situation,
    *,
    loading: Loading = "initrd",
    parameters: Mapping[str, str] = MappingProxyType({}),
    priority: Priority = "high",
    aborts: bool = False,
    certain: bool = True,
) -> tuple[Pending, ...]:
    """The stops that an installation comes to, in their order; none when it runs through.

    `answers` of the preseed and `parameters` of the boot command line, by question; debconf/priority among them counts
    in place of `priority`. `certain`: those alone that come whatever the machine turns out to be.
    """
    # What is fetched over the network overrides the command line, and that overrides what is in the initrd.
    known = {**answers, **parameters} if loading == "initrd" else {**parameters, **answers}
    over = _BEFORE[loading]
    if parameters.get("auto-install/enable") == "true":
        over -= _WAITING
    early = [
        _pending(row, parameters, late=row.is_answered(answers))
        for row in (still_asked(situation, parameters, priority=_priority(parameters, priority)) if over else ())
        if stage_of(row) in over
    ]
    later = [
        _pending(row, known)
        for row in still_asked(situation, known, priority=_priority(known, priority))
        if stage_of(row) not in over
    ]
    if aborts:
        later.insert(0, _pending(LOAD_ERROR, known))
    return tuple(pending for pending in (*early, *later) if pending.row.certain or not certain)


def _priority(answers: Mapping[str, str], otherwise: Priority) -> Priority:
    """What is to be shown: cdebconf 0.280 looks that up for every question (database.c, question_db_is_visible)."""
    match answers.get("debconf/priority"):
        case "high" | "critical" as word:
            return word
        case _:
            return otherwise


def _pending(row: Asked, answers: Mapping[str, str], *, late: bool = False) -> Pending:
    """Of the questions that the row shows, those with an answer are passed over."""
    question = next((name for name in row.shown if name not in answers), row.shown[0])
    missing = tuple(line for line in row.lines if line.split()[1] not in answers)
    return Pending(row, question, stage_of(row), missing, late)


def situation_of_guest(guest: Guest) -> Situation:
    """What the installer of one of our guests meets: of its disks it sees the system disk alone, old or new."""
    first = guest.nics[0]
    static = isinstance(first.ipv4, Static4) or (first.ipv4 == "none" and isinstance(first.ipv6, Static6))
    situation = Situation(
        guest.suite,
        guest.type,
        "iso" if guest.media == "iso" else "netboot",
        guest.disk.method,
        nics=len(guest.nics),
        static=static,
    )
    return _with_recipe(situation, recipe_of(guest))


def situation_of_answers(answers: Mapping[str, str], suite: Suite, hardware: Hardware | None = None) -> Situation:
    """What anybody's preseed says of the machine it is for; what it does not say is taken as on a plain PC."""
    situation = Situation(
        suite,
        (hardware.type if hardware else None) or "hvm",
        method=_method(answers.get("partman-auto/method", "")),
        disks=len(hardware.disks) if hardware and hardware.disks else 1,
        static=answers.get("netcfg/disable_autoconfig") == "true",
    )
    if text := answers.get("partman-auto/expert_recipe"):
        return _with_recipe(situation, parse_recipe(text)[0])
    return situation


def _method(word: str) -> Method:
    match word:
        case "lvm" | "raid" | "crypto":
            return word
        case _:
            return "regular"


def _with_recipe(situation: Situation, recipe: Recipe) -> Situation:
    words = [{(one.name, one.value.strip()) for one in line.specifiers} for line in recipe.lines]
    swap = any(("method", "swap") in line for line in words)
    boot_outside = any(
        ("mountpoint", "/boot") in line and not any(name == "$lvmok" for name, _ in line) for line in words
    )
    return replace(situation, swap=swap, boot_in_lvm=situation.method == "lvm" and not boot_outside)


def check_complete(
    loaded: Loaded,
    situation: Situation,
    name: str = "",
    *,
    ours: bool,
    loading: Loading = "initrd",
    parameters: Mapping[str, str] = MappingProxyType({}),
    priority: Priority = "high",
) -> Iterator[Finding]:
    """Q101 for every stop that certainly comes, Q102 for an answer that comes too late, Q103 for what may come.

    Errors in a preseed of `ours`, which is to run through. Anybody's file may be meant to ask: there they are
    warnings, and notes when other files or commands may add answers.
    """
    answers = answers_of(loaded)
    severity = Severity.ERROR if ours else Severity.WARNING
    if not ours and any(question in answers for question in _INTERACTIVE):
        severity = Severity.NOTE
    lines = {answer.question: answer.line for answer in loaded.answers}
    pending = find_pending(
        answers,
        situation,
        loading=loading,
        parameters=parameters,
        priority=priority,
        aborts=loaded.aborts,
        certain=False,
    )
    for one in pending:
        if one.row.certain:
            place = Place(name, lines.get(_answered(one, lines), 0) if one.late else 0)
            yield _finding(one, place, severity)
        elif one.missing and _depends_on_machine(one.row):
            message = f"the installer may ask, {_place_of(one)}, {one.question}: {one.row.when}"
            yield Finding("Q103", message, _hint(one), Place(name), Severity.NOTE)


def _finding(one: Pending, place: Place, severity: Severity) -> Finding:
    if one.late:
        message = f"the installer asks, {_place_of(one)}, {one.question}, before it reads this file"
        return Finding("Q102", message, "put the answer on the boot command line or into the initrd", place, severity)
    message = f"the installer will ask, {_place_of(one)}, {one.question}: {one.row.when}"
    return Finding("Q101", message, _hint(one), place, severity)


def _place_of(one: Pending) -> str:
    """Numbered, so that findings, which are sorted by their text, come in the order of the stages."""
    return f"in stage {STAGES.index(one.stage) + 1} ({one.stage})"


def _hint(one: Pending) -> str:
    return f"answer it: {'; '.join(one.missing)}" if one.missing else ""


def _answered(one: Pending, lines: Mapping[str, int]) -> str:
    return next((question for group in one.row.answered_by for question in group if question in lines), "")


def _depends_on_machine(row: Asked) -> bool:
    """Left out are rows that tell of faults elsewhere: a recipe's, a mirror that does not answer, too little memory."""
    return row.condition.fresh is False or row.condition.guest_types is not None or row.condition.efi is not None
