"""profiles/media.lock: which installer build each suite and architecture is built from, pinned by digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from builder.errors import BuilderError
from builder.media.release import Digest

FORMAT = 1
_MEND = "restore it from version control, or remove it and run: domu fetch"
MediaKey = tuple[str, str]  # suite, architecture


@dataclass(frozen=True, slots=True)
class Pin:
    """One installer build: what it is called, which source it came from, and the bytes it must have."""

    version: str
    source: str  # images or package; the bytes are the same from either
    kernel_abi: str
    kernel: Digest
    initrd: Digest


def parse_lock(text: str, *, name: str) -> dict[MediaKey, Pin]:
    """Read a lock file; an empty text is an empty lock. BuilderError with file and line for anything amiss."""
    if not text.strip():
        return {}
    try:
        content = json.loads(text, object_pairs_hook=_no_key_twice)
    except json.JSONDecodeError as error:
        raise BuilderError(f"{name}:{error.lineno}:{error.colno}: is no JSON: {error.msg}", _MEND) from error
    except _DoubledError as error:
        raise BuilderError(f"{name}:{_line(text, error.key)}: {error.key} is there twice", _MEND) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("media"), dict):
        raise BuilderError(f"{name}:1: is no media lock of format {FORMAT}, the only one that this domu reads", _MEND)
    pins: dict[MediaKey, Pin] = {}
    for key, entry in content["media"].items():
        suite, slash, arch = key.partition("/")
        try:
            pin = _pin(entry)
        except (KeyError, TypeError, ValueError) as error:
            why = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise BuilderError(f"{name}:{_line(text, key)}: the entry {key} {why}", _MEND) from error
        if not (suite and slash and arch):
            raise BuilderError(f"{name}:{_line(text, key)}: {key!r} is not SUITE/ARCHITECTURE", _MEND)
        pins[suite, arch] = pin
    return pins


def render_lock(pins: Mapping[MediaKey, Pin]) -> str:
    """The lock file's text: sorted, one value per line so that a merge is readable, nothing that differs per run."""
    media = {
        f"{suite}/{arch}": {
            "version": pin.version,
            "source": pin.source,
            "kernel_abi": pin.kernel_abi,
            "kernel": {"sha256": pin.kernel.sha256, "size": pin.kernel.size},
            "initrd": {"sha256": pin.initrd.sha256, "size": pin.initrd.size},
        }
        for (suite, arch), pin in pins.items()
    }
    return json.dumps({"format": FORMAT, "media": media}, indent=2, sort_keys=True) + "\n"


def describe_change(old: Pin | None, new: Pin) -> tuple[str, ...]:
    """What an upgrade changes, one line for each thing, old -> new; nothing when both are the same build."""
    if old is None:
        return (f"pinned {new.version} (kernel {new.kernel_abi})",)
    pairs = {
        "installer": (old.version, new.version),
        "kernel": (old.kernel_abi, new.kernel_abi),
        "linux": (old.kernel.sha256[:16], new.kernel.sha256[:16]),
        "initrd.gz": (old.initrd.sha256[:16], new.initrd.sha256[:16]),
    }
    return tuple(f"{what}: {before} -> {after}" for what, (before, after) in pairs.items() if before != after)


def _pin(entry: Any) -> Pin:
    version, source, abi = (_text(entry, field) for field in ("version", "source", "kernel_abi"))
    return Pin(version, source, abi, _digest(entry, "kernel"), _digest(entry, "initrd"))


def _text(entry: Any, field: str) -> str:
    value = entry[field]
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"has {field} {value!r}, where a text is due")
    return value


def _digest(entry: Any, field: str) -> Digest:
    sha256, size = entry[field]["sha256"], entry[field]["size"]
    if not isinstance(sha256, str) or type(size) is not int:
        raise ValueError(f"has a {field} without a text sha256 and a whole number size")
    return Digest(sha256, size)


class _DoubledError(Exception):
    """A key that is there twice: a merge went wrong, and JSON would take the last in silence."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DoubledError(key)
        found[key] = value
    return found


def _line(text: str, key: str) -> int:
    """The last line that holds this key, counted from 1."""
    lines = [number for number, line in enumerate(text.splitlines(), 1) if json.dumps(key) in line]
    return lines[-1] if lines else 1
