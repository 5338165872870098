"""The boot matrix as a page of documentation: docs/boot-matrix.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from builder.profile.model import Suite
from builder.report.boot import WORDS
from builder.xen.boot_facts import XEN_OF, assumed_facts, usual_unpacks
from builder.xen.boot_matrix import AUTO, HOOK_READS, NEEDS, PVGRUB_READS, WAYS, Way, judge
from builder.xen.kernel import USUAL, Compression

Boot = Mapping[str, Any]
_MARKED = re.compile(r"(?P<mark><!-- (?P<name>[a-z]+) -->)\n.*?<!-- end -->", re.DOTALL)


def matrix_page(text: str, boots: Sequence[Boot]) -> str:
    """The page with its tables made anew, each between `<!-- NAME -->` and `<!-- end -->`.

    `boots` are the lab's (tests/data/lab-boots.json). KeyError for a mark that names no table.
    """
    tables = {
        "matrix": _matrix(boots),
        "compressions": _compressions(),
        "needs": _table(("dom0 must have", "or else"), NEEDS.values()),
        "boots": _boots(boots),
    }
    return _MARKED.sub(lambda match: "\n".join([match["mark"], "", *tables[match["name"]], "", "<!-- end -->"]), text)


def _matrix(boots: Sequence[Boot]) -> list[str]:
    rows = []
    for way in WAYS.values():
        for suite in get_args(Suite):
            verdict = judge(way, "amd64", USUAL[suite], assumed_facts())
            chosen = AUTO["amd64", way.kind] == way.method
            name = f"**{way.method}**" if chosen else way.method
            hook = " (with the hook)" if verdict.hook else ""
            why = verdict.why.replace(USUAL[suite].described, f"{suite}'s kernel ({USUAL[suite].compression})")
            booted = "; ".join(_booted(boot) for boot in boots if _is_of(boot, way, suite)) or "not booted yet"
            rows.append((way.kind, suite, name, WORDS[verdict.outcome] + hook, why, booted))
    return _table(("type", "suite", "method", "verdict", "why", "booted in the lab"), rows)


def _is_of(boot: Boot, way: Way, suite: Suite) -> bool:
    return (boot["type"], boot["suite"], boot["method"]) == (way.kind, suite, way.method) and boot["result"] == "booted"


def _booted(boot: Boot) -> str:
    hook = ", hook" if boot["hook"] else ""
    return f"{boot['date']}, Xen {boot['xen']}{hook}: {boot['seconds']} s"


def _compressions() -> list[str]:
    """Which reader takes which kernel."""
    readers = {
        "GRUB for PV guests": PVGRUB_READS,
        "the same, with the hook": PVGRUB_READS | HOOK_READS,
        **{
            f"libxenguest of Xen {major}.{minor} ({suite}'s)": usual_unpacks((major, minor)).value
            for suite, (major, minor) in XEN_OF.items()
        },
        "GRUB for PVH guests, BIOS: the kernel itself": frozenset(get_args(Compression)),
    }
    names: tuple[str, ...] = get_args(Compression)
    rows = [(reader, *("yes" if name in reads else "-" for name in names)) for reader, reads in readers.items()]
    return _table(("reads", *names), rows)


def _boots(boots: Sequence[Boot]) -> list[str]:
    """Every boot, the failed ones, too, with the line that decided."""
    if not boots:
        return ["None is recorded yet."]
    head = ("date", "Xen", "dom0", "guest", "kernel", "method", "hook", "result", "after", "the console's line")
    rows = [
        (
            boot["date"],
            boot["xen"],
            boot["dom0"],
            f"{boot['type']} {boot['suite']}",
            f"{boot['kernel']} ({boot['compression']})",
            boot["method"],
            "yes" if boot["hook"] else "-",
            boot["result"],
            f"{boot['seconds']} s",
            f"`{boot['line'].strip()}`",
        )
        for boot in boots
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in (head, ["---"] * len(head), *rows)]
    return [f"| {' | '.join(row)} |" for row in cells]
