"""The whole crash table: every point, every change, then a reboot, a torn journal; writes docs/rebuild-crashes.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from queue import SimpleQueue

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
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="each n-th case only")
    asked = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="domu-stage-") as name:
        folder = Path(name)
        with Zygote() as zygote:
            whole = reference(Stage.lay(folder / "whole", zygote))
        cases = [cut for cut in all_cuts(whole) if asked.only in str(cut)][:: asked.every]
        print(f"{len(whole.points)} points, {len(whole.changes)} changes, {len(cases)} cases", flush=True)
        survived, wrong = _go(folder, whole, cases, asked.at_once)
    minutes = (time.monotonic() - begin) / 60
    text = _TEXT.format(
        steps=whole.steps,
        points=len({(cut.point, cut.time) for cut in cases if cut.point}),
        changes=len(whole.changes),
        day=datetime.now(UTC).date(),
        cases=len(cases),
        wrong=wrong,
        minutes=minutes,
        table=table(whole, survived),
    )
    print(text)
    if len(cases) == len(all_cuts(whole)) and not wrong:
        PAGE.write_text(text)
    sys.exit(bool(wrong))


def _go(folder: Path, whole: Reference, cases: Sequence[Cut], at_once: int) -> tuple[list[Survived], int]:
    templates: SimpleQueue[Stage] = SimpleQueue()
    numbers, wrong = count(), Counter[str]()

    def one(cut: Cut) -> Survived | None:
        template = templates.get()
        with tempfile.TemporaryDirectory(dir=folder) as place:
            stage = template.copy(Path(place) / "stage")
            try:
                return survive(stage, cut, whole.facts)
            except Exception:  # what it is about
                wrong["cases"] += 1
                print(f"--- {place_of(whole, cut)}: {cut}\n{traceback.format_exc()}", flush=True)
                return None
            finally:
                templates.put(template)
                if next(numbers) % 50 == 49:
                    print(".", flush=True)

    with ThreadPoolExecutor(at_once) as pool:
        zygotes = [Zygote() for _ in range(at_once)]
        for number, zygote in enumerate(zygotes):
            templates.put(Stage.lay(folder / f"template{number}", zygote.__enter__()))
        survived = [done for done in pool.map(one, cases) if done]
    for zygote in zygotes:
        zygote.__exit__()
    return survived, wrong["cases"]


def all_cuts(whole: Reference) -> list[Cut]:
    """Every case."""
    return [*cuts(whole), *rough_cuts(whole)]


if __name__ == "__main__":
    main()
