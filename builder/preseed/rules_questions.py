"""Rules about questions: who asks them, in which suite, and whose database the answer is sent to."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from builder.findings import Severity
from builder.preseed.catalogue import Unknown, Unread
from builder.preseed.commands import command_entries
from builder.preseed.owners import NOT_LOOKED_INTO
from builder.preseed.rule import INSTALLER, Failing, Problem, Rule, Subject
from builder.preseed.rules_fields import TYPES
from builder.preseed.syntax import Entry
from builder.preseed.untemplated import BOOT_ALIASES

# Names of older installers and of Ubuntu's, with what takes their place; empty: nothing does.
_KEYMAP = "keyboard-configuration/xkb-keymap"
_LOCALE = "debian-installer/locale"
_FORMER = {
    "apt-setup/country": "mirror/country",
    "apt-setup/directory": "mirror/http/directory",
    "apt-setup/hostname": "mirror/http/hostname",
    "apt-setup/security_path": "apt-setup/security_host",
    "apt-setup/uri_type": "mirror/protocol",
    "apt-setup/volatile": "apt-setup/services-select",
    "apt-setup/volatile_host": "apt-setup/services-select",
    "base-config/late_command": "preseed/late_command",
    "base-installer/kernel/override-image": "base-installer/kernel/image",
    "console-setup/layoutcode": "keyboard-configuration/layoutcode",
    "console-setup/modelcode": "keyboard-configuration/modelcode",
    "console-setup/variantcode": "keyboard-configuration/variantcode",
    "countrychooser/country-name": _LOCALE,
    "countrychooser/shortlist": _LOCALE,
    "debian-installer/keymap": _KEYMAP,
    "grub-installer/grub2_instead_of_grub_legacy": "",
    "languagechooser/language-name": _LOCALE,
    "lilo-installer/skip": "grub-installer/skip",
    "netcfg/use_dhcp": "netcfg/disable_autoconfig",
    "partman-auto-crypto/weak_passphrase": "partman-crypto/weak_passphrase",
    "partman-auto/purge_lvm_from_device": "partman-lvm/device_remove_lvm",
    "partman/confirm_write_new_label": "partman-partitioning/confirm_write_new_label",
    "passwd/md5": "",
    "passwd/shadow": "",
    "prebaseconfig/reboot_in_progress": "finish-install/reboot_in_progress",
}
_UBUNTU = frozenset({
    "apt-setup/backports", "apt-setup/multiverse", "apt-setup/partner", "apt-setup/proposed", "apt-setup/restricted",
    "apt-setup/universe", "clock-setup/utc-auto", "console-setup/ask_detect", "debian-installer/quiet",
    "debian-installer/splash", "live-installer/net-image", "netcfg/link_detection_timeout", "passwd/auto-login",
    "pkgsel/install-language-support", "pkgsel/language-pack-patterns", "pkgsel/language-packs",
    "user-setup/allow-password-weak", "user-setup/encrypt-home",
})  # fmt: skip
# What the installer's scripts do not read, or overwrite before they do.
_LABEL = "partman-partitioning/default_label"
_DEAD = {
    "partman-basicfilesystems/choose_label": f"nobody reads it; {_LABEL} decides",
    "partman-basicfilesystems/default_label": f"nobody reads it; {_LABEL} decides",
    "partman-partitioning/choose_label": f"partman overwrites it with its own choice; {_LABEL} decides",
    "partman/choose_label": f"nobody reads it; {_LABEL} decides",
    "partman/default_label": f"nobody reads it; {_LABEL} decides",
    "pkgsel/include/install-recommends": "pkgsel only logs that base-installer/install-recommends took its place",
}
# Declared by debconf itself, in the installed system, too; catalogues have what depends on debconf.
_OF_DEBCONF = frozenset({"debconf/frontend", "debconf/priority"})
_NO_NAME = re.compile(r"[^A-Za-z0-9_.+/-]+")
_ALIKE = 0.9  # how alike a misspelt name is to the one meant, by difflib's measure


def _explained(name: str) -> bool:
    """Whether a rule of its own says what to do about this name."""
    return name in _DEAD or name in _FORMER or name in _UBUNTU or name.startswith("ubiquity/") or name in BOOT_ALIASES


def _elsewhere(subject: Subject, name: str) -> tuple[str, ...]:
    return tuple(other.suite for other in subject.given.others if other.find(name))


def is_alike(name: str, other: str) -> bool:
    """Whether one can be the other misspelt."""
    return difflib.SequenceMatcher(None, name, other).ratio() >= _ALIKE


def _of_other_archives(subject: Subject, entry: Entry, answer: Unknown) -> bool:
    """Whether a package that Debian's main archive does not have may ask this."""
    first = entry.question.text.partition("/")[0]
    known = subject.given.catalogue.first_words if subject.given.catalogue else frozenset()
    return entry.owner.text != INSTALLER and not answer.near and first not in known


