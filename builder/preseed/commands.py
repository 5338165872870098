"""Shell commands in a preseed: which there are, and what can be told of one without running or parsing it whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from builder.preseed.loader import BLANKS
from builder.preseed.syntax import Entry, PreseedFile

COMMANDS = ("preseed/early_command", "partman/early_command", "preseed/include_command", "preseed/late_command")
# Words without a sign that means something to a shell; these parse whatever they are.
_PLAIN = re.compile(r"[A-Za-z0-9 ./_=,:@%+-]*")
_RESERVED = frozenset({
    "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select", "then", "time",
    "until", "while",
})  # fmt: skip
_QUOTED = re.compile(r"\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.DOTALL)
_SEPARATOR = re.compile(r"&&|\|\||[;|&(){}\n]|\$\(|`")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=\S*")
_OPENING = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "time", "exec"})
LONGEST = 20_000  # signs of a command that are looked at; those of people have a few thousand at most


def command_entries(by_question: Mapping[str, Sequence[Entry]]) -> Iterator[tuple[Entry, str]]:
    """Of the entries by question those that set commands, each with the command as the installer keeps it."""
    for name in COMMANDS:
        for entry in by_question.get(name, ()):
            yield entry, entry.value.text.rstrip(BLANKS)


def shell_scripts(file: PreseedFile) -> tuple[str, ...]:
    """The commands that a shell should be asked about, each once: not those that are plain words, nor templates."""
    settings = (entry for entry in file.entries if entry.question.text in COMMANDS and entry.type.text != "seen")
    found = (command for command in (entry.value.text.rstrip(BLANKS) for entry in settings) if not _parses(command))
    return tuple(dict.fromkeys(command for command in found if "{{" not in command and "<%" not in command))


def _parses(command: str) -> bool:
    return _PLAIN.fullmatch(command) is not None and not _RESERVED.intersection(command.split(None, 1)[:1])


def simple_commands(command: str) -> Iterator[tuple[str, ...]]:
    """The words of each simple command, without quoted text, comments, assignments and reserved words before it.

    A rough cut: good enough to see what is run, not to run it.
    """
    bare = _COMMENT.sub("", _QUOTED.sub(_blanked, command[:LONGEST]))
    for part in _SEPARATOR.split(bare):
        words = part.split()
        while words and (words[0] in _OPENING or _ASSIGNMENT.fullmatch(words[0])):
            words.pop(0)
        if words:
            yield tuple(words)


def _blanked(match: re.Match[str]) -> str:
    """In place of quoted text a sign that ends no word."""
    return "\N{FULL BLOCK}" * len(match[0])
