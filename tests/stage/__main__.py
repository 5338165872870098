"""The whole crash table: every point, every change, then a reboot, a torn journal; writes docs/rebuild-crashes.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from tests.stage.crashes import Cut, Reference, Survived, cuts, place_of, reference, rough_cuts, survive, table
from tests.stage.domu import Zygote
from tests.stage.stage import Stage

PAGE = Path(__file__).parent.parent.parent / "docs/rebuild-crashes.md"
_TEXT = """\
# A rebuild that is cut off

`domu rebuild web1` on the stage of the tests: the real command as a process, with an `xl` and LVM commands that are
scripted after recorded output and keep their state in a file. The guest runs, has a data volume that is kept and one
that is not; the run has {steps} steps. It was cut off at {points} points of its own (each file it opens to write, renames or
makes, each program it starts, before and after each fsync of its journal) and in {changes} programs that change something:
before they did anything, half done, to their end without domu, and at their end.

Then the same command was given again: at once, after a reboot of dom0 (no domain is left), after one in which
xendomains had started the guest, or with the last line of the journal torn or lost. After each, volumes with
their UUIDs, tags and contents, domains, placed files and the journal's end were the same as of a run that nobody
disturbed; the kept volume was never named in a command; the installer ended well once, and never began behind that.

Written by `make crash-test` on {day}: {cases} cases, {wrong} that ended otherwise, {minutes:.0f} minutes.

{table}

*again*: how often an installer had to be started a second time, for its domain was gone with dom0.
*hook*: how often the hook of `after:` ran a second time, told so by `DOMU_AGAIN=1`.
"""


def main() -> None:
    """Go through all cases, or those whose words are given, and tell which ended otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases that have this in their words")
    parser.add_argument("--at-once", type=int, default=4, help="cases; they mostly wait")
    parser.add_argument("--write", action="store_true", help="write the page")
    parser.add_argument("--every", type=int, default=1, help="each n-th case only")
    parser.add_argument("--first", type=int, default=0, help="from this one on")
    asked = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="domu-stage-") as name:
        folder = Path(name)
        with Zygote() as zygote:
            template = Stage.lay(folder / "template", zygote)
            whole = reference(template.copy(folder / "whole"))
            possible = list(all_cuts(whole))
            cases = [cut for cut in possible if asked.only in str(cut)][asked.first :: asked.every]
            print(f"{len(whole.points)} points, {len(whole.changes)} changes, {len(cases)} cases", flush=True)
            survived, wrong = _go(template, folder, whole, cases, asked.at_once)
    minutes = (time.monotonic() - begin) / 60
    text = _TEXT.format(
        steps=whole.steps,
        points=len({(cut.point, cut.time) for cut in cases if cut.point}),
        changes=len(whole.changes),
        day=datetime.now(UTC).date(),
        cases=f"{len(cases)} of {len(possible)}" if len(cases) < len(possible) else f"{len(cases)}",
        wrong=wrong,
        minutes=minutes,
        table=table(whole, survived),
    )
    print(text)
    if asked.write:
        PAGE.write_text(text)
    sys.exit(bool(wrong))


def _go(
    template: Stage, folder: Path, whole: Reference, cases: Sequence[Cut], at_once: int
) -> tuple[list[Survived], int]:
    ended = count(1)

    def one(cut: Cut) -> Survived | None:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            try:
                return survive(template.copy(Path(place) / "stage"), cut, whole)
            except Exception:  # what it is about
                print(f"--- step {place_of(whole, cut)}: {cut}\n{traceback.format_exc()}", flush=True)
                return None
            finally:
                if (number := next(ended)) % 20 == 0:
                    print(f"{number} cases", flush=True)

    with ThreadPoolExecutor(at_once) as pool:
        survived = [done for done in pool.map(one, cases) if done]
    return survived, len(cases) - len(survived)


def all_cuts(whole: Reference) -> list[Cut]:
    """Every case."""
    return [*cuts(whole), *rough_cuts(whole)]


if __name__ == "__main__":
    main()
