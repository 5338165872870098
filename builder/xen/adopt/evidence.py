"""What an adoption goes by, and what it makes of each field: a value with its source, or why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from builder.errors import BuilderError
from builder.findings import Finding, Findings, Place, Severity
from builder.profile.dom0 import NO_DOM0, Dom0
from builder.storage.facts import StorageFacts
from builder.xen.xlcfg import Setting, XlConfig


class Certainty(StrEnum):
    """How sure a value is. LIKELY: it follows from what is usual; UNKNOWN: the site or the default has the say."""

    KNOWN = "known"
    LIKELY = "likely"
    UNKNOWN = "cannot be known"


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a profile. `value` is plain data, as YAML has it; `gaps` are parts of it that are not known."""

    field: str
    value: Any
    source: str
    certainty: Certainty = Certainty.KNOWN
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of the guest `name`.

    `storage` is None where LVM could not be asked, `answers` where no log of an installer was given. `planned` is
    volumes.json of a guest that domu built. `arch`: of this dom0, as Debian names it. `autostart`: whether xendomains
    starts this very file. `dom0_path`: the folder that the config's own folder lies in, if it is called as the guest.
    `suite` and `gateway`: said by the user.
    """

    name: str
    config: XlConfig
    arch: str = "amd64"
    storage: StorageFacts | None = None
    answers: Mapping[str, str] | None = None
    planned: Mapping[str, Any] | None = None
    autostart: bool | None = None
    dom0: Dom0 = NO_DOM0
    dom0_path: str = ""
    suite: str = ""
    gateway: str = ""


@dataclass(slots=True)
class Ledger:
    """Rows and findings, as they are found."""

    evidence: Evidence
    rows: dict[str, Row] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)
    used: set[str] = field(default_factory=set)

    def know(self, name: str, value: Any, source: str, *, gaps: tuple[str, ...] = ()) -> None:
        """The field has this value; `source` says from where."""
        self.rows[name] = Row(name, value, source, Certainty.KNOWN, gaps)

    def guess(self, name: str, value: Any, source: str, *, gaps: tuple[str, ...] = ()) -> None:
        """The field most likely has this value."""
        self.rows[name] = Row(name, value, source, Certainty.LIKELY, gaps)

    def value(self, name: str) -> Any:
        """What the row has; None where there is none."""
        return self.rows[name].value if name in self.rows else None

    def setting(self, name: str) -> Setting | None:
        """A setting of the config, which counts as read from now on."""
        self.used.add(name)
        return self.evidence.config.get(name)

    def text(self, name: str) -> str:
        """Its text, or nothing."""
        found = self.setting(name)
        return (found.text or "") if found else ""

    def number(self, name: str) -> int | None:
        """Its number; what should be one and is none is a finding."""
        found = self.setting(name)
        if found and found.number is None:
            self.lose(found, f"{name} is no number")
        return found.number if found else None

    def lose(self, setting: Setting, message: str, hint: str = "", *, code: str = "A102") -> None:
        """A setting that the profile cannot keep."""
        place = Place(self.evidence.config.file, setting.line)
        hint = hint or "the guest will run without it"
        self.findings.add(Finding(code, message, hint, place, Severity.WARNING, self.evidence.name))


def fits(pattern: str, value: str, longest: int = 255) -> bool:
    """Whether a profile can have this text; fields.py has the patterns."""
    return len(value) <= longest and re.fullmatch(pattern, value, re.ASCII) is not None


def require(value: str, message: str, hint: str) -> str:
    """The value, or BuilderError: without it there is no profile."""
    if not value:
        raise BuilderError(message, hint)
    return value
