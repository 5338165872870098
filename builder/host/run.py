"""The one door to other programs: argument lists only, a known environment, closed stdin, a time limit."""

from __future__ import annotations

import os
import select
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from builder.errors import BuilderError

# What programs may see of our environment; a stray LD_PRELOAD, GNUPGHOME or LANGUAGE must not change an answer.
_PASSED_ON = ("PATH", "HOME", "TERM", "TMPDIR")
LIMIT = 120.0


class TooSlowError(BuilderError):
    """A program was ended because it took longer than it may."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program left behind; `status` is its exit status, negative for a signal."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode(errors="replace")

    @property
    def complaint(self) -> str:
        """The last line of standard error, for a message."""
        lines = self.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self.status}"


class Runner(Protocol):
    """Runs a program; tests and dry runs pass another."""

    def __call__(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        """Run to the end and return what it left; raises BuilderError when it cannot start or is too slow."""


def run(
    argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
) -> Completed:
    """The real runner. `env` adds to the little that is passed on. The exit status is the caller's to judge."""
    return _run(argv, stdin, limit, env, group=None)


def run_apart(
    argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
) -> Completed:
    """The same, but what is typed at the terminal to end domu does not end the program."""
    return _run(argv, stdin, limit, env, group=0)


def _run(
    argv: Sequence[str], stdin: bytes, limit: float, env: Mapping[str, str] | None, *, group: int | None
) -> Completed:
    environment = _known() | dict(env or {})
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            capture_output=True,
            timeout=limit,
            env=environment,
            check=False,
            process_group=group,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise _unstartable(argv, error) from error
    except subprocess.TimeoutExpired as error:
        raise TooSlowError(
            f"{argv[0]!r} did not end within {limit:.0f} s", f"to try by hand: {as_line(argv)}"
        ) from error
    return Completed(tuple(argv), done.returncode, done.stdout, done.stderr)


def _unstartable(argv: Sequence[str], error: OSError) -> BuilderError:
    if isinstance(error, FileNotFoundError):
        return BuilderError(f"the program {argv[0]!r} is not installed", f"it was needed for: {as_line(argv)}")
    return BuilderError(f"the program {argv[0]!r} may not be run: {error.strerror}", as_line(argv))


def bounded(most: int) -> Runner:
    """A runner for what is not trusted: it ends a program that prints more than `most` bytes, with BuilderError."""

    def run_bounded(
        argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_known() | dict(env or {}),
            )
        except (FileNotFoundError, PermissionError) as error:
            raise _unstartable(argv, error) from error
        with process:
            try:
                stdout, stderr = _talk(process, stdin, limit, most)
            finally:
                if process.poll() is None:
                    process.kill()
        return Completed(tuple(argv), process.returncode, stdout, stderr)

    return run_bounded


def _talk(process: subprocess.Popen[bytes], stdin: bytes, limit: float, most: int) -> tuple[bytes, bytes]:
    """Write and read at once, until both of its outputs are closed and it has ended."""
    end = time.monotonic() + limit
    pipes = (process.stdin, process.stdout, process.stderr)
    into, out, err = (pipe.fileno() for pipe in pipes if pipe)
    heard = {out: bytearray(), err: bytearray()}
    argv = list(process.args) if isinstance(process.args, list) else []
    with selectors.DefaultSelector() as selector:
        selector.register(into, selectors.EVENT_WRITE)
        for handle in heard:
            selector.register(handle, selectors.EVENT_READ)
        while selector.get_map():
            if (left := end - time.monotonic()) <= 0:
                raise TooSlowError(f"{argv[0]!r} did not end within {limit:.0f} s")
            for key, _event in selector.select(left):
                if key.fd == into:
                    stdin = _send(into, stdin)
                    more = bool(stdin)
                else:
                    data = os.read(key.fd, 65_536)
                    heard[key.fd] += data
                    more = bool(data)
                if not more:
                    selector.unregister(key.fd)
                if not more and key.fd == into and process.stdin:
                    process.stdin.close()
                if max(map(len, heard.values())) > most:
                    raise BuilderError(f"{argv[0]!r} printed more than {most} bytes, and was ended")
    try:
        process.wait(max(0.1, end - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise TooSlowError(f"{argv[0]!r} did not end within {limit:.0f} s") from error
    return bytes(heard[out]), bytes(heard[err])


def _send(handle: int, data: bytes) -> bytes:
    """What is left to send; a pipe that selects as writable takes so much without keeping us waiting."""
    try:
        return data[os.write(handle, data[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        return b""


def run_logged(
    argv: Sequence[str], *, log: Path, pause: Callable[[float], None], limit: float, env: Mapping[str, str], held: int
) -> int:
    """Run a program that may take hours, and return its exit status; all that it says is added to `log`.

    `pause` waits between two looks at it; when that raises, or the program is too slow (BuilderError), the program and
    what it started are ended. It keeps the descriptor `held` open, and with it the lock that this stands for.
    """
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_known() | dict(env),
                pass_fds=(held,),
                process_group=0,
            )
        except OSError as error:
            raise BuilderError(f"{argv[0]!r} cannot be started: {error.strerror}", as_line(argv)) from error
    with process:
        end = time.monotonic() + limit
        try:
            while process.poll() is None:
                if time.monotonic() > end:
                    raise TooSlowError(f"{argv[0]!r} did not end within {limit:.0f} s", f"read {log}")
                pause(0.2)
        finally:
            if process.poll() is None:
                _end_group(process)
    return process.returncode


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ask it and its children to end, and see to it that they do."""
    for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def start_detached(argv: Sequence[str], *, log: Path) -> None:
    """Start a program in a session of its own, which outlives us and our terminal; what it says goes to `log`.

    Raises BuilderError when it cannot start; whether it then works is for its own signs to tell.
    """
    with log.open("ab") as output:
        # setsid(1) --fork leaves at once, so that the program is init's child and nobody waits for it here.
        whole = ["setsid", "--fork", *argv]
        try:
            done = subprocess.run(
                whole, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=LIMIT, env=_known(), check=False
            )
        except OSError as error:
            raise BuilderError(f"{argv[0]!r} cannot be started: {error.strerror}", as_line(whole)) from error
    if done.returncode:
        raise BuilderError(f"{argv[0]!r} cannot be started: exit status {done.returncode}", as_line(whole))


def _known() -> dict[str, str]:
    """The environment that every program gets."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {"LC_ALL": "C.UTF-8"}


def as_line(argv: Sequence[str]) -> str:
    """The command as a line that can be pasted into a shell."""
    return shlex.join(argv)
