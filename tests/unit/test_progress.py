"""Progress: plain lines in a log, bars on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from builder.report.progress import Lines, Terminal, progress_on


def test_a_log_gets_a_line_at_each_end() -> None:
    out = io.StringIO()
    lines = progress_on(out)
    assert isinstance(lines, Lines)
    lines.start("initrd.gz", 2048, done=1024)
    lines.advance(1024)
    lines.finish()
    assert out.getvalue() == "initrd.gz (2.0 KiB): resuming\ninitrd.gz: 2.0 KiB received\n"


def test_a_terminal_gets_a_bar_and_keeps_what_was_said() -> None:
    out = io.StringIO()
    bars = Terminal(Console(file=out, force_terminal=True, width=100))
    bars.start("initrd.gz", 10)
    bars.say("the cacher's copy was [broken]")
    bars.advance(10)
    bars.finish()
    assert "initrd.gz" in out.getvalue()
    assert "the cacher's copy was [broken]" in out.getvalue()
