"""What drills said, for people and as plain data: when each guest was last rebuilt, and how long all of them take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from builder.plan.drill import StandIn
from builder.plan.recovery import DrillRecord, GuestReport, Report
from builder.report.durations import duration_text

_WORDS = {
    "passed": "came back in {}, as its profile says",
    "unasked": "came back in {}, and could not be asked how it is",
    "differs": "came back in {}, otherwise than its profile says",
    "failed": "did not come back; it was given up after {}",
}


def report_text(report: Report, under_way: tuple[str, ...], now: datetime) -> str:
    """A line for each guest, what the last drill found, and the whole host."""
    width = max((len(one.guest) for one in report.guests), default=0)
    lines = [line for one in report.guests for line in _guest(one, width, now)]
    if under_way:
        lines += ["", f"A drill is under way, or was cut off: {', '.join(under_way)}. domu rebuild --drill clears up."]
    lines += ["", _host(report)]
    if report.never:
        lines.append(f"Never came back in a drill: {', '.join(report.never)}. domu rebuild --drill {report.never[0]}")
    return "\n".join(lines)


def _guest(one: GuestReport, width: int, now: datetime) -> Iterator[str]:
    name = one.guest.ljust(width)
    if one.last is None:
        yield f"{name}  never drilled"
        return
    age = duration_text((now - one.last.at).total_seconds())
    yield f"{name}  {age} ago: {_outcome(one.last)}"
    if one.last.outcome == "failed" and one.good:
        good = duration_text((now - one.good.at).total_seconds())
        yield f"{' ' * width}  the last that came back: {good} ago, in {duration_text(one.good.seconds)}"
    yield from (f"{' ' * width}  {text}" for text in one.last.findings)


def _outcome(record: DrillRecord) -> str:
    return _WORDS[record.outcome].format(duration_text(record.seconds))


def _host(report: Report) -> str:
    known = len(report.guests) - len(report.never)
    if not known:
        return "How long this host takes to come back is not known: no guest came back in a drill."
    who = "all guests" if not report.never else f"{known} of {len(report.guests)} guests"
    at_once = "one after the other" if report.at_once == 1 else f"{report.at_once} at once"
    return f"{who} of this host would be back after about {duration_text(report.seconds)}, {at_once}."


def report_data(report: Report, under_way: tuple[str, ...], now: datetime) -> Mapping[str, Any]:
    """The same for `--json`; times in seconds."""
    return {
        "guests": [
            {
                "guest": one.guest,
                "age_seconds": round((now - one.last.at).total_seconds()) if one.last else None,
                "last": record_data(one.last),
                "last_good": record_data(one.good),
            }
            for one in report.guests
        ],
        "never": list(report.never),
        "at_once": report.at_once,
        "recovery_seconds": report.seconds if len(report.never) < len(report.guests) else None,
        "under_way": list(under_way),
    }


def stand_ins_text(stand_ins: Sequence[StandIn]) -> str:
    """Who is drilled, and what of a rebuild a drill does not show."""
    lines = []
    for one in stand_ins:
        lines += [
            f"{one.of}: rebuilt as {one.guest.name}; nothing of {one.of}'s own is touched. Different from a rebuild:"
        ]
        lines += [f"  - {text}" for text in one.differs]
    return "\n".join(lines)


def drill_text(records: Sequence[DrillRecord], left: Sequence[str]) -> str:
    """What came of each guest, with the time of each step, and what could not be cleared away."""
    lines = []
    for one in records:
        lines.append(f"{one.guest}: {_outcome(one)}")
        lines += [f"  {duration_text(seconds):>8}  {what}" for what, seconds in one.steps]
        lines += [f"  {text}" for text in one.findings]
    lines += [f"left of the drill: {text}" for text in left]
    lines.append(
        "domu rebuild --drill clears it away, once that is mended." if left else "Nothing of the drill is left."
    )
    return "\n".join(lines)


def drill_data(records: Sequence[DrillRecord], left: Sequence[str], *, ok: bool) -> Mapping[str, Any]:
    """The same for `--json`."""
    return {"ok": ok, "drills": [record_data(one) for one in records], "left": list(left)}


def record_data(record: DrillRecord | None) -> Mapping[str, Any] | None:
    """A drill as plain data."""
    if record is None:
        return None
    steps = [{"what": what, "seconds": seconds} for what, seconds in record.steps]
    return asdict(record) | {"at": record.at.isoformat(), "steps": steps}
