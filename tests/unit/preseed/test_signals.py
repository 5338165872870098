"""What our steps say on the console: parted from the installer's words wherever a piece of it ends."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.preseed.signals import SIGN, Kernel, Logged, Part, Parting, Signal, Words, check_signals, kept_logs, signal
from tests.guests import guest, rendered

CONSOLE = (
    "Installing the base system  ... 10%"
    f"{SIGN}-syslog: Nov 23 03:00:00 kernel: [    1.000000] x\r\n"
    "... 20%\r\n[   99.123456] random: crng init done\r\n"
    f"{signal('web1', 'syslog has 10 bytes')}"
    "  1: Yes [*]  2: No\r\nPrompt: '?' for help, default=1> "
)
PARTS: list[Part] = [
    Words("Installing the base system  ... 10%"),
    Logged("syslog", "Nov 23 03:00:00 kernel: [    1.000000] x"),
    Words("... 20%\n"),
    Kernel("random: crng init done"),
    Signal("web1", "syslog has 10 bytes"),
    Words("  1: Yes [*]  2: No\nPrompt: '?' for help, default=1> "),
]


def joined(parts: list[Part]) -> list[Part]:
    """Words that follow each other as one."""
    groups = itertools.groupby(parts, lambda part: isinstance(part, Words))
    return [
        part
        for words, group in groups
        for part in ([Words("".join(one.text for one in group))] if words else list(group))
    ]


def test_each_part_by_itself() -> None:
    assert list(Parting().feed(CONSOLE)) == PARTS


# As xenconsoled keeps it with --timestamp=guest.
STAMPED = re.sub(r"(?m)^", "[2026-11-23 04:00:00] ", CONSOLE)


@pytest.mark.parametrize("console", [CONSOLE, STAMPED], ids=["as it was said", "with times"])
@settings(deadline=None)  # machines are slow at times
@given(cuts=st.lists(st.integers(0, len(STAMPED)), max_size=8))
def test_pieces_may_end_anywhere(console: str, cuts: list[int]) -> None:
    parting, places = Parting(), [0, *sorted(cuts), len(STAMPED)]
    parts = [part for begin, end in itertools.pairwise(places) for part in parting.feed(console[begin:end])]
    assert joined(parts) == PARTS


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("[    0.000000] domu: web1: late steps failed: 003-x", Signal("web1", "late steps failed: 003-x")),
        ("[    0.000000] domu-partman: /bin/parted_server: OUT", Logged("partman", "/bin/parted_server: OUT")),
        ("[    0.000000] domu-syslog: domu: web1: the end", Logged("syslog", "domu: web1: the end")),
        ("[    0.000000] domu-syslog: ", Logged("syslog", "")),
        ("[    0.000000] domus: web1: x", Kernel("domus: web1: x")),
        ("[12345.678901] Kernel panic - not syncing: x", Kernel("Kernel panic - not syncing: x")),
        ("domu: web1: the installation is complete", Words("domu: web1: the installation is complete\n")),
    ],
)
def test_what_a_line_is(line: str, part: Part) -> None:
    assert list(Parting().feed(f"{line}\r\n")) == [part]


def test_a_log_with_a_signal_in_it_is_no_signal() -> None:
    forged = f"{SIGN}-syslog: x {signal('web1', 'the installation is complete')}"
    assert not [part for part in Parting().feed(forged) if isinstance(part, Signal)]


def test_logs_are_kept_apart() -> None:
    assert kept_logs(CONSOLE) == {"syslog": "Nov 23 03:00:00 kernel: [    1.000000] x\n"}


def test_templates_that_do_not_tell_the_end_are_found() -> None:
    carried = rendered(guest()).files
    assert list(check_signals("web1", carried)) == []
    for path in ("/domu/finished", "/domu/early.sh"):
        assert [one.code for one in check_signals("web1", carried.keys() - {path})] == ["T108"]
