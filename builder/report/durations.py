"""Spans of time as people say them."""

from __future__ import annotations


def duration_text(seconds: float) -> str:
    """`40 s`, `24 min`, `2 h 10 min`, `3 days`; rounded, never below nothing."""
    whole = max(round(seconds), 0)
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(whole / 86_400)} days"


def range_text(low: float, high: float) -> str:
    """`24 min`, or `24 min to 2 h` where both ends read otherwise; `24 to 31 min` of one unit."""
    first, last = duration_text(low), duration_text(high)
    if first == last:
        return first
    number, _, unit = first.partition(" ")
    return f"{number if last.partition(' ')[2] == unit else first} to {last}"
