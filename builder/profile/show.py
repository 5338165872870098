"""A resolved profile as YAML that loads again, and beside each value where it was set."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from builder.findings import Place
from builder.profile.explain import path_text
from builder.profile.model import Guest

# Text that every YAML reader takes for this very text without quotes. Words that may mean something else get quotes.
_PLAIN = re.compile(
    r"[A-Za-z/][A-Za-z0-9_./@+-]*(?:[ :=][A-Za-z0-9_./@+-]+)*"
    r"|[1-9][0-9]*[KMGTB%]"  # sizes and percentages
    r"|[0-9]+(?:\.[0-9]+){3}(?:/[0-9]+)?",  # IPv4
    re.ASCII,
)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def profile_data(guest: Guest) -> dict[str, Any]:
    """The profile as plain data: what is not given at all is left out, secrets are `Secret(...)`."""
    return guest.model_dump(mode="json", exclude_none=True)


def derived_data(guest: Guest) -> dict[str, Any]:
    """What follows from the profile without standing in it."""
    return {
        "fqdn": guest.fqdn,
        "macs": list(guest.macs),
        "uuid": guest.domain_uuid,
        "memory_for_install": str(guest.memory_for_install),
        "volumes": [f"{guest.volume_group}/{guest.disk_volume}"]
        + [f"{guest.volume_group}/{guest.volume_name(volume)}" for volume in guest.volumes],
    }


def yaml_lines(data: Mapping[str, Any]) -> list[str]:
    """Plain data as lines of YAML that every reader takes for the same."""
    return [text for text, _path in _lines(data, (), 0)]


def profile_text(guest: Guest, origins: Mapping[str, Place] | None = None) -> str:
    """The profile as YAML; with `origins`, each value is followed by `# file:line:column` or `# default`."""
    lines = list(_lines(profile_data(guest), (), 0))
    if origins is None:
        return "".join(f"{text}\n" for text, _ in lines)
    width = min(60, max(len(text) for text, path in lines if path))
    why = why_data(guest, origins)
    return "".join(f"{text:<{width}}  # {why[path]}\n" if path else f"{text}\n" for text, path in lines)


def why_data(guest: Guest, origins: Mapping[str, Place]) -> dict[str, str]:
    """Path of each value -> the place that set it, or `default`."""
    paths = [path for _, path in _lines(profile_data(guest), (), 0) if path]
    return {path: _why(path, origins) for path in paths}


def _why(path: str, origins: Mapping[str, Place]) -> str:
    if path in origins:
        return str(origins[path])
    # A value written in short (`password: $y$...`, a late command) is set where the whole is; `name` has no line.
    around = path.rpartition(".")[0]
    short = path.endswith((".run", ".hash")) and around in origins
    return str(origins[around]) if short else "from the file's name" if path == "name" else "default"


def _lines(value: Any, path: tuple[str | int, ...], depth: int) -> Iterator[tuple[str, str]]:
    """Lines of YAML, each with the path of the value it holds, or none."""
    indent = "  " * depth
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _entry(f"{indent}{key}:", below, (*path, key), depth)
        return
    for number, item in enumerate(value):
        if isinstance(item, Mapping):
            rows = list(_lines(item, (*path, number), depth + 1))
            yield f"{indent}- {rows[0][0].lstrip()}", rows[0][1]
            yield from rows[1:]
        else:
            yield f"{indent}- {_scalar(item)}", path_text((*path, number))


def _entry(head: str, value: Any, path: tuple[str | int, ...], depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping | list) and value:
        yield head, ""
        yield from _lines(value, path, depth + 1)
    elif isinstance(value, Mapping | list):
        yield f"{head} {'{}' if isinstance(value, Mapping) else '[]'}", path_text(path)
    else:
        yield f"{head} {_scalar(value)}", path_text(path)


def _scalar(value: str | int | bool) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # JSON's strings are YAML's double-quoted ones.
    return json.dumps(value, ensure_ascii=False)
