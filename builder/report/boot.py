"""How a guest is started, for people and as plain data."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from builder.findings import Finding
from builder.profile.model import Guest
from builder.report.findings import finding_data
from builder.storage.table import align
from builder.xen.boot import Choice
from builder.xen.boot_facts import BootFacts
from builder.xen.boot_matrix import METHODS, NEEDS, Outcome, Verdict

WORDS: Mapping[Outcome, str] = {"works": "works", "caveat": "works, but", "cannot": "cannot"}
_WIDTH = 100


def boot_text(guest: Guest, choice: Choice, advice: str, *, dom0: bool, seen: str) -> str:
    """The choice, what it is based on, every method with its verdict, and what the chosen one needs."""
    lines = [f"{guest.name} ({guest.type}, {guest.suite}): {_chosen(guest, choice)}", ""]
    lines += align(
        [
            ("kernel", choice.kernel.described, f"({choice.kernel.origin})"),
            ("dom0", f"Xen {xen_text(choice.facts)}", f"({choice.facts.xen.origin})"),
        ]
    )
    if not dom0:
        lines.append(f"This machine is no dom0: {seen}.")
    lines.append("")
    for verdict in choice.verdicts:
        mark = "*" if verdict is choice.chosen else " "
        lines += _paragraph(f"{mark} {verdict.method:<8}  {WORDS[verdict.outcome]:<10}  ", _reason(verdict))
    if choice.chosen:
        lines += ["", *_needs(choice.chosen, choice.facts)]
        if choice.chosen.assumed:
            lines.append("")
            lines += _paragraph("Nobody looked at: ", "; ".join(choice.chosen.assumed) + ".")
    if advice:
        lines += ["", *_paragraph("Advice: ", f"{advice}.")]
    return "\n".join(lines)


def boot_data(
    guest: Guest, choice: Choice, advice: str, *, findings: Iterable[Finding], dom0: bool, seen: str
) -> Mapping[str, Any]:
    """The same as JSON has it; `method` is null where `auto` knows none."""
    facts = choice.facts
    return {
        "guest": guest.name,
        "type": guest.type,
        "suite": guest.suite,
        "arch": guest.arch,
        "method": choice.chosen.method if choice.chosen else None,
        "why": choice.why,
        "methods": [_verdict_data(verdict) for verdict in choice.verdicts],
        "kernel": {
            "compression": choice.kernel.compression,
            "version": choice.kernel.version,
            "origin": choice.kernel.origin,
        },
        "dom0": {
            "is_this_machine": dom0,
            "seen": seen,
            "xen": {"value": xen_text(facts), "origin": facts.xen.origin},
            "has": {need: {"value": told.value, "origin": told.origin} for need, told in sorted(facts.has.items())},
            "unpacks": {"value": sorted(facts.unpacks.value), "origin": facts.unpacks.origin},
        },
        "advice": advice,
        "findings": [*map(finding_data, findings)],
    }


def xen_text(facts: BootFacts) -> str:
    """As 4.17."""
    return ".".join(map(str, facts.xen.value))


def _chosen(guest: Guest, choice: Choice) -> str:
    if choice.chosen is None:
        return choice.why
    by = "as its profile says" if guest.bootloader != "auto" else "the best way that there is for it"
    return f"{choice.chosen.method}, {by}"


def _verdict_data(verdict: Verdict) -> Mapping[str, Any]:
    boot = METHODS[verdict.method]
    return {
        "method": verdict.method,
        "outcome": verdict.outcome,
        "why": verdict.why,
        "hint": verdict.hint,
        "kernel_hook": verdict.hook,
        "config": {key: value for key, value in (("kernel", boot.kernel), ("bootloader", boot.bootloader)) if value},
        "needs_of_dom0": list(verdict.way.dom0),
        "needs_of_guest": list(verdict.way.guest),
        "assumed": list(verdict.assumed),
        "source": verdict.way.source,
    }


def _reason(verdict: Verdict) -> str:
    return f"{verdict.why}; {verdict.hint}" if verdict.hint else verdict.why


def _needs(verdict: Verdict, facts: BootFacts) -> Iterator[str]:
    in_guest = [*verdict.way.guest, *(["the kernel hook, and zstd for it"] if verdict.hook else [])]
    in_dom0 = [f"{NEEDS[need][0]}{'' if facts.has[need].value else ' - MISSING'}" for need in verdict.way.dom0]
    told = ", which the preseed sees to" if in_guest else ""
    yield from _paragraph("In the guest it needs: ", ("; ".join(in_guest) or "nothing") + f"{told}.")
    yield from _paragraph("In dom0 it needs: ", ("; ".join(in_dom0) or "nothing but Xen") + ".")


def _paragraph(head: str, text: str) -> list[str]:
    indent = " " * (len(head) if len(head) < 30 else 4)
    return textwrap.wrap(head + text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
