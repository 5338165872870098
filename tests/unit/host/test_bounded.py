"""The runner for what is not trusted: it hears no more than it must, and waits no longer."""

from __future__ import annotations

import pytest

from builder.errors import BuilderError
from builder.host.run import bounded, run

LARGE = bytes(range(256)) * 8192  # 2 MiB, more than any pipe holds


def test_it_gives_what_the_other_runner_gives() -> None:
    for argv in (
        ["cat"],
        ["sh", "-c", "cat; echo worse >&2; exit 3"],
        ["true"],
        ["sh", "-c", "exec <&-; sleep 0.1; echo late"],
    ):
        mine, other = bounded(10_000_000)(argv, stdin=LARGE), run(argv, stdin=LARGE)
        assert (mine.status, mine.stdout, mine.stderr) == (other.status, other.stdout, other.stderr)
    assert bounded(100)(["printenv", "CANARY"], env={"CANARY": "here"}).text == "here\n"
    assert bounded(100)(["sh", "-c", "kill -TERM $$"]).status == -15


@pytest.mark.parametrize(
    ("argv", "limit", "words"),
    [
        pytest.param(["cat", "/dev/zero"], 60, "'cat' printed more than 1000 bytes, and was ended", id="too much"),
        pytest.param(["sh", "-c", "cat /dev/zero >&2"], 60, "printed more than 1000 bytes", id="too much of errors"),
        pytest.param(["sleep", "600"], 0.2, "did not end within 0 s", id="too long"),
        pytest.param(["sh", "-c", "exec >&- 2>&- <&-; sleep 600"], 0.2, "did not end within 0 s", id="silent"),
        pytest.param(["domu-no-such-program"], 60, "is not installed", id="not there"),
        pytest.param(["/etc/passwd"], 60, "may not be run: Permission denied", id="no program"),
    ],
)
def test_what_is_too_much_or_too_long_is_ended(argv: list[str], limit: float, words: str) -> None:
    with pytest.raises(BuilderError, match=words):
        bounded(1000)(argv, limit=limit)