def _said_in_commands(subject: Subject) -> frozenset[str]:
    """Words of the file's own commands: a name among them is a question of one's own, which they read or set."""
    commands = (command for _entry, command in command_entries(subject.by_question))
    return frozenset(word for command in commands for word in _NO_NAME.split(command))


def _unknown(subject: Subject) -> Iterator[tuple[Problem, bool]]:
    """Each unknown question, and whether it is a known one misspelt."""
    own = _said_in_commands(subject) if subject.strays else frozenset()
    for entry, answer in subject.strays:
        name = entry.question.text
        if isinstance(answer, Unread) or "/" not in name or _explained(name) or _elsewhere(subject, name):
            continue  # a name without a slash is no question at all, which L129 says
        if name in own or _of_other_archives(subject, entry, answer):
            continue
        best = next(iter(answer.near), "")
        misspelt = bool(best) and is_alike(name, best)
        if misspelt:
            yield Problem(entry.question.start, f"{name} is no question", f"did you mean {best}?"), True
        else:
            like = (
                f"similar: {', '.join(answer.near)}"
                if answer.near
                else "look for its name: domu catalogue show '*word*'"
            )
            message = f"{name} is no question of the installer's, nor of the packages that were looked into"
            yield Problem(entry.question.start, message, like), False


def _unknown_question(subject: Subject) -> Iterator[Problem]:
    return (problem for problem, misspelt in _unknown(subject) if not misspelt)


def _misspelt_question(subject: Subject) -> Iterator[Problem]:
    return (problem for problem, misspelt in _unknown(subject) if misspelt)


def _question_of_another_suite(subject: Subject) -> Iterator[Problem]:
    for entry, answer in subject.strays:
        name = entry.question.text
        suites = _elsewhere(subject, name) if isinstance(answer, Unknown) else ()
        if suites and not _explained(name):
            message = f"{name} is a question of {' and '.join(suites)} only"
            yield Problem(entry.question.start, message, f"remove it, or lint with --suite {suites[0]}")


def _former_question(subject: Subject) -> Iterator[Problem]:
    for entry, _answer in subject.strays:
        name = entry.question.text
        if name in _FORMER:
            new = _FORMER[name]
            message = f"{name} is a question of older installers"
            yield Problem(entry.question.start, message, f"its place is taken by {new}" if new else "remove it")
        elif name in _UBUNTU or name.startswith("ubiquity/"):
            yield Problem(
                entry.question.start, f"{name} is a question of Ubuntu's installer, not of Debian's", "remove it"
            )


def _short_names(subject: Subject) -> Iterator[tuple[Entry, str]]:
    for alias, full in BOOT_ALIASES.items():
        for entry in subject.by_question.get(alias, ()):
            if entry.type.text in TYPES:
                yield entry, full


def _boot_alias(subject: Subject) -> Iterator[Problem]:
    for entry, full in _short_names(subject):
        if full not in subject.by_question:
            alias = entry.question.text
            message = f"{alias} is a short name of the kernel command line; in a file it answers nothing"
            yield Problem(entry.question.start, message, f"write {full}")


def _dead_question(subject: Subject) -> Iterator[Problem]:
    for name, why in _DEAD.items():
        for entry in subject.by_question.get(name, ()):
            yield Problem(entry.question.start, f"{name} does nothing: {why}", "remove it")
    for entry, full in _short_names(subject):
        if full in subject.by_question:
            message = f"{entry.question.text} does nothing: it is a short name of {full} on the kernel command line"
            yield Problem(entry.question.start, message, f"remove it; {full} is answered as well")


