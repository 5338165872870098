"""What guests say on their consoles, as xenconsoled keeps it in dom0: where, whether at all, and as it grows.

Read in xenconsoled's source (tools/console/daemon of Xen 4.17): main.c for its arguments; io.c, create_console_log:
LOGDIR/guest-NAME.log, appended to, opened anew on SIGHUP.
"""

from __future__ import annotations

import os
from codecs import getincrementaldecoder
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from builder.host.dom0.xen import daemons
from builder.xen.consoles import Keeping, judge_keeping
from builder.xen.doctor.fact import Unknown

ROOT = Path("/")


def read_keeping(root: Path = ROOT) -> Keeping:
    """Whether the xenconsoled that runs keeps guests' consoles: from its arguments in /proc."""
    found = daemons(root)
    if isinstance(found, Unknown):
        return Keeping("", f"it is not known which daemons run: {found.why}")
    return judge_keeping(found.value.get("xenconsoled"))


def console_log(root: Path, guest: str, folder: str = Keeping.usual) -> Path:
    """Where a guest's console is kept, if it is; `folder` as the Keeping has it."""
    return root / folder.lstrip("/") / f"guest-{guest}.log"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a console's log: the file, which may be renamed, and how many bytes stand before it."""

    inode: int
    offset: int


def end_of(path: Path) -> Place:
    """Behind what is there now; the beginning of whatever file comes where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return Place(0, 0)
    return Place(found.st_ino, found.st_size)


def read_from(path: Path, place: Place) -> str:
    """All that was said since."""
    with Tail(path, place) as tail:
        return tail.read()


class Tail:
    """Reads a console's log from a place on, as it grows, through rotation (by renaming) and truncation.

    Close it, or use it as a block.
    """

    def __init__(self, path: Path, place: Place) -> None:
        self._path, self._place = path, place
        self._decoder = getincrementaldecoder("utf-8")(errors="replace")
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No more will be read."""
        if self._file:
            self._file.close()
            self._file = None

    def read(self) -> str:
        """What came since the last time; nothing where there is no log yet."""
        if self._file is None:
            self._file = self._opened()
        if self._file is None:
            return ""
        data = self._more(self._file)
        # Once there is something in a new file, xenconsoled has let go of the old one.
        if self._is_followed(self._file):
            data += self._more(self._file)
            self.close()
            self._file = self._path.open("rb")
            data += self._more(self._file)
        return self._decoder.decode(data)

    def _opened(self) -> BinaryIO | None:
        """The file of the place, by its number, also among those that were renamed; else the one that is there."""
        for path in (self._path, *sorted(self._path.parent.glob(f"{self._path.name}.*"))):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            if os.fstat(file.fileno()).st_ino == self._place.inode:
                file.seek(self._place.offset)
                return file
            file.close()
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            return None

    @staticmethod
    def _more(file: BinaryIO) -> bytes:
        if os.fstat(file.fileno()).st_size < file.tell():
            file.seek(0)
        return file.read()

    def _is_followed(self, file: BinaryIO) -> bool:
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        return now.st_ino != os.fstat(file.fileno()).st_ino and now.st_size > 0
