"""YAML text to guests and findings: layers merged, every value with the file and line that set it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceText:
    """One profile file: its name for messages, its stem (the guest's or layer's name), its bytes."""

    name: str
    stem: str
    data: bytes
