"""Rules about commands: shell that cannot be parsed, programs that are not there, output into the wrong system."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.findings import Severity
from builder.preseed.commands import command_entries, simple_commands
from builder.preseed.given import Given
from builder.preseed.rule import Failing, Problem, Rule, Subject
from builder.preseed.syntax import Entry

# Looked for in the netboot initrds of bookworm and trixie, and not there; no udeb brings them.
_TARGET_ONLY = frozenset({
    "add-apt-repository", "addgroup", "adduser", "apt", "apt-cache", "apt-get", "apt-key", "apt-mark",
    "aptitude", "bash", "chage", "chpasswd", "curl", "deluser", "dpkg", "dpkg-reconfigure", "git", "gpasswd",
    "groupadd", "groupmod", "grub-install", "hostnamectl", "locale-gen", "localectl", "passwd", "perl",
    "python", "python3", "rsync", "service", "su", "sudo", "systemctl", "tasksel", "tee", "timedatectl",
    "update-alternatives", "update-grub", "update-grub2", "update-initramfs", "update-locale", "update-rc.d",
    "useradd", "userdel", "usermod", "visudo", "which", "xargs",
})  # fmt: skip
_INSTALLER_ONLY = frozenset({"apt-install", "anna-install", "in-target", "debconf-set", "log-output"})
_PROGRAM_FOLDERS = re.compile(r"/(?:usr/)?s?bin/")
_ENDING = frozenset({"reboot", "poweroff", "halt", "shutdown"})
_RUNS_IN_TARGET = frozenset({"in-target", "chroot"})
_REDIRECTED = re.compile(r"[12]?>>?(?P<path>/\S*)?")
# What a command of the installer may well write to.
_INSTALLERS = re.compile(r"/(?:target|dev|tmp|var/log|var/run|run|mnt|media|cdrom)(?:/|$)")
# A continuation joins these to the command before them when `;` is missing.
_STARTERS = frozenset({"in-target", "apt-install", "anna-install"})
_TAKE_NO_COMMAND = frozenset({
    "anna-install", "apt-install", "chmod", "chown", "cp", "in-target", "ln", "mkdir", "mv", "rm", "touch", "wget",
})  # fmt: skip


def _commands(subject: Subject) -> Iterator[tuple[Entry, tuple[str, ...]]]:
    for entry, command in command_entries(subject.by_question):
        for words in simple_commands(command):
            yield entry, words


def _place(subject: Subject, entry: Entry, word: str) -> int:
    """The byte at which a word of the value stands, as far as it can be found, else the value's first."""
    sought = word.encode("utf-8", "surrogateescape")
    found = subject.file.data.find(sought, entry.value.start, entry.value.end)
    return found if found >= 0 else entry.value.start


def _unparsable(subject: Subject) -> Iterator[Problem]:
    for entry, command in command_entries(subject.by_question):
        if said := subject.given.shell_errors.get(command):
            message = f"the shell cannot parse this: {said}"
            yield Problem(
                entry.value.start, message, "mind that all its lines are one: no comments, ; between commands"
            )


def _program(word: str) -> str:
    return _PROGRAM_FOLDERS.sub("", word, count=1) if _PROGRAM_FOLDERS.match(word) else word


def _not_in_installer(subject: Subject) -> Iterator[Problem]:
    for entry, words in _commands(subject):
        if (program := _program(words[0])) in _TARGET_ONLY:
            message = f"the installer has no {program}"
            late = entry.question.text == "preseed/late_command"
            hint = f"write in-target {program}" if late else "do this in preseed/late_command, with in-target"
            yield Problem(_place(subject, entry, words[0]), message, hint)


def _not_in_target(subject: Subject) -> Iterator[Problem]:
    for entry, words in _commands(subject):
        inner = words[1:2] if words[0] == "in-target" else words[2:3] if words[0] == "chroot" else ()
        for program in _INSTALLER_ONLY.intersection(inner):
            message = f"{program} is a program of the installer, not of the installed system"
            yield Problem(_place(subject, entry, words[0]), message, f"leave out {words[0]} before {program}")


def _written_here(subject: Subject) -> Iterator[Problem]:
    for entry, words in _commands(subject):
        if words[0] not in _RUNS_IN_TARGET:
            continue
        for word, following in zip(words, (*words[1:], ""), strict=True):
            match = _REDIRECTED.fullmatch(word)
            path = (match["path"] or following) if match else ""
            if path.startswith("/") and not _INSTALLERS.match(path):
                message = f"the installer's own {path} is written, not the installed system's"
                hint = f"write to /target{path}, or put it in quotes: in-target sh -c '... >{path}'"
                yield Problem(_place(subject, entry, path), message, hint)
                break


