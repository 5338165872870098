"""The end of a console's log, as it grows."""

from __future__ import annotations

from codecs import getincrementaldecoder
from pathlib import Path


def console_log(root: Path, guest: str) -> Path:
    """Where xenconsoled keeps what a guest says, if it keeps it (tools/console/daemon/io.c: guest-NAME.log)."""
    return root / f"var/log/xen/console/guest-{guest}.log"


class Tail:
    """Reads what is written to the log behind `offset`. A log that was rotated meanwhile is read from its begin."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path, self._offset = path, offset
        self._decoder = getincrementaldecoder("utf-8")(errors="replace")

    def read(self) -> str:
        """What came since the last time; nothing where there is no log."""
        try:
            with self._path.open("rb") as log:
                if log.seek(0, 2) < self._offset:
                    self._offset = 0
                log.seek(self._offset)
                data = log.read()
        except FileNotFoundError:
            return ""
        self._offset += len(data)
        return self._decoder.decode(data)


def size_of(path: Path) -> int:
    """How long the log is now; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
