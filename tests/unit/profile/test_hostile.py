"""Hostile values in every field of the model: refused with a finding in their place, or taken as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from builder.findings import Severity
from builder.profile.explain import MODELS
from builder.profile.show import profile_data
from tests.profiles import FULL, changed, load

Path = tuple[str | int, ...]
HOSTILE = {
    "newline": "a\nb",
    "newline-at-the-end": "web1\n",
    "carriage-return": "a\rb",
    "tab": "a\tb",
    "nul": "a\0b",
    "escape": "a\x1b[2Jb",
    "next-line": "a\x85b",
    "line-separator": "a\u2028b",
    "right-to-left": "a\u202eb",
    "zero-width": "a\u200bb",
    "no-break-space": "a\u00a0b",
    "backslash-at-the-end": "a\\",
    "blank-at-the-end": "a ",
    "double-quote": 'a"b',
    "single-quote": "a'b",
    "jinja": "{{ 7 * 7 }}",
    "jinja-statement": "{% for a in b %}",
    "percent": "a%sb",
    "semicolon": "a;b",
    "substitution": "$(reboot)",
    "backquotes": "`reboot`",
    "variable": "${HOME}",
    "parent": "../../etc/shadow",
    "parent-within": "/srv/../etc/shadow",
    "option": "--config=/x",
    "comma": "a,b",
    "brackets": "['a', 'b']",
    "very-long": "a" * 10_000,
    "too-long": "a" * 30_000,
    "not-ascii": "größe",
    "not-latin": "例え",
    "emoji": "🦀",
    "empty": "",
    "scope": "fe80::1%$(x)",
    "scope-and-prefix": "fe80::1%x/64",
}
# Free text: for people, for sh, for the package that asks. What is written there must be inert, which rendering tests.
FREE = {
    ("description",),
    ("users", 0, "full_name"),
    ("users", 0, "password", "command", 0),
    ("ssh_host_keys", "rsa", "command", 0),
    ("early_commands", 0),
    ("late_commands", 0, "run"),
    ("ready", "command", 0),
    ("after", 0, "command", 0),
    ("debconf", 0, "value"),
}
# In free text, too, these end the line, or show something else than what is there.
NEVER = {
    name for name, text in HOSTILE.items() if not text.isprintable() or text != text.strip() or text.endswith("\\")
}
# Sound values of some fields, hostile as they look.
FITTING: dict[str, set[Path]] = {
    "empty": {("cpus",), ("domain",), *FREE}
    - {("early_commands", 0), ("late_commands", 0, "run"), ("ready", "command", 0), ("after", 0, "command", 0)},
    **{
        name: {("kernel_args", 0)}
        for name in ("percent", "option", "comma", "parent", "parent-within", "scope-and-prefix")
    },
    "very-long": {("early_commands", 0), ("late_commands", 0, "run")},
}


def fields(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every single value of a profile."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from fields(below, (*path, key))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from fields(below, (*path, number))
    else:
        yield path


def at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


PATHS = [path for path in fields(dict(FULL)) if path != ("users", 2, "password", "hash")]


def test_the_profile_used_here_has_every_field_of_the_model() -> None:
    present = {
        tuple(part for part in path[:length] if isinstance(part, str))
        for path in fields(dict(FULL))
        for length in range(1, len(path) + 1)
    }
    wanted = {(*path, name) for path, model in MODELS.items() for name in model.model_fields}
    # Each user of FULL gives the password another way, root gives one; recipe and partitions exclude each other, and so do
    # a port and a command.
    wanted -= {("root", "password", name) for name in ("hash", "env", "command")}
    wanted -= {("users", "password", "file"), ("disk", "recipe"), ("ready", "port")}
    kinds, ways = ("ed25519", "ecdsa", "rsa"), ("file", "env", "command")
    wanted -= {
        ("ssh_host_keys", kind, way) for kind, used in zip(kinds, ways, strict=True) for way in ways if way != used
    }
    assert wanted - present == set()


# Free text that is refused all the same: a full name is a field of the password file.
REFUSED: dict[Path, set[str]] = {("users", 0, "full_name"): {"comma", "brackets", "scope", "scope-and-prefix"}}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values_are_refused_or_taken_as_they_are(name: str) -> None:
    text = HOSTILE[name]
    fitting = FREE | FITTING.get(name, set())
    for path in PATHS:
        loaded = load(changed(FULL, path, text))
        errors = [finding for finding in loaded.findings if finding.severity is Severity.ERROR]
        if errors:
            assert not loaded.guests, path
            assert path not in FREE or name in NEVER | REFUSED.get(path, set()) or len(text) > 500 or not text, path
            assert all(finding.place.line for finding in errors), path
            assert all((finding.message + finding.hint).isprintable() for finding in errors), path
        else:
            assert path in fitting, path
            assert name not in NEVER, path
            assert at(profile_data(loaded.guests[0]), path) == text, path


@pytest.mark.parametrize("value", [None, [], {}, [[]], {"a": "b"}, -1, 10**17, True], ids=repr)
def test_values_of_another_shape_are_refused(value: Any) -> None:
    for path in PATHS:
        sound = at(dict(FULL), path)
        answer = path == ("debconf", 0, "value") and isinstance(value, int)
        if type(value) is not type(sound) and not answer:
            loaded = load(changed(FULL, path, value))
            assert loaded.guests == (), path
            assert loaded.findings, path
