"""What an installation was answered, as its own records have it: cdebconf's questions.dat, or debconf-get-selections.

Passwords are dropped while reading, so nothing behind this door has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from builder.errors import BuilderError

# Commands may hold passwords, too, and are told of, not repeated; see `SEEN_ONLY`.
_SECRET = re.compile(
    r"passw(?:or)?d(?!/(?:make|root-login|user))|passphrase|crypted|wireless_wep|wireless_wpa|secret|token",
    re.IGNORECASE,
)
SEEN_ONLY = frozenset(
    {"preseed/early_command", "preseed/late_command", "partman/early_command", "preseed/url", "preseed/file"}
)
_STANZA_KEY = re.compile(r"([A-Za-z-]+):(?: (.*))?", re.ASCII)
_SELECTION = re.compile(r"(\S+)[ \t]+(\S+/\S+)[ \t]+(\w+)(?:[ \t](.*))?", re.ASCII)
_NOT = (
    "give cdebconf/questions.dat of the guest's /var/log/installer, or the output of debconf-get-selections --installer"
)


def read_answers(text: str, name: str) -> Mapping[str, str]:
    """Question -> answer, of either form. Secret ones are missing; of SEEN_ONLY the answer is empty.

    BuilderError where the text is neither.
    """
    pairs = list(_stanzas(text, name) if re.search(r"^Name: ", text, re.MULTILINE) else _selections(text, name))
    if not pairs:
        raise BuilderError(f"{name} has no answers of an installer in it", _NOT)
    return {question: "" if question in SEEN_ONLY else value for question, value in pairs if not is_secret(question)}


def is_secret(text: str) -> bool:
    """Whether a question, or a word of a command line, is named like a secret."""
    return bool(_SECRET.search(text))


def _stanzas(text: str, name: str) -> Iterator[tuple[str, str]]:
    """By cdebconf's rfc822db (rfc822db.c): stanzas with Name and Value; a backslash and n is a newline."""
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        for line in stanza.strip("\n").splitlines():
            if line.startswith((" ", "\t")):
                continue  # goes on with Variables:, which nobody asks for here
            match = _STANZA_KEY.fullmatch(line)
            if match is None:
                raise BuilderError(f"{name} has a line that is not understood", _NOT)  # which may hold a secret
            fields[match[1]] = match[2] or ""
        if "Name" in fields and "Value" in fields:
            yield fields["Name"], fields["Value"].replace("\\n", "\n")


def _selections(text: str, name: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _SELECTION.fullmatch(line)
        if match is None:
            raise BuilderError(f"line {number} of {name} is no selection of debconf", _NOT)
        yield match[2], (match[4] or "").strip()
