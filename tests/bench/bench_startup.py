"""How long `domu --help` takes beside what Typer alone costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.bench.pairs import paired


def main() -> None:
    domu = str(Path(sys.executable).with_name("domu"))
    print("### Start-up\n")
    print(
        paired(
            {
                'python -c "import typer"': lambda: _quietly([sys.executable, "-c", "import typer"]),
                "domu --help": lambda: _quietly([domu, "--help"]),
            },
            rounds=15,
        )
    )


def _quietly(argv: list[str]) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