def _error_message(subject: Subject) -> Iterator[Problem]:
    for entry, question in subject.known:
        if question.type == "error" and question.installer:
            message = f"{question.name} is an error message: the installer shows it whatever a preseed says"
            yield Problem(entry.question.start, message, "remove it, and see to it that the error does not happen")


def _unread(subject: Subject) -> Iterator[Problem]:
    own = _said_in_commands(subject) if subject.strays else frozenset()
    for entry, answer in subject.strays:
        name = entry.question.text
        if "/" not in name or name in own or _explained(name) or _elsewhere(subject, name):
            continue
        if isinstance(answer, Unread):
            owners = ", ".join(answer.owners[:3]) + (" ..." if len(answer.owners) > 3 else "")
            message = f"{name} cannot be judged: the catalogue was made without {owners}"
            yield Problem(entry.question.start, message, _where_else(subject, answer))
        elif _of_other_archives(subject, entry, answer):
            message = f"{name} cannot be judged: no package that was looked into has such questions"
            yield Problem(entry.question.start, message, "remove it, unless a package from elsewhere asks it")


def _where_else(subject: Subject, answer: Unread) -> str:
    """What to do about a package that was not read: the mirror lacked it, or nobody looks into it."""
    unread = subject.given.catalogue.unread if subject.given.catalogue else ()
    if any(one.why == NOT_LOOKED_INTO for one in unread if one.package in answer.owners):
        return f"where it is installed, this lists its questions: debconf-show {answer.owners[0]}"
    return "make it anew where the mirror has it: domu catalogue update"


def _kept_from_target(subject: Subject) -> Iterator[Problem]:
    for entry, question in subject.known:
        if entry.owner.text == INSTALLER and question.target and not question.installer:
            message = (
                f"{question.package} asks {question.name}, not the installer: with the owner d-i it never hears of this"
            )
            yield Problem(entry.owner.start, message, f"write {question.package} instead of d-i")


def _dummy_in_target(subject: Subject) -> Iterator[Problem]:
    for entry, question in subject.known:
        both = question.target or question.name in _OF_DEBCONF
        if entry.owner.text != INSTALLER and question.installer and not both:
            message = (
                f"{question.name} is the installer's: the answer counts, but is also passed to the installed system, "
                "which has no such question"
            )
            yield Problem(entry.owner.start, message, f"write d-i instead of {entry.owner.text}")


