"""A rebuild's journal: what is written is read back, a torn end does not count, and nothing strange is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from builder.errors import BuilderError
from builder.plan.journal import (
    Begun,
    Done,
    Ended,
    Failed,
    Record,
    Run,
    Started,
    Stopped,
    parse_journal,
    record_line,
)
from builder.plan.step_data import step_data, step_of
from builder.plan.steps import (
    ChangeVolume,
    DestroyDomain,
    Install,
    PlaceFiles,
    RunHook,
    Start,
    Step,
    StopDomain,
    Wait,
    commands_of,
    describe,
)
from builder.storage.steps import (
    ActivateVolume,
    CreateVolume,
    FinishVolume,
    GrowVolume,
    RemoveVolume,
    TagVolume,
    Target,
)
from builder.units import Size

UUID = "3f0a3c5e-1111-4222-8333-0123456789ab"
TARGET = Target("vg0", "web1-disk", "abc-def", Size(4 << 30), frozenset({"domu", "domu.guest=web1"}))
STEPS: dict[str, Step] = {
    "stop": StopDomain("web1", 3, UUID),
    "destroy": DestroyDomain("web1", 3, UUID),
    "remove": ChangeVolume("web1", RemoveVolume("web1", TARGET)),
    "create": ChangeVolume("web1", CreateVolume("web1", "vg0", "web1-disk", 4, Size(4 << 20), frozenset({"domu"}))),
    "finish": ChangeVolume("web1", FinishVolume("web1", TARGET, thin=True, wipe="zero", filesystem="xfs")),
    "grow": ChangeVolume("web1", GrowVolume("web1", TARGET, 9, Size(9 << 22), thin=False)),
    "tag": ChangeVolume("web1", TagVolume("web1", TARGET, add=frozenset({"domu.keep"}))),
    "activate": ChangeVolume("web1", ActivateVolume("web1", TARGET)),
    "files": PlaceFiles("web1", "/site/build/web1", "/var/lib/domu/web1", Size(60 << 20), replaces=True),
    "install": Install("web1", UUID, "/var/lib/domu/web1/web1.install.cfg", Size(1 << 30)),
    "start": Start("web1", UUID, "/var/lib/domu/web1/web1.cfg", Size(1 << 30)),
    "wait": Wait("web1", "192.0.2.10", 22, (), 600),
    "hook": RunHook("web1", 1, "", ("/usr/local/sbin/restore", "web1"), 3600),
}
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


BEGUN = Begun("20261123T030000Z", "web1", NOW, "key", (STEPS["files"], STEPS["install"], STEPS["wait"]))


def run(*records: Record, begun: Begun = BEGUN) -> Run:
    return parse_journal("".join(map(record_line, (begun, *records))))[0]


@pytest.mark.parametrize("name", STEPS)
def test_a_step_comes_back_as_it_was(name: str) -> None:
    step = STEPS[name]
    assert step_of(json.loads(json.dumps(step_data(step)))) == step
    assert describe(step)
    assert all(command and all(command[:1]) for command in commands_of(step))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data | {"kind": "Format"}, id="unknown step"),
        pytest.param(lambda data: data | {"speed": 1}, id="unknown key"),
        pytest.param(lambda data: {key: value for key, value in data.items() if key != "uuid"}, id="missing key"),
        pytest.param(lambda data: data | {"limit": "120"}, id="text for a number"),
        pytest.param(lambda data: data | {"limit": True}, id="flag for a number"),
        pytest.param(lambda data: data | {"memory": -1}, id="negative size"),
        pytest.param(list, id="a list"),
    ],
)
def test_a_step_of_another_shape_is_refused(change: Callable[[dict[str, object]], object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each says something else
        step_of(change(step_data(STEPS["install"])))


def test_every_record_comes_back_as_it_was() -> None:
    records = (
        Started(0, at(1)),
        Done(0, at(2)),
        Started(1, at(3), 1, {"offset": 7, "console": "web1"}),
        Stopped(at(4), "interrupted"),
        Started(1, at(5)),
        Failed(1, at(6), "mirror", "no Release file", "look at the cacher"),
        Ended(at(7), "failed"),
    )
    assert run(*records).records == records
    assert run(*records).begun == BEGUN


def test_a_torn_last_line_does_not_count() -> None:
    text = record_line(BEGUN) + record_line(Started(0, at(1)))
    for end in range(len(record_line(BEGUN)), len(text)):
        (found,) = parse_journal(text[:end])
        assert found.records == ()
    assert parse_journal(record_line(BEGUN)[:-1]) == ()
    assert parse_journal("") == ()


@pytest.mark.parametrize(
    ("records", "state", "next_step", "doubt"),
    [
        pytest.param((), "unfinished", 0, None, id="just begun"),
        pytest.param((Started(0, at(1)),), "unfinished", 0, 0, id="killed inside the first"),
        pytest.param((Started(0, at(1)), Done(0, at(2))), "unfinished", 1, None, id="killed between"),
        pytest.param(
            (Started(0, at(1)), Done(0, at(2)), Started(1, at(3))), "unfinished", 1, 1, id="killed inside the second"
        ),
        pytest.param(
            (Started(0, at(1)), Failed(0, at(2), "disk", "full")), "unfinished", 0, None, id="killed while it failed"
        ),
        pytest.param(
            (Started(0, at(1)), Failed(0, at(2), "disk", "full"), Ended(at(3), "failed")),
            "failed",
            0,
            None,
            id="failed",
        ),
        pytest.param(
            (Started(0, at(1)), Failed(0, at(2), "disk", "full"), Ended(at(3), "failed"), Started(0, at(4))),
            "unfinished",
            0,
            0,
            id="gone on with",
        ),
        pytest.param((Started(0, at(1)), Stopped(at(2), "interrupted")), "unfinished", 0, 0, id="stopped"),
        pytest.param((Started(0, at(1)), Ended(at(2), "given up")), "given up", 0, 0, id="given up"),
    ],
)
def test_how_a_run_stands(records: tuple[Record, ...], state: str, next_step: int, doubt: int | None) -> None:
    found = run(*records)
    assert (found.state, found.next_step) == (state, next_step)
    assert (found.in_doubt.step if found.in_doubt else None) == doubt


def test_a_run_that_went_well() -> None:
    records: list[Record] = []
    for step in range(3):
        records += [Started(step, at(step * 10)), Done(step, at(step * 10 + 4))]
    found = run(*records, Ended(at(30), "done"))
    assert found.state == "done"
    assert [found.seconds_of(step) for step in range(3)] == [4.0, 4.0, 4.0]


def test_the_time_of_a_step_that_was_continued_is_that_of_its_last_attempt() -> None:
    first = (Started(0, at(0), 1), Failed(0, at(5), "mirror", "gone"))
    second = (Started(0, at(10), 2), Stopped(at(20), "interrupted"), Started(0, at(50), 2), Done(0, at(60)))
    assert run(*first, *second).seconds_of(0) == 50.0
    assert run(*first).seconds_of(0) is None


def test_attempts_are_counted_since_somebody_asked() -> None:
    first = (Started(0, at(1), 1, {"offset": 7}), Failed(0, at(2), "mirror", "gone"))
    second = (Started(0, at(3), 2, {"offset": 9}), Stopped(at(4), "stopped"), Started(0, at(5), 2))
    assert run(*first).attempts == 1
    assert run(*first, *second).attempts == 2
    assert run(*first, Ended(at(3), "failed"), *second).attempts == 1
    assert run(*first, *second, Done(0, at(6))).attempts == 0
    assert run(*first, *second).first_note(0) == {"offset": 7}
    assert run(*first, *second).first_note(1) == {}


STRANGE = {
    "no JSON": "step\n",
    "a list": "[]\n",
    "an unknown record": '{"record": "paused", "at": "2026-11-23T03:00:00+00:00"}\n',
    "a key too many": record_line(Stopped(NOW, "why")).replace("}", ', "who": "me"}'),
    "a key too few": '{"record": "stopped", "why": "interrupted"}\n',
    "no time zone": '{"record": "stopped", "at": "2026-11-23T03:00:00", "why": "interrupted"}\n',
    "no time": '{"record": "stopped", "at": "yesterday", "why": "interrupted"}\n',
    "an unknown outcome": record_line(Ended(NOW, "done")).replace("done", "fine"),
    "a later step": record_line(Started(1, NOW)),
    "a step that was not started": record_line(Done(0, NOW)),
    "an end before the end": record_line(Ended(NOW, "done")),
    "a note that is none": record_line(Started(0, NOW)).replace("{}", "[]"),
    "a second begin inside": record_line(BEGUN).replace('"Install"', '"Format"'),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_domu_does_not_write_is_not_believed(name: str) -> None:
    with pytest.raises(BuilderError, match=r"line 2, is not what domu writes"):
        parse_journal(record_line(BEGUN) + STRANGE[name] + record_line(Stopped(NOW, "later")))


def test_a_journal_that_begins_in_the_middle_is_not_believed() -> None:
    with pytest.raises(BuilderError, match="line 1"):
        parse_journal(record_line(Stopped(NOW, "why")))


def test_a_run_after_another() -> None:
    second = replace(BEGUN, run="20261123T040000Z")
    text = record_line(BEGUN) + record_line(Ended(NOW, "given up")) + record_line(second)
    assert [found.state for found in parse_journal(text)] == ["given up", "unfinished"]


def test_after_its_end_nothing_more_belongs_to_a_run() -> None:
    with pytest.raises(ValueError, match="given up already"):
        run(Ended(NOW, "given up")).with_record(Started(0, NOW))
