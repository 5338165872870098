"""Ways of doing the same thing, timed in turns within one run: what else the machine does hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median


def paired(ways: Mapping[str, Callable[[], object]], rounds: int, counts: Mapping[str, int] | None = None) -> str:
    """A Markdown table: median seconds of each way over `rounds`, and how many times as fast as the first it is.

    Where a way does several things at once, `counts` says how many, and the figures are for one of them.

    That ratio is the median of those within each round, whose order shifts by one from round to round. One round before the
    first warms the caches and is not counted.
    """
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            begin = time.perf_counter()
            ways[name]()
            if turn:
                seconds[name].append((time.perf_counter() - begin) / (counts or {}).get(name, 1))
    first = seconds[names[0]]
    rows = [
        (name, median(took), median(one / other for one, other in zip(first, took, strict=True)))
        for name, took in seconds.items()
    ]
    each = " for each" if counts else ""
    lines = [f"| way | median of {rounds}, s{each} | times as fast as the first |", "|---|---:|---:|"]
    lines += [f"| {name} | {took:.{4 if counts else 3}f} | {ratio:.2f} |" for name, took, ratio in rows]
    return "\n".join(lines)
