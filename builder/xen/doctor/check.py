"""A check is a row: what it is about, what it looks at, and how it judges. `examine` runs a table of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from builder.xen.doctor.fact import Known, UnclearError
from builder.xen.doctor.facts import Dom0Facts
from builder.xen.doctor.fixes import Fix
from builder.xen.doctor.needs import Needs


class Verdict(IntEnum):
    """The order is the order of display."""

    WRONG = 0
    WARN = 1
    UNKNOWN = 2
    OK = 3

    @property
    def word(self) -> str:
        """`wrong`, `warn`, `unknown` or `ok`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A line of the answer. `mend`: lines to paste, as root; `fix`: the same where `--fix` can do it."""

    verdict: Verdict
    message: str
    mend: tuple[str, ...] = ()
    fix: Fix | None = None
    code: str = ""
    subject: str = ""


_NO_DOM0 = "only a dom0 can tell"
Judge = Callable[[Dom0Facts, Needs], Iterable[Diagnosis]]


@dataclass(frozen=True, slots=True)
class Check:
    """A row; `looks_at`, `trouble` and `mend` are its documentation. `only_dom0`: not asked where there is no Xen."""

    code: str
    subject: str
    looks_at: str
    trouble: str
    mend: str
    judge: Judge
    only_dom0: bool = False


def ok(message: str) -> Diagnosis:
    """All is well, and what was seen."""
    return Diagnosis(Verdict.OK, message)


def warn(message: str, *mend: str, fix: Fix | None = None) -> Diagnosis:
    """It works, and will not always."""
    return Diagnosis(Verdict.WARN, message, mend, fix)


def wrong(message: str, *mend: str, fix: Fix | None = None) -> Diagnosis:
    """Something that the site needs does not work."""
    return Diagnosis(Verdict.WRONG, message, mend, fix)


def unknown(why: str, *mend: str) -> Diagnosis:
    """It cannot be known here, and why."""
    return Diagnosis(Verdict.UNKNOWN, why, mend)


def examine(facts: Dom0Facts, needs: Needs, checks: Sequence[Check]) -> tuple[Diagnosis, ...]:
    """Every answer of every check, what is worst first, otherwise in the table's order."""
    found = [one for check in checks for one in _ask(check, facts, needs)]
    return tuple(sorted(found, key=lambda one: one.verdict))


def is_host(facts: Dom0Facts) -> bool:
    """Does, or could, this machine run guests: it is Domain-0, or Xen is installed and was not started."""
    is_dom0 = isinstance(facts.role, Known) and facts.role.value.dom0
    return is_dom0 or (isinstance(facts.images, Known) and bool(facts.images.value))


def _ask(check: Check, facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    try:
        answers = [unknown(_NO_DOM0)] if check.only_dom0 and not is_host(facts) else [*check.judge(facts, needs)]
    except UnclearError as unclear:
        hint = () if facts.is_root else ("sudo domu doctor",)
        answers = [unknown(unclear.why, *hint)]
    for answer in answers:
        yield replace(answer, code=check.code, subject=check.subject)
