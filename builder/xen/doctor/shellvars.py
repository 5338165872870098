"""Files of shell assignments, as /etc/default has them and xl.conf, too: read without a shell, changed line by line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Literal

_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=(?P<value>.*)", re.ASCII)


def parse_variables(text: str) -> Mapping[str, str]:
    """The value of every plain assignment by its name; the last one counts. Indented ones are in an `if`: left out.

    Substitutions stay as they are written: no shell runs.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _ASSIGNMENT.fullmatch(line)
        if match and not line[:1].isspace():
            found[match["name"]] = _first_word(match["value"])
    return found


def set_variable(text: str, name: str, value: str, *, missing: Literal["first", "last"] = "last") -> str:
    """The text with `name` set to `value`: where it was set, else below its commented line, else `missing`.

    ValueError for a value that double quotes do not hold as it is.
    """
    if re.search(r'["\\$`\n]', value):
        raise ValueError(f"{value!r} cannot stand in double quotes")
    line = f'{name}="{value}"'
    lines = text.splitlines()
    places = [at for at, old in enumerate(lines) if re.match(rf"(export\s+)?{name}\s*=", old)]
    hints = [at for at, old in enumerate(lines) if re.match(rf"#\s*{name}\s*=", old)]
    if places:
        lines[places[-1]] = line
    elif hints:
        lines.insert(hints[-1] + 1, line)
    else:
        lines.insert(0 if missing == "first" else len(lines), line)
    return "\n".join(lines) + "\n"


def _first_word(value: str) -> str:
    """What follows the sign `=`. A `#` begins a comment only behind a blank."""
    if value[:1].isspace() and value.lstrip().startswith("#"):
        return ""
    try:
        words = shlex.split(value)
    except ValueError:  # a quote that ends in a later line, or one in a comment
        return re.split(r"\s#", value)[0].strip().strip("\"'")
    return words[0] if words else ""
