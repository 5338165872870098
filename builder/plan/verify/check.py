"""A check is a row: what is compared, how, and what its finding means. What a guest says is shown safely, in short."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from builder.findings import Finding, Severity
from builder.plan.verify.facts import GuestFacts
from builder.profile.dom0 import NO_DOM0, Dom0
from builder.profile.model import Guest
from builder.profile.private_key import PublicKey
from builder.xen.doctor.fact import UnclearError
from builder.xen.readings import Domain

_LONGEST = 400  # signs of a message
_MANY = 8  # names in a message


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall be: the guest's profile, its dom0's, and the SSH host keys that are its own."""

    guest: Guest
    dom0: Dom0 = NO_DOM0
    host_keys: tuple[PublicKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Runs:
    """What is: the domain as dom0 sees it (None: not looked at), and what the guest tells (None: not asked)."""

    domain: Domain | None
    facts: GuestFacts | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A finding without its code, which the row has."""

    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR


Compare = Callable[[Wish, Runs], Iterator[Difference]]


@dataclass(frozen=True, slots=True)
class Check:
    """A row. `looks_at`, `wants` and `mend` are its documentation; `asks`: whom."""

    code: str
    subject: str
    asks: str  # dom0 or guest
    looks_at: str
    wants: str
    mend: str
    compare: Compare


def examine(wish: Wish, runs: Runs, checks: Sequence[Check]) -> Iterator[Finding]:
    """Every finding of these checks. A fact that a check needs and that is unknown is a finding, too: W104."""
    name = wish.guest.name
    for check in checks:
        if (runs.domain if check.asks == "dom0" else runs.facts) is None:
            continue
        try:
            for one in check.compare(wish, runs):
                yield safe(Finding(check.code, one.message, one.hint, severity=one.severity, guest=name))
        except UnclearError as unclear:
            message = f"{check.subject} cannot be compared: {unclear.why}"
            yield safe(Finding("W104", message, f"look at: {check.looks_at}", guest=name))


def safe(finding: Finding) -> Finding:
    """With what a terminal could obey spelt out, and no longer than a person reads."""
    return replace(finding, message=_shown(finding.message), hint=_shown(finding.hint))


def _shown(text: str) -> str:
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in short)


def some(names: Collection[str]) -> str:
    """`a, b and 3 more`, sorted."""
    listed = sorted(names)[:_MANY]
    more = len(names) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more else "")


def warn(message: str, hint: str = "") -> Difference:
    """Worth a look; a rebuild is not refused for it, nor a comparison failed."""
    return Difference(message, hint, Severity.WARNING)


def note(message: str, hint: str = "") -> Difference:
    """Good to know."""
    return Difference(message, hint, Severity.NOTE)
