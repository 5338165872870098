"""What the installer is made to say of its logs, by this machine's shell; the installer's own runs it, too."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.watching import expect, play


def test_logs_are_told_when_they_stand_still(tmp_path: Path) -> None:
    def run(script: str) -> None:
        subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, stdin=subprocess.DEVNULL, timeout=60, check=True)

    expect(play(tmp_path, run, inside=str(tmp_path)))
