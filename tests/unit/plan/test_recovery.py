"""What drills said: records that survive, the last of each guest, and how long a whole host takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import BuilderError
from builder.plan.recovery import DrillRecord, parse_records, record_line, recovery_seconds, report
from tests.guests import guest

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
STEPS = (("create vg0/web1-drill-disk", 1.5), ("install", 900.0))
PASSED = DrillRecord("web1", NOW - timedelta(days=3), "passed", 1000.0, STEPS, ("its data is new",))
FAILED = DrillRecord("web1", NOW - timedelta(days=1), "failed", 40.0, STEPS[:1], (), ("G112: the mirror is away",))


def test_records_survive_their_file() -> None:
    text = record_line(PASSED) + record_line(FAILED)
    assert parse_records(text) == (PASSED, FAILED)


def test_a_line_that_a_crash_tore_does_not_count() -> None:
    text = record_line(PASSED) + record_line(FAILED)
    for cut in range(len(record_line(PASSED)), len(text) - 1):
        assert parse_records(text[:cut]) == (PASSED,)


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[]",
        "no JSON",
        record_line(PASSED).replace("passed", "fine").strip(),
        record_line(PASSED).replace("+00:00", "").strip(),
        record_line(PASSED).replace('"seconds"', '"minutes"').strip(),
        record_line(PASSED).replace("1000.0", '"a while"').strip(),
    ],
)
def test_what_domu_did_not_write_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(BuilderError, match="drills of web1, line 2, is not what domu writes"):
        parse_records(f"{record_line(PASSED)}{line}\n", "drills of web1")


def test_the_last_drill_counts_and_the_last_good_one_gives_the_time() -> None:
    found = report([guest(), guest({"name": "db1"})], {"web1": [PASSED, FAILED], "gone1": [PASSED]}, at_once=1)
    web1, db1 = found.guests
    assert (web1.last, web1.good) == (FAILED, PASSED)
    assert web1.age(NOW) == timedelta(days=1)
    assert (db1.last, db1.good, db1.age(NOW)) == (None, None, None)
    assert found.never == ("db1",)
    assert found.seconds == 1000.0


def test_a_guest_that_came_back_otherwise_than_its_profile_says_has_a_time_all_the_same() -> None:
    differs = replace(PASSED, outcome="differs")
    assert report([guest()], {"web1": [differs]}, at_once=1).seconds == 1000.0


TIMES: list[Any] = [
    pytest.param({}, {}, 1, 0, id="nobody"),
    pytest.param({"a": 5, "b": 7}, {}, 1, 12, id="one after the other"),
    pytest.param({"a": 5, "b": 7}, {}, 2, 7, id="both at once"),
    pytest.param({"a": 5, "b": 7, "c": 3}, {}, 2, 8, id="the third takes the first place that is free"),
    pytest.param({"a": 5, "b": 7}, {"a": ["b"]}, 2, 12, id="one waits for the other"),
    pytest.param({"a": 5, "b": 7}, {"a": ["unknown"]}, 2, 7, id="waits for one of whom nothing is known"),
    pytest.param({"a": 5, "b": 7, "c": 3}, {"b": ["a"], "c": ["b"]}, 3, 15, id="a chain"),
]


@pytest.mark.parametrize(("seconds", "after", "at_once", "whole"), TIMES)
def test_how_long_the_host_takes(
    seconds: dict[str, float], after: dict[str, list[str]], at_once: int, whole: float
) -> None:
    assert recovery_seconds(seconds, after, at_once) == whole


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 100), min_size=1), st.integers(1, 9))
def test_it_lies_between_the_longest_and_all_together(seconds: dict[str, float], at_once: int) -> None:
    whole = recovery_seconds(seconds, {}, at_once)
    total = sum(seconds.values())
    assert max(*seconds.values(), total / at_once) <= whole <= total
    assert recovery_seconds(seconds, {}, 1) == total
