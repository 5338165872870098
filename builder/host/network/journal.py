"""What is remembered of changes, below /var/lib/domu/network: what is in force, what is on trial, how the last ended.

Each file appears whole or not at all. One lock keeps two changes apart, another tells that a watcher lives.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from builder.errors import BuilderError
from builder.host.files import private_folder, write_atomic
from builder.profile.rules_run import NETWORK_STATE
from builder.xen.change import Applied, FileText, Rewrite, Seen
from builder.xen.live import Live
from builder.xen.live_target import Past

STATE = NETWORK_STATE.lstrip("/")
Phase = Literal["applying", "waiting", "confirmed"]


class BusyError(BuilderError):
    """Another change of the network is at work."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A change that was begun and is not over.

    applying: steps are under way; waiting: for the confirmation; confirmed: its files are being written.
    `before` and `restoring` are how to go back, `after` what to remember once it is over, `gone` files to remove,
    `rewrites` files of others to change;
    `leaving` and `manager` are told the machine's daemons before and after the files change.
    """

    id: str
    phase: Phase
    boot: str
    within: int
    scope: frozenset[str]
    before: Seen
    restoring: str
    after: Applied
    gone: tuple[str, ...] = ()
    rewrites: Mapping[str, Rewrite] = field(default_factory=dict)
    leaving: tuple[tuple[str, ...], ...] = ()
    manager: tuple[tuple[str, ...], ...] = ()

    def to_data(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "id": self.id,
            "phase": self.phase,
            "boot": self.boot,
            "within": self.within,
            "scope": sorted(self.scope),
            "live": self.before.live.to_data(),
            "sysctls": dict(self.before.sysctls),
            "tables": dict(self.before.tables),
            "restoring": self.restoring,
            "after": applied_data(self.after),
            "gone": list(self.gone),
            "rewrites": {path: asdict(one) for path, one in self.rewrites.items()},
            "leaving": [list(argv) for argv in self.leaving],
            "manager": [list(argv) for argv in self.manager],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Of `to_data`; KeyError and the like for anything else."""
        if data["phase"] not in {"applying", "waiting", "confirmed"}:
            raise ValueError(data["phase"])
        return cls(
            id=data["id"],
            phase=data["phase"],
            boot=data["boot"],
            within=data["within"],
            scope=frozenset(data["scope"]),
            before=Seen(Live.from_data(data["live"]), data["sysctls"], data["tables"]),
            restoring=data["restoring"],
            after=_applied(data["after"]),
            gone=tuple(data["gone"]),
            rewrites={path: Rewrite(**one) for path, one in data["rewrites"].items()},
            leaving=tuple(tuple(argv) for argv in data["leaving"]),
            manager=tuple(tuple(argv) for argv in data["manager"]),
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """How the last change ended."""

    id: str
    outcome: Literal["confirmed", "taken back"]
    reason: str
    problems: tuple[str, ...] = field(default=())


def applied_data(applied: Applied) -> dict[str, Any]:
    """As plain data."""
    return {
        "files": {path: asdict(one) for path, one in applied.files.items()},
        "sysctls": dict(applied.sysctls),
        "ruleset": applied.ruleset,
        "tables": dict(applied.tables),
        "origin": applied.past.origin.to_data(),
        "held": applied.past.held.to_data(),
        "origin_sysctls": dict(applied.origin_sysctls),
        "taken": {path: asdict(one) for path, one in applied.taken.items()},
        "extra": [list(argv) for argv in applied.extra],
    }


def _applied(data: Mapping[str, Any]) -> Applied:
    return Applied(
        files={path: FileText(**one) for path, one in data["files"].items()},
        sysctls=data["sysctls"],
        ruleset=data["ruleset"],
        tables=data["tables"],
        past=Past(Live.from_data(data["origin"]), Live.from_data(data["held"])),
        origin_sysctls=data["origin_sysctls"],
        taken={path: Rewrite(**one) for path, one in data["taken"].items()},
        extra=tuple(tuple(argv) for argv in data.get("extra", ())),
    )


@dataclass(frozen=True, slots=True)
class Journal:
    """The folder of one machine's network changes; `root` is where its file system begins."""

    root: Path

    @property
    def folder(self) -> Path:
        """Where everything of this page is."""
        return self.root / STATE

    def place(self, path: str) -> Path:
        """A file of the machine, given as it knows it."""
        return self.root / path.lstrip("/")

    def applied(self) -> Applied:
        """What is in force; nothing where there never was a change."""
        data = self._read("applied.json")
        return _understood("applied.json", lambda: _applied(data)) if data is not None else Applied()

    def keep_applied(self, applied: Applied) -> None:
        """Remember that it is in force now; what was before it is kept as previous.json."""
        if (data := self._read("applied.json")) is not None:
            self._write("previous.json", data)
        self._write("applied.json", applied_data(applied))

    def trial(self) -> Trial | None:
        """The change that is not over, if there is one."""
        data = self._read("trial.json")
        return _understood("trial.json", lambda: Trial.from_data(data)) if data is not None else None

    def keep_trial(self, trial: Trial) -> None:
        """Durable before anything is done."""
        self._write("trial.json", trial.to_data())

    def end(self, ending: Ending) -> None:
        """There is no trial any more, and this is how it ended."""
        self._write("last.json", asdict(ending))
        (self.folder / "trial.json").unlink(missing_ok=True)

    def last(self) -> Ending | None:
        """How the last change ended."""
        data = self._read("last.json")
        if data is None:
            return None
        return _understood("last.json", lambda: Ending(**{**data, "problems": tuple(data["problems"])}))

    @contextmanager
    def locked(self, *, wait: bool = False) -> Iterator[None]:
        """Alone with the network; BuilderError when another change is at work."""
        with _lock(self._folder() / "lock", wait=wait) as held:
            if not held:
                raise BusyError("another `domu network` is at work here", "wait for it, then look again")
            yield

    @contextmanager
    def watching(self, trial: str) -> Iterator[None]:
        """The watcher of this trial lives; that of an earlier one ends first."""
        path = self._folder() / "watcher"
        with _lock(path, wait=True):
            path.write_text(trial)
            yield

    def is_watched(self, trial: str) -> bool:
        """Whether a watcher of this trial lives."""
        path = self._folder() / "watcher"
        with _lock(path, wait=False) as free:
            return not free and path.read_text() == trial

    def interfaces_files(self) -> tuple[str, ...]:
        """The files that ifupdown reads as Debian sets it up."""
        folder = self.place("/etc/network/interfaces.d")
        found = (
            sorted(path.name for path in folder.glob("*") if not path.name.startswith(".")) if folder.is_dir() else []
        )
        return ("/etc/network/interfaces", *(f"/etc/network/interfaces.d/{name}" for name in found))

    def read_file(self, path: str) -> str | None:
        """What a file of the machine holds; None where there is none."""
        try:
            return self.place(path).read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BuilderError(f"{path} cannot be read: {error.strerror}", "this needs root") from error

    def _folder(self) -> Path:
        return private_folder(self.folder)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found = json.loads((self.folder / name).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise BuilderError(f"{self.folder / name} cannot be read: {error}", "look at it; domu wrote it") from error
        if not isinstance(found, dict):
            raise BuilderError(f"{self.folder / name} is not what domu writes", "look at it; nothing was touched")
        return found

    def _write(self, name: str, data: Mapping[str, Any]) -> None:
        write_atomic(self._folder() / name, f"{json.dumps(data, indent=1)}\n".encode(), mode=0o600)


T = TypeVar("T")


def _understood(name: str, make: Callable[[], T]) -> T:
    try:
        return make()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BuilderError(
            f"{name} is not what this version of domu writes: {error!r}", "it was not touched"
        ) from error


@contextmanager
def _lock(path: Path, *, wait: bool) -> Iterator[bool]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
