"""Which scripts a shell cannot parse: asked of the real one, many at once, and none of them is run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.errors import BuilderError
from builder.host.run import Runner, run

# Each file begins with `set -n`, after which a shell parses and executes nothing, `set +n` included (sh(1); dash,
# bash). Reading it in a subshell costs 0.15 ms, a shell of its own 0.8 ms.
_BEGIN = b"set -n\n"
_ASK = """\
cd -- "$1" || exit 3
for script in *; do
    (. "./$script") 2>"../said/$script" || echo "$script"
done
"""
# `sh: 3: ./0: Syntax error: ...` (dash), `./0: line 3: syntax error ...` (bash, busybox).
_COMPLAINT = re.compile(r"(?:.*?: )?(?:line )?(?P<line>[0-9]+): (?:\./[0-9]+: )?(?P<text>.*)")


@dataclass(frozen=True, slots=True)
class ShellError:
    """The line of the script that the shell had reached, from 1, and what it said."""

    line: int
    text: str


def unparsable(scripts: Iterable[str], runner: Runner = run) -> Mapping[str, ShellError]:
    """Of these scripts those that sh cannot parse, by their text. Takes one process, and a folder that is then gone.

    BuilderError when there is no sh, or nowhere to write to.
    """
    asked = [script for script in dict.fromkeys(scripts) if "\0" not in script]
    if not asked:
        return {}
    try:
        with tempfile.TemporaryDirectory(prefix="domu-sh-") as name:
            return _ask(asked, Path(name), runner)
    except OSError as error:
        raise BuilderError(f"scripts cannot be handed to sh: {error.strerror}", "see to TMPDIR") from error


def _ask(scripts: list[str], folder: Path, runner: Runner) -> dict[str, ShellError]:
    for inner in ("asked", "said"):
        (folder / inner).mkdir()
    for number, script in enumerate(scripts):
        (folder / "asked" / str(number)).write_bytes(_BEGIN + script.encode("utf-8", "surrogateescape") + b"\n")
    done = runner(["sh", "-c", _ASK, "sh", str(folder / "asked")])
    if done.status != 0:
        raise BuilderError(f"sh could not look at the scripts: {done.complaint}")
    return {scripts[int(number)]: _read(folder / "said" / number) for number in done.text.split()}


def _read(path: Path) -> ShellError:
    said = path.read_text("utf-8", "surrogateescape").splitlines() or [""]
    match = _COMPLAINT.fullmatch(said[0])
    return ShellError(int(match["line"]) - 1, match["text"]) if match else ShellError(0, said[0] or "cannot be parsed")
