"""Scripts that sh cannot parse are told from those it can, and none is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host.run import Completed
from builder.host.shell import unparsable


@pytest.mark.parametrize(
    ("script", "line", "said"),
    [
        pytest.param("true\nif true; then\n", None, 'expecting "fi"', id="an if without its end"),
        pytest.param("echo don't", None, "nterminated quoted string", id="an apostrophe"),
        pytest.param("echo a; }\necho b", 1, '"}" unexpected', id="a brace too many"),
        pytest.param("true\nrm x & &\n", 2, '"&" unexpected', id="two ampersands"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(script: str, line: int | None, said: str) -> None:
    error = unparsable([script])[script]
    assert said in error.text
    assert line is None or error.line == line


@pytest.mark.parametrize(
    "script", ["", "true", "set -e\ncat <<'E'\nif $(\nE\n", "echo \udcff", "exit 3", "set +n\ntrue"]
)
def test_what_is_right_is_not_told(script: str) -> None:
    assert unparsable([script]) == {}


def test_nothing_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    ways = [
        "touch {0}",
        "set +n; touch {0}",
        "x=$(touch {0})",
        "trap 'touch {0}' 0",
        "}}; touch {0}; {{",
        "exec touch {0}",
    ]
    unparsable([way.format(marker) for way in ways])
    assert not marker.exists()


def test_many_are_asked_at_once_and_each_gets_its_own_answer() -> None:
    scripts = [f"echo {number}" + " )" * (number % 7 == 0) for number in range(500)]
    assert unparsable(scripts).keys() == set(scripts[::7])


def test_without_a_shell_it_says_so() -> None:
    def broken(argv: object, **_more: object) -> Completed:
        return Completed(("sh",), 127, b"", b"sh: not there\n")

    with pytest.raises(BuilderError, match="not there"):
        unparsable(["true"], runner=broken)
    assert unparsable([], runner=broken) == {}
