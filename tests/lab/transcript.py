"""Commands in dom0 and what they print, as a person at its shell sees it, kept in a file for the documentation."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self

from tests.lab.dom0 import Answer, Lab


class Transcript:
    """Written as it goes; commands run in `folder` of dom0."""

    def __init__(self, lab: Lab, path: Path, folder: str = "/root") -> None:
        self._lab, self._path, self._folder, self._text = lab, path, folder, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        print(self._text)

    def run(self, command: str, *, limit: float = 900.0) -> Answer:
        """Output and errors in the order they came in."""
        begin = time.monotonic()
        answer = self._lab.ask(f"cd {self._folder} && ({command}) 2>&1", limit=limit)
        self._text += f"$ {command}\n{answer.out}({time.monotonic() - begin:.0f} s, exit status {answer.status})\n\n"
        self._path.write_text(self._text)
        return answer
