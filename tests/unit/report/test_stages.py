"""Stages of guests: lines with the time of day in a log, a row for each guest on a terminal, spans as people say them."""

from __future__ import annotations

import io
import os
import pty
import re
import threading
from datetime import datetime, timedelta
from typing import TextIO

import pytest
from rich.console import Console

from builder.progress import Silence, Stages
from builder.report.durations import duration_text, range_text
from builder.report.stages import StageBars, StageLines, stages_on

NIGHT = datetime(2026, 11, 23, 3, 59, 30)  # noqa: DTZ001 - a log's times are the machine's own


class Clock:
    """Goes on by ten seconds at each look."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> datetime:
        self.looks += 1
        return NIGHT + timedelta(seconds=10 * self.looks)


def test_a_log_has_a_line_for_each_stage_and_each_quarter() -> None:
    out = io.StringIO()
    lines: Stages = StageLines(out, Clock())
    lines.expect("web1", 1500)
    lines.stage("web1", "stop the old guest")
    lines.stage("web1", "stop the old guest")
    for percent in (0, 3, 24, 25, 40, 50, 99, 100):
        lines.stage("web1", "base system", percent)
    lines.stage("db1", "base system", 100)
    lines.expect("web1", 60)
    lines.say("the mirror did not answer: again")
    lines.stage("web1", "start")
    lines.ended("web1", "ready after 24 min", ready=True)
    assert out.getvalue().splitlines() == [
        "03:59:40 web1: stop the old guest, about 25 min left",
        "03:59:50 web1: base system (0 %)",
        "04:00:00 web1: base system (25 %)",
        "04:00:10 web1: base system (50 %)",
        "04:00:20 web1: base system (99 %)",
        "04:00:30 web1: base system (100 %)",
        "04:00:40 db1: base system (100 %)",
        "04:00:50 the mirror did not answer: again",
        "04:01:00 web1: start, about 60 s left",
        "04:01:10 web1: ready after 24 min",
    ]


def test_lines_of_many_threads_stay_whole() -> None:
    out = io.StringIO()
    lines = StageLines(out, lambda: NIGHT)

    def speak(guest: str) -> None:
        for number in range(50):
            lines.stage(guest, f"stage {number}")

    threads = [threading.Thread(target=speak, args=(f"g{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = out.getvalue().splitlines()
    assert sorted(written) == sorted(f"03:59:30 g{guest}: stage {number}" for guest in range(8) for number in range(50))


def rows(out: io.StringIO, *, blanks: int = 2) -> list[str]:
    """The rows as drawn last, without colours and without the blanks between columns."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())
    return [
        re.sub(rf" {{{blanks},}}", " ", line).strip() for line in text.replace("\r", "\n").splitlines() if line.strip()
    ]


def test_a_terminal_has_a_row_for_each_guest_which_stays_at_the_end() -> None:
    out = io.StringIO()
    now = [100.0]
    bars = StageBars(Console(file=out, force_terminal=True, width=90), lambda: now[0])
    bars.expect("web1", 1500)
    bars.stage("web1", "base [system]", 100)
    bars.stage("db1", "waiting for its turn")
    now[0] += 660
    bars.say("the mirror [did] not answer")
    bars.stop()
    web1, db1 = rows(out)[-2:]
    assert re.fullmatch(r"web1 \S+ 100 % 0:11:00 about 14 min left base \[system\]", web1)
    assert re.fullmatch(r"db1 \S+ 0:11:00 waiting for its turn", db1)
    assert "the mirror [did] not answer" in rows(out)


def test_rows_of_guests_that_ended_do_not_go_on() -> None:
    out = io.StringIO()
    now = [0.0]
    bars = StageBars(Console(file=out, force_terminal=True, width=90), lambda: now[0])
    bars.expect("web1", 30)
    bars.expect("db1", 30)
    bars.stage("web1", "install", 100)
    bars.stage("db1", "install", 40)
    now[0] = 60
    bars.ended("web1", "ready", ready=True)
    bars.ended("db1", "failed: " + "no mirror " * 30, ready=False)
    now[0] = 120
    bars.stop()
    web1, db1 = rows(out)[-2:]
    assert re.fullmatch(r"web1 \S+ 100 % 0:01:00 ready", web1)
    assert re.fullmatch(r"db1 \S+ 40 % 0:01:00 failed: .*…", db1)


def test_a_stage_without_percents_leaves_the_bar_where_it_is() -> None:
    out = io.StringIO()
    bars = StageBars(Console(file=out, force_terminal=True, width=90))
    bars.stage("web1", "install", 100)
    bars.stage("web1", "start")
    bars.stop()
    assert "━" * 15 + "╸" in rows(out)[-1]
    assert rows(out)[-1].endswith("start")


def test_what_should_be_over_is_said_so() -> None:
    out = io.StringIO()
    now = [0.0]
    bars = StageBars(Console(file=out, force_terminal=True, width=90), lambda: now[0])
    bars.expect("web1", 30)
    now[0] = 31
    bars.stop()
    assert "any moment now" in rows(out)[-1]


def test_a_pty_gets_bars_and_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("COLUMNS", "LINES", "NO_COLOR", "TTY_COMPATIBLE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    main, side = pty.openpty()
    with os.fdopen(main, "rb", buffering=0) as screen, os.fdopen(side, "w") as out:
        with pytest.raises(KeyboardInterrupt):
            interrupt(out)
        drawn = b""
        while b"\x1b[?25h" not in drawn:
            drawn += screen.read(65536)
    assert "web1" in drawn.decode()
    assert "━" in drawn.decode()
    assert "40 %" in drawn.decode()
    assert drawn.rstrip().endswith(b"\x1b[?25h"), "the cursor is shown again"


def interrupt(out: TextIO) -> None:
    with stages_on(out) as stages:
        stages.stage("web1", "install", 40)
        raise KeyboardInterrupt


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_draw_gets_lines(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    main, side = pty.openpty()
    with os.fdopen(main, "rb", buffering=0), os.fdopen(side, "w") as out, stages_on(out) as stages:
        assert isinstance(stages, StageLines)


def test_a_pipe_gets_lines() -> None:
    with stages_on(io.StringIO()) as stages:
        assert isinstance(stages, StageLines)


def test_silence_listens_to_all() -> None:
    silence: Stages = Silence()
    silence.stage("web1", "install", 3)
    silence.expect("web1", None)
    silence.ended("web1", "ready", ready=True)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (99.4, "99 s"),
        (99.6, "2 min"),
        (24 * 60 + 29, "24 min"),
        (99 * 60, "99 min"),
        (100 * 60, "1 h 40 min"),
        (2 * 3600, "2 h"),
        (47 * 3600 + 59 * 60, "47 h 59 min"),
        (48 * 3600, "2 days"),
        (30 * 86_400, "30 days"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1440, 1450, "24 min"),
        (1440, 1860, "24 to 31 min"),
        (40, 1860, "40 s to 31 min"),
        (5400, 7800, "90 min to 2 h 10 min"),
        (7200, 7800, "2 h to 2 h 10 min"),
        (2 * 86_400, 3 * 86_400, "2 to 3 days"),
    ],
)
def test_ranges(low: float, high: float, text: str) -> None:
    assert range_text(low, high) == text