RULES = (
    Rule(
        "L201",
        Severity.WARNING,
        "An unknown question",
        _unknown_question,
        "The installer takes any name for a question and says nothing; an answer to a question that nobody asks does "
        "nothing. Names of your own, which the file's own commands read, are fine and not reported.",
        "Look the name up with `domu explain` or `domu catalogue show`.",
        failing=(Failing(b"d-i partman/wipe_all_disks boolean true\n", 1),),
        passing=(
            b"d-i partman/confirm boolean true\n",
            b"d-i apt-setup/local0/key string http://a.example.org/k\n",
            b"d-i site/role string web\nd-i preseed/late_command string debconf-get site/role >/target/etc/role\n",
            b"kismet-capture-common kismet-capture-common/install-users string\n",
        ),
    ),
    Rule(
        "L202",
        Severity.ERROR,
        "A misspelt question",
        _misspelt_question,
        "The installer takes any name for a question and says nothing. The one that was meant stays without an answer, "
        "so that it is asked, or its default is taken.",
        "Write the name that is suggested.",
        failing=(
            Failing(b"d-i partman/confirm_nooverwrit boolean true\n", 1),
            Failing(b"d-i netcfg/get_host_name string web1\n", 1),
        ),
        passing=(
            b"d-i partman/confirm_nooverwrite boolean true\n",
            b"d-i netcfg/get_hostnam string a\nd-i preseed/early_command string debconf-get netcfg/get_hostnam\n",
        ),
    ),
    Rule(
        "L203",
        Severity.WARNING,
        "A question that only another suite has",
        _question_of_another_suite,
        "The answer does nothing in the suite that is installed.",
        "Remove it, or keep a file for each suite.",
        failing=(Failing(b"tzdata tzdata/Zones/US select Pacific\n", 1),),
        passing=(b"tzdata tzdata/Zones/Etc select UTC\n",),
    ),
    Rule(
        "L204",
        Severity.WARNING,
        "A question of older installers, or of Ubuntu's",
        _former_question,
        "Preseed files are copied for decades. Nobody asks this any more, so the answer does nothing.",
        "Use the question that took its place, or remove the line.",
        failing=(
            Failing(b"d-i partman-auto/purge_lvm_from_device boolean true\n", 1),
            Failing(b"d-i pkgsel/install-language-support boolean false\n", 1),
        ),
        passing=(b"d-i partman-lvm/device_remove_lvm boolean true\n",),
    ),
    Rule(
        "L205",
        Severity.ERROR,
        "A short name of the kernel command line",
        _boot_alias,
        "`keymap=us` and the like are read from the kernel command line only (/etc/preseed_aliases). In a file the "
        "short name is a question of its own, which nobody asks. Where the file answers the question by its full name, "
        "too, the line only does nothing (L206).",
        "Write the question's full name.",
        failing=(Failing(b"d-i keymap select us\n", 1), Failing(b"d-i hostname string web1\n", 1)),
        passing=(
            b"d-i keyboard-configuration/xkb-keymap select us\n",
            b"d-i keyboard-configuration/xkb-keymap select us\nd-i keymap select us\n",
        ),
    ),
    Rule(
        "L206",
        Severity.WARNING,
        "A question whose answer does nothing",
        _dead_question,
        "The installer's scripts do not read it, or set it themselves before they do.",
        "Remove it; the message says what decides instead.",
        failing=(
            Failing(b"d-i partman/default_label string gpt\n", 1),
            Failing(b"d-i partman-partitioning/choose_label select gpt\n", 1),
            Failing(b"d-i keyboard-configuration/xkb-keymap select us\nd-i keymap select us\n", 2),
        ),
        passing=(b"d-i partman-partitioning/default_label string gpt\n",),
    ),
    Rule(
        "L207",
        Severity.WARNING,
        "An error message that is to be answered in advance",
        _error_message,
        "cdebconf always displays questions of the type error (database.c), at any priority and whether seen or not.",
        "Remove the line, and see to it that the error does not happen.",
        failing=(Failing(b"d-i partman-auto/no_recipe error\n", 1),),
        passing=(b"d-i finish-install/reboot_in_progress note\n",),
    ),
    Rule(
        "L208",
        Severity.NOTE,
        "A question that cannot be judged",
        _unread,
        "A package that may own it could not be read when the catalogue was made, or is none of Debian's main archive, "
        "so nothing is known of it.",
        "`domu catalogue update` makes the catalogue anew from a mirror that has the package. Most packages are not "
        "looked into: `debconf-show` lists the questions of one that is installed.",
        failing=(
            Failing(b"bind9 bind9/start-as-user string bind\n", 1),
            Failing(b"firmware-ipw2x00 firmware-ipw2x00/license/accepted boolean true\n", 1),
        ),
        passing=(
            b"postfix postfix/mailname string example.org\n",
            b"samba-common samba-common/dhcp boolean false\n",
            b"site site/role string web\nd-i preseed/late_command string debconf-get site/role >/target/etc/role\n",
        ),
    ),
    Rule(
        "L210",
        Severity.WARNING,
        "A package's question with the owner d-i",
        _kept_from_target,
        "The lines that are not d-i's are given to the installed system's debconf (post-base-installer.d/05preseed), "
        "the others are not. The package then asks, or takes its default.",
        "Write the package's name in place of d-i.",
        failing=(Failing(b"d-i tasksel/first multiselect standard\n", 1),),
        passing=(
            b"tasksel tasksel/first multiselect standard\n",
            b"d-i keyboard-configuration/xkb-keymap select us\n",
        ),
    ),
    Rule(
        "L211",
        Severity.NOTE,
        "A question of the installer's with a package for its owner",
        _dummy_in_target,
        "The installer does not look at owners. The line is given to the installed system's debconf as well, which "
        "makes up a question for it that stays there.",
        "Write d-i as the owner.",
        failing=(Failing(b"netcfg netcfg/get_hostname string web1\n", 1),),
        passing=(b"d-i netcfg/get_hostname string web1\n", b"debconf debconf/priority select critical\n"),
    ),
)  # fmt: skip
