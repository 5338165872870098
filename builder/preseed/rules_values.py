"""Rules about values, by what the question's template says: types, choices, booleans, and templates not filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from builder.findings import Severity, did_you_mean
from builder.preseed.catalogue import Catalogue, Question
from builder.preseed.loader import BLANKS
from builder.preseed.rule import INSTALLER, Failing, Problem, Rule, Subject
from builder.preseed.rules_fields import TYPES
from builder.preseed.syntax import Entry
from builder.preseed.templates import split_choices

KEYMAP = "keyboard-configuration/xkb-keymap"
# Marks of templating: {{ x }}, <% x %>, ${X}, $X, @X@, %X%, __X__, <X>, [x y]; and CHANGEME.
_PLACEHOLDER = re.compile(
    r"\{\{|<%|\$\{?[A-Za-z_]|@[A-Za-z_]+@|%[A-Za-z_]+%|__[A-Za-z_]+__|^<[^>]+>$|^\[[^\]]+\]$|change_?me",
    re.IGNORECASE,
)
_HASH = re.compile(r"\$[0-9a-z]{1,3}\$[^{]")  # of crypt(5); no shell variable
_LONGEST = 80  # signs of a value that messages repeat
_FALSE = frozenset({"no", "n", "off", "0", "false", "f"})
TRUE_WORDS = frozenset({"yes", "y", "on", "1", "true", "t"})
# Multiselects whose choices the installer fills in; none of those has a blank in it.
_WORDS_ONLY = frozenset({"tasksel/first", "localechooser/supported-locales"})
# Read by scripts that split at a comma and a blank, or take commas out and split at blanks (05localechooser, postinst
# of locales, libnss-ldapd and ufw, pam-auth-update); tasksel and apt-setup take any of the two.
_COMMA_AND_BLANK = (
    "libnss-ldapd/nsswitch",
    "libpam-runtime/profiles",
    "localechooser/supported-locales",
    "locales/locales_to_be_generated",
    "ufw/allow_known_ports",
)
# Choices that rules of their own judge, with what comes of a wrong one.
OWN_RULES = frozenset({KEYMAP, "pkgsel/upgrade", "base-installer/initramfs-tools/driver-policy"})


def value_of(entry: Entry) -> str:
    """The value as the installer keeps it."""
    return entry.value.text.rstrip(BLANKS)


def is_placeholder(value: str) -> bool:
    """Whether the value looks like the mark of a template that was to be filled in."""
    return _PLACEHOLDER.search(value) is not None and _HASH.match(value) is None


def is_command(entry: Entry) -> bool:
    """Whether the value is shell, in which marks of templating mean something else."""
    return entry.question.text.endswith("_command")


def shown(value: str) -> str:
    """A value in a message: quoted, and no longer than people read."""
    return repr(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}...")


def _placeholder(subject: Subject) -> Iterator[Problem]:
    for entry in subject.settings:
        value = entry.value.text
        if not (value and is_placeholder(value)) or is_command(entry):
            continue
        if "{{" in value or "<%" in value or _PLACEHOLDER.match(value):
            message = f"{entry.question.text} has a value that looks like a template's, which nobody filled in"
            yield Problem(entry.value.start, message, "write the value, or lint what the template is rendered to")


def _mismatches(subject: Subject) -> Iterator[tuple[Entry, Question]]:
    for entry, question in subject.known:
        if entry.type.text != question.type and entry.type.text in TYPES and question.provenance != "table":
            yield entry, question


def _installer_type(subject: Subject) -> Iterator[Problem]:
    for entry, question in _mismatches(subject):
        if entry.owner.text == INSTALLER or not question.target:
            message = f"{question.name} is a {question.type}, not a {entry.type.text}"
            yield Problem(entry.type.start, message, f"write {question.type}; the installer takes either")


def _package_type(subject: Subject) -> Iterator[Problem]:
    for entry, question in _mismatches(subject):
        if entry.owner.text != INSTALLER and question.target:
            message = f"{question.name} is a {question.type}, not a {entry.type.text}"
            yield Problem(entry.type.start, message, f"write {question.type}")


def _judged(subject: Subject, kind: str) -> Iterator[tuple[Entry, Question, str]]:
    """Settings of this type of question, with a value that can be judged."""
    for entry, question in subject.known:
        if question.type == kind and (value := value_of(entry)) and not is_placeholder(value):
            yield entry, question, value


def _choice(subject: Subject) -> Iterator[Problem]:
    for entry, question, value in _judged(subject, "select"):
        if question.substituted or not question.choices or value in question.choices or question.name in OWN_RULES:
            continue
        yield Problem(
            entry.value.start, f"{shown(value)} is no choice of {question.name}", _one_of(value, question.choices)
        )


def _one_of(value: str, choices: tuple[str, ...]) -> str:
    shown = ", ".join(choices[:12]) + (", ..." if len(choices) > 12 else "")
    return did_you_mean(value[:_LONGEST], choices) or f"the choices are: {shown}"


def _choices(subject: Subject) -> Iterator[Problem]:
    for entry, question, value in _judged(subject, "multiselect"):
        if question.substituted or not question.choices or _lacks_commas(question, value):
            continue
        for one in split_choices(value):
            if one not in question.choices:
                yield Problem(
                    entry.value.start, f"{shown(one)} is no choice of {question.name}", _one_of(one, question.choices)
                )
                break


def _lacks_commas(question: Question, value: str) -> bool:
    words = value.split()
    if "," in value or len(words) < 2:
        return False
    static = bool(question.choices) and not question.substituted
    return question.name in _WORDS_ONLY or (
        static and value not in question.choices and {*words} <= {*question.choices}
    )


def _separators(subject: Subject) -> Iterator[Problem]:
    for entry, question, value in _judged(subject, "multiselect"):
        if _lacks_commas(question, value):
            message = f"{question.name} has its choices separated by blanks alone: {shown(value)} is one to debconf"
            yield Problem(entry.value.start, message, f"write {', '.join(value.split()[:20])}")


def _glued(subject: Subject) -> Iterator[Problem]:
    for name in _COMMA_AND_BLANK:
        for entry in subject.by_question.get(name, ()):
            value = value_of(entry)
            if re.search(r",\S", value) and not is_placeholder(value):
                message = f"{name} is taken apart at a comma and a blank: {shown(value)} runs together"
                yield Problem(entry.value.start, message, "write a blank behind each comma")


def _no_booleans(subject: Subject) -> Iterator[tuple[Entry, str]]:
    booleans = [entry for entry, question in subject.known if question.type == "boolean"]
    known = {question.name for _entry, question in subject.known}
    booleans += [
        entry for entry in subject.settings if entry.type.text == "boolean" and entry.question.text not in known
    ]
    for entry in booleans:
        value = value_of(entry)
        if value and value not in {"true", "false"} and not is_placeholder(value):
            yield entry, value


def _boolean(subject: Subject) -> Iterator[Problem]:
    for entry, value in _no_booleans(subject):
        if value.lower() not in _FALSE:
            hint = "write true" if value.lower() in TRUE_WORDS else "write true or false, and nothing behind it"
            yield Problem(
                entry.value.start, f"{shown(value)} is not true, so {entry.question.text} is taken as false", hint
            )


def _false_boolean(subject: Subject) -> Iterator[Problem]:
    for entry, value in _no_booleans(subject):
        if value.lower() in _FALSE:
            yield Problem(
                entry.value.start, f"{shown(value)} is neither true nor false to {entry.question.text}", "write false"
            )


@cache
def _layouts(choices: tuple[str, ...]) -> frozenset[str]:
    return frozenset(choice.partition("(")[0] for choice in choices)


def _keymap(subject: Subject) -> Iterator[Problem]:
    catalogue = subject.given.catalogue
    question = catalogue.find(KEYMAP) if catalogue else None
    console = _console_keymaps(catalogue) if catalogue else frozenset()
    for entry in subject.by_question.get(KEYMAP, ()) if question else ():
        layout = value_of(entry).partition("(")[0]
        if question and layout in console and layout not in _layouts(question.choices):
            message = f"{shown(layout)} is a keymap of the console; {KEYMAP} takes layouts of X"
            hint = {"uk": "write gb", "dvorak": "write us(dvorak)"}.get(layout) or _near_layout(layout, question)
            yield Problem(entry.value.start, message, hint)


def _near_layout(layout: str, question: Question) -> str:
    country = re.split(r"[-_0-9]", layout)[0]
    known = country in _layouts(question.choices)
    return f"write {country}" if known else "write layout or layout(variant), as in us or ch(fr)"


def _console_keymaps(catalogue: Catalogue) -> frozenset[str]:
    question = catalogue.by_name.get("console-keymaps-at/keymap")
    return frozenset(question.choices) if question else frozenset()


RULES = (
    Rule(
        "L301",
        Severity.NOTE,
        "Another type than the template's",
        _installer_type,
        "The installer does not look at types, so this does no harm. Debian's own example has such lines.",
        "Write the template's type; `domu lint --fix` does.",
        failing=(Failing(b"d-i debian-installer/locale string en_US.UTF-8\n", 1),),
        passing=(b"d-i debian-installer/locale select en_US.UTF-8\n",),
    ),
    Rule(
        "L302",
        Severity.WARNING,
        "Another type than the template's in a package's line",
        _package_type,
        "debconf-set-selections writes this type over the one that the installed system's template has. A password "
        "that is called a string goes into the database that everybody may read.",
        "Write the template's type; `domu lint --fix` does.",
        failing=(Failing(b"tasksel tasksel/first string standard\n", 1),),
        passing=(b"tasksel tasksel/first multiselect standard\n",),
    ),
    Rule(
        "L303",
        Severity.WARNING,
        "A value that is none of the choices",
        _choice,
        "Nothing is checked when a preseed is loaded, and a question that was answered is not shown: the wrong word "
        "reaches whatever reads it. Only choices that stand in the template are judged; many are made up at run time.",
        "Write one of the choices as it stands in the template: untranslated, capitals and all.",
        failing=(
            Failing(b"d-i partman/mount_style select UUID\n", 1),
            Failing(b"d-i netcfg/target_network_config select networkd\n", 1),
        ),
        passing=(b"d-i partman/mount_style select uuid\n", b"d-i time/zone select Europe/Vienna\n"),
    ),
    Rule(
        "L304",
        Severity.WARNING,
        "A value with something that is none of the choices",
        _choices,
        "Nothing is checked when a preseed is loaded; what is no choice is passed over, or given to a script.",
        "Write choices as they stand in the template, separated by commas.",
        failing=(Failing(b"d-i apt-setup/services-select multiselect security, volatile\n", 1),),
        passing=(
            b"d-i apt-setup/services-select multiselect security, updates\n",
            b"d-i apt-setup/services-select multiselect\n",
        ),
    ),
    Rule(
        "L305",
        Severity.NOTE,
        "Choices that are not separated by commas",
        _separators,
        "To debconf that is one choice of a long name, so a dialog that shows the question has none of them marked. "
        "The scripts that read the answer are kinder: tasksel, apt-setup and localechooser split at blanks, too.",
        "Put a comma behind each choice but the last.",
        failing=(
            Failing(b"tasksel tasksel/first multiselect standard ssh-server\n", 1),
            Failing(b"d-i apt-setup/services-select multiselect security updates\n", 1),
        ),
        passing=(
            b"tasksel tasksel/first multiselect standard, ssh-server\n",
            b"locales locales/locales_to_be_generated multiselect de_AT.UTF-8 UTF-8\n",
        ),
    ),
    Rule(
        "L306",
        Severity.ERROR,
        "A boolean that is not true",
        _boolean,
        "Scripts compare with the word `true`; everything else is false, without a word. A comment behind the value "
        "is part of it.",
        "Write `true` or `false`, in small letters.",
        failing=(
            Failing(b"d-i partman/confirm boolean yes\n", 1),
            Failing(b"d-i clock-setup/utc boolean True\n", 1),
            Failing(b"d-i clock-setup/ntp boolean true # the default\n", 1),
        ),
        passing=(b"d-i partman/confirm boolean true\n",),
    ),
    Rule(
        "L307",
        Severity.WARNING,
        "Another word for false",
        _false_boolean,
        "Most scripts compare with `true` and take this for false; those that compare with `false` do not.",
        "Write `false`.",
        failing=(Failing(b"d-i passwd/root-login boolean no\n", 1),),
        passing=(b"d-i passwd/root-login boolean false\n",),
    ),
    Rule(
        "L308",
        Severity.WARNING,
        "The name of a console keymap",
        _keymap,
        "keyboard-configuration splits the answer as layout(variant) and does not check it; the layout `uk` does not "
        "exist, for one, and the keyboard is left without.",
        "Write a layout of X, with a variant in parentheses if need be: gb, de(nodeadkeys).",
        failing=(
            Failing(b"d-i keyboard-configuration/xkb-keymap select uk\n", 1),
            Failing(b"d-i keyboard-configuration/xkb-keymap select de-latin1-nodeadkeys\n", 1),
        ),
        passing=(
            b"d-i keyboard-configuration/xkb-keymap select gb\n",
            b"d-i keyboard-configuration/xkb-keymap select de(neo)\n",
        ),
    ),
    Rule(
        "L309",
        Severity.NOTE,
        "A template's mark that nobody filled in",
        _placeholder,
        "The installer takes it as it stands. Rules about values say nothing of such a line.",
        "Lint what the template is rendered to.",
        failing=(
            Failing(b"d-i netcfg/get_hostname string {{ hostname }}\n", 1),
            Failing(b"d-i passwd/root-password-crypted password [crypt(3) hash]\n", 1),
        ),
        passing=(
            b"d-i preseed/late_command string echo ${HOME}\n",
            b"d-i passwd/root-password-crypted password $y$j9T$YDEtSr2Z\n",
        ),
    ),
    Rule(
        "L310",
        Severity.WARNING,
        "Choices that are joined by a comma without a blank",
        _glued,
        "localechooser removes the commas and splits at blanks, locales and ufw split at a comma and a blank: of "
        "`a,b` both make one choice, which does not exist.",
        "Write a comma and a blank between choices.",
        failing=(
            Failing(b"d-i localechooser/supported-locales multiselect de_AT.UTF-8,en_GB.UTF-8\n", 1),
            Failing(b"locales locales/locales_to_be_generated multiselect C.UTF-8 UTF-8,de_AT.UTF-8 UTF-8\n", 1),
        ),
        passing=(
            b"d-i localechooser/supported-locales multiselect de_AT.UTF-8, en_GB.UTF-8\n",
            b"tasksel tasksel/first multiselect standard,ssh-server\n",
        ),
    ),
)