def _glued(subject: Subject) -> Iterator[Problem]:
    for entry, words in _commands(subject):
        later = words[2:] if words[0] in _TAKE_NO_COMMAND else ()  # the word behind in-target is another rule's
        if second := next((word for word in later if word in _STARTERS), None):
            message = f"{second} is an argument of {words[0]} here: nothing ends the command before it"
            yield Problem(_place(subject, entry, words[0]), message, f"put ; or && before {second}")


def _ends_installer(subject: Subject) -> Iterator[Problem]:
    for entry, words in _commands(subject):
        if _program(words[0]) in _ENDING and entry.question.text == "preseed/late_command":
            message = (
                f"{words[0]} ends the installer before it has finished: logs, network and disks are left as they are"
            )
            hint = "write: d-i debian-installer/exit/poweroff boolean true"
            yield Problem(_place(subject, entry, words[0]), message, hint)


_LATE = b"d-i preseed/late_command string "

RULES = (
    Rule(
        "L601",
        Severity.ERROR,
        "A command that the shell cannot parse",
        _unparsable,
        "Nothing of it runs, and the installer shows preseed/command_failed, an error. `sh -n` is asked, which parses "
        "and does not run; the installer's shell is of the same family.",
        "Mend quotes and brackets. All lines of the value are joined by blanks, so every command needs its `;`.",
        failing=(Failing(_LATE + b"if true; then echo x\n", 1),),
        passing=(_LATE + b"if true; then echo x; fi\n",),
        given=Given(shell_errors={"if true; then echo x": "Syntax error: end of file unexpected"}),
    ),
    Rule(
        "L602",
        Severity.WARNING,
        "A program that the installer does not have",
        _not_in_installer,
        "Commands run in the installer, a small system of busybox. What belongs to the installed system, in /target, "
        "is run by `in-target`, or by `chroot /target`.",
        "Write in-target before it.",
        failing=(
            Failing(_LATE + b"apt-get update\n", 1),
            Failing(_LATE + b"cp /x /target/x; \\\n  update-grub\n", 2),
            Failing(b"d-i preseed/early_command string curl http://a.example.org/\n", 1),
        ),
        passing=(
            _LATE + b"in-target apt-get update && chroot /target update-grub\n",
            _LATE + b"in-target sh -c 'apt-get update; systemctl enable x'\n",
        ),
    ),
    Rule(
        "L603",
        Severity.WARNING,
        "A program that the installed system does not have",
        _not_in_target,
        "apt-install, anna-install and in-target itself are the installer's.",
        "Leave out in-target or chroot.",
        failing=(Failing(_LATE + b"in-target apt-install vim\n", 1),),
        passing=(_LATE + b"apt-install vim; in-target apt-get -y install vim\n",),
    ),
    Rule(
        "L604",
        Severity.WARNING,
        "Output into the installer's own files",
        _written_here,
        "The installer's shell sees to `>` before in-target runs, so the file is one of the installer's, and gone with "
        "it.",
        "Write to /target/..., or have a shell in the target do it.",
        failing=(Failing(_LATE + b"in-target echo x > /etc/motd\n", 1),),
        passing=(
            _LATE + b"in-target echo x >/target/etc/motd\n",
            _LATE + b"in-target sh -c 'echo x >/etc/motd'; in-target true >/dev/null\n",
        ),
    ),
    Rule(
        "L605",
        Severity.ERROR,
        "Two commands glued into one",
        _glued,
        "The lines of a value are joined by blanks, not by newlines: without `;` or `&&` the second command becomes "
        "arguments of the first.",
        "End each command but the last in `;` or `&&`.",
        failing=(Failing(_LATE + b"in-target apt-get update \\\n  in-target apt-get -y install vim\n", 1),),
        passing=(_LATE + b"in-target apt-get update; \\\n  in-target apt-get -y install vim\n",),
    ),
    Rule(
        "L606",
        Severity.WARNING,
        "A command that ends the installer",
        _ends_installer,
        "preseed/late_command runs as 07preseed of finish-install.d. What comes after it (the network's configuration, "
        "the logs, unmounting) does not happen.",
        "Let the installer end itself: `d-i debian-installer/exit/poweroff boolean true`.",
        failing=(Failing(_LATE + b"in-target true; poweroff\n", 1),),
        passing=(_LATE + b"in-target true\nd-i debian-installer/exit/poweroff boolean true\n",),
    ),
)
