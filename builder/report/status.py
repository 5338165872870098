"""How guests stand, for people and as plain data: a row for each, then what somebody has to see to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from builder.plan.journal import Run
from builder.plan.recovery import DrillRecord
from builder.plan.status import BuildSeen, GuestStatus, RunSeen, unknown_here
from builder.report.durations import duration_text
from builder.storage.table import align
from builder.xen.doctor.fact import Fact, Known, Unknown

_UNKNOWN = "?"


def status_text(statuses: Sequence[GuestStatus], now: datetime) -> str:
    """The table, what is wrong with each guest and what to do, and what cannot be known here."""
    rows = [("guest", "built", "domain", "last run", "last drill")]
    rows += [_row(one, now) for one in statuses]
    parts = ["\n".join(align(rows))]
    parts += filter(None, ("\n".join(_trouble(one)) for one in statuses))
    if reasons := unknown_here(statuses):
        parts.append("\n".join(["? cannot be known here:", *(f"  {reason}" for reason in reasons)]))
    return "\n\n".join(parts)


def _row(one: GuestStatus, now: datetime) -> tuple[str, str, str, str, str]:
    build, drill = _built(one.build), _drill(one.drill, now)
    domain = one.domain.value if isinstance(one.domain, Known) else _UNKNOWN
    return one.guest, build, domain, _run(one.last, now), drill


def _built(build: Fact[BuildSeen]) -> str:
    if isinstance(build, Unknown):
        return _UNKNOWN
    return "no" if not build.value.there else "stale" if build.value.stale else "yes"


def _run(last: Fact[RunSeen], now: datetime) -> str:
    if isinstance(last, Unknown):
        return _UNKNOWN
    seen = last.value
    if seen.run is None or seen.since is None:
        return "never"
    ago = (now - seen.since).total_seconds()
    if seen.standing == "done":
        return f"{'removed' if seen.removal else 'ready'} since {_clock(seen.since)}, {_took(seen.run)}"
    where = f"step {seen.step} of {seen.steps}, {seen.what}"
    if seen.standing == "under way":
        left = f", about {duration_text(seen.left)} left" if seen.left is not None else ""
        return f"under way: {where}, for {duration_text(ago)}{left}"
    return f"{seen.standing} {duration_text(ago)} ago at {where}"


def _took(run: Run) -> str:
    return f"after {duration_text(seconds_of(run))}"


def seconds_of(run: Run) -> float:
    """From its beginning to the last that was written down."""
    return (run.records[-1].at - run.begun.at).total_seconds() if run.records else 0.0


def _clock(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def _drill(drill: Fact[DrillRecord | None], now: datetime) -> str:
    if isinstance(drill, Unknown):
        return _UNKNOWN
    record = drill.value
    if record is None:
        return "never"
    return f"{duration_text((now - record.at).total_seconds())} ago: {record.outcome}"


def _trouble(one: GuestStatus) -> Iterator[str]:
    told = []
    if isinstance(one.last, Known) and one.last.value.run and one.last.value.standing == "failed":
        failure = one.last.value.run.failure
        told += [failure.message] if failure else []
    if isinstance(one.build, Known) and one.build.value.stale:
        told.append(f"what is built is not what the profile says now: {one.build.value.stale}")
    if one.good and isinstance(one.last, Known) and one.last.value.run is not one.good:
        told.append(f"the last rebuild that went well ended {_clock(one.good.records[-1].at)}, {_took(one.good)}")
    if told or one.next:
        yield f"{one.guest}:"
        yield from (f"  {line}" for line in told)
        yield from (["  to do:", *(f"    {line}" for line in one.next)] if one.next else [])


def status_data(statuses: Sequence[GuestStatus]) -> Mapping[str, Any]:
    """The same for `--json`; what is not known is null, with the reason in `unknown`."""
    return {"ok": not any(one.bad for one in statuses), "guests": [_guest_data(one) for one in statuses]}


def _guest_data(one: GuestStatus) -> Mapping[str, Any]:
    facts: Mapping[str, Fact[Any]] = {"build": one.build, "domain": one.domain, "last": one.last, "drill": one.drill}
    return {
        "guest": one.guest,
        "build": {"there": build.there, "stale": build.stale} if (build := _value(one.build)) else None,
        "domain": _value(one.domain),
        "last": _last_data(last) if (last := _value(one.last)) else None,
        "last_good": {"run": one.good.id, **_end_data(one.good)} if one.good else None,
        "last_drill": _drill_data(drill) if (drill := _value(one.drill)) else None,
        "next": list(one.next),
        "unknown": {name: fact.why for name, fact in facts.items() if isinstance(fact, Unknown)},
    }


def _value(fact: Fact[Any]) -> Any:
    return fact.value if isinstance(fact, Known) else None


def _last_data(last: RunSeen) -> Mapping[str, Any]:
    failure = last.run.failure if last.run else None
    return {
        "state": last.standing,
        "run": last.run.id if last.run else None,
        "removal": last.removal,
        "step": last.step,
        "steps": last.steps,
        "what": last.what,
        "since": last.since.isoformat() if last.since else None,
        "seconds_left": None if last.left is None else round(last.left),
        "failure": {"reason": failure.reason, "message": failure.message, "hint": failure.hint} if failure else None,
    }


def _end_data(run: Run) -> Mapping[str, Any]:
    return {"at": run.records[-1].at.isoformat(), "seconds": round(seconds_of(run), 1)}


def _drill_data(record: DrillRecord) -> Mapping[str, Any]:
    return {"at": record.at.isoformat(), "outcome": record.outcome, "seconds": round(record.seconds, 1)}
