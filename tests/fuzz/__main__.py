"""`make fuzz`: everything that reads what strangers wrote, for some minutes; prints a table, and fails at a crash."""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; repeatable")
    asked = parser.parse_args()
    chosen = asked.target or list(TARGETS)
    engine = "atheris (guided by coverage)" if find_spec("atheris") else "Hypothesis"
    print(f"{engine}, Python {platform.python_version()}, {asked.minutes:g} minutes\n")
    print("| target | inputs tried | outcome |\n|---|---:|---|", flush=True)
    outcomes = [fuzz(target, max(int(asked.minutes * 60 / len(chosen)), 1)) for target in chosen]
    return 0 if all(outcomes) else 1


def fuzz(target: str, seconds: int) -> bool:
    """Print the target's row; False when something was found, of which the input is kept."""
    folder = Path(tempfile.mkdtemp(prefix=f"domu-fuzz-{target}-"))
    argv = [sys.executable, "-m", "tests.fuzz.worker", target, str(seconds), str(folder)]
    try:
        done = subprocess.run(
            argv, check=False, capture_output=True, text=True, timeout=seconds + 120, errors="replace"
        )
        status, said = done.returncode, done.stderr
        count = re.search(r"number_of_executed_units: (\d+)", said) or re.search(r"(\d+)\s*\Z", done.stdout)
    except subprocess.TimeoutExpired:
        status, said, count = 1, "a hang", None
    found = [path for pattern in ("crash-*", "timeout-*", "oom-*") for path in folder.glob(pattern)]
    fine = status == 0 and not found
    print(f"| {target} | {int(count[1]) if count else 0:,} | {'findings or clean' if fine else 'FAILED'} |", flush=True)
    if fine:
        shutil.rmtree(folder)
    else:
        print(f"\n{said[-3000:]}\nkept: {', '.join(map(str, found))}\n")
    return fine


if __name__ == "__main__":
    sys.exit(main())
