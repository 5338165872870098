"""1,000 rendered preseeds through the linter, beside the stock checker, which reads one file per run; where the time
goes; and what a file costs by its size.
"""

from __future__ import annotations

import cProfile
import pstats
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from builder.host.catalogue import shipped_catalogue
from builder.host.site import Site
from builder.preseed.completeness import check_complete, situation_of_answers
from builder.preseed.fix import fix
from builder.preseed.given import Given
from builder.preseed.lint import lint
from builder.preseed.loader import load
from builder.preseed.syntax import parse_preseed
from builder.workflows.check import check
from tests.bench.bench_check import GUESTS, SAMPLE, lay_site
from tests.bench.pairs import paired

DOMU = str(Path(sys.executable).with_name("domu"))
MEGABYTES = (1, 2, 5, 10)
MENDED = 2  # MB; to find which of 50,000 edits may be made takes a dozen looks at the whole file


def main() -> None:
    print(f"### Linting {GUESTS} preseeds\n")
    with tempfile.TemporaryDirectory() as folder:
        rendered = [one.preseed.text.encode() for one in check(Site(lay_site(Path(folder)))).artefacts]
        files = write_files(Path(folder), rendered)
        ways: dict[str, Callable[[], object]] = {
            "debconf-set-selections --checkonly, a run per file": lambda: stock(files[:SAMPLE]),
            f"domu lint, {GUESTS} files in one run": lambda: run(DOMU, "lint", "--suite", "trixie", *files),
            "the same for two suites": lambda: run(DOMU, "lint", "--suite", "trixie", "--suite", "bookworm", *files),
        }
        print(paired(ways, rounds=3, counts=dict(zip(ways, (SAMPLE, GUESTS, GUESTS), strict=True))))
        print(f"\nThe files have {len(rendered[0])} bytes each. Where the time goes, within the process:\n")
        print(shares(rendered))
    print("\nBy size, for files made of those and of files where every line has a fault:\n")
    print(by_size(rendered[0]))


def write_files(folder: Path, rendered: list[bytes]) -> list[str]:
    paths = [folder / f"{number:04}.cfg" for number in range(len(rendered))]
    for path, data in zip(paths, rendered, strict=True):
        path.write_bytes(data)
    return [str(path) for path in paths]


def stock(files: list[str]) -> None:
    for file in files:
        run("debconf-set-selections", "--checkonly", file)


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def shares(rendered: list[bytes]) -> str:
    """Time by module, of parsing, linting and completeness; what built-ins take counts for whoever calls them."""
    given = trixie()
    profile = cProfile.Profile(builtins=False)
    with profile:
        for data in rendered[: GUESTS // 5]:
            look_through(data, given)
    seconds: defaultdict[str, float] = defaultdict(float)
    for (file, _line, _name), (_calls, _primitive, own, _all, _callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        parts = Path(file).parts
        seconds["/".join(parts[parts.index("builder") :]) if "builder" in parts else "the standard library"] += own
    total = sum(seconds.values())
    rows = sorted(((took / total, name) for name, took in seconds.items()), reverse=True)
    lines = [f"| {name} | {share:.0%} |" for share, name in rows if share >= 0.03]
    return "\n".join(["| module | share |", "|---|---:|", *lines])


def trixie() -> Given:
    return Given(catalogue=shipped_catalogue("trixie"), others=(shipped_catalogue("bookworm"),))


def look_through(data: bytes, given: Given) -> None:
    file = parse_preseed(data)
    loaded = load(file)
    answers = {answer.question: answer.value for answer in loaded.answers}
    lint(file, "p", given=given, pending=check_complete(loaded, situation_of_answers(answers, "trixie"), ours=False))


def by_size(sound: bytes) -> str:
    """Seconds for each MB, which stay the same as files grow when the cost is linear."""
    given = trixie()
    faulty = b"  # indented \r\nd-i partman/confrim bool yes  \no a/b strng x \\ \n  y d-i a/c string z\n"
    lines = ["| MB | sound, s | s/MB | faulty, s | s/MB | mended, s | s/MB |", "|---:|---:|---:|---:|---:|---:|---:|"]
    for megabytes in MEGABYTES:
        size = megabytes * 1_000_000
        took = [seconds(lambda data: look_through(data, given), repeated(one, size)) for one in (sound, faulty)]
        if megabytes <= MENDED:
            took.append(seconds(lambda data: fix(data, (given,)), repeated(faulty, size)))
        lines.append(f"| {megabytes} | " + " | ".join(f"{one:.1f} | {one / megabytes:.2f}" for one in took) + " |")
    return "\n".join(lines)


def repeated(data: bytes, size: int) -> bytes:
    return (data * (size // len(data) + 1))[:size]


def seconds(way: Callable[[bytes], object], data: bytes) -> float:
    begin = time.process_time()
    way(data)
    return time.process_time() - begin


if __name__ == "__main__":
    main()
