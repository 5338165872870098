"""Whether a guest answers: on a port, or by a program of dom0."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from builder.host.run import Runner, TooSlowError

_PATIENCE = 10.0
_GREETING = b"SSH-"  # RFC 4253, 4.2


def port_answers(address: str, port: int, *, greets: bool) -> bool:
    """Whether something takes a call there, and with `greets` greets as ssh does."""
    try:
        with socket.create_connection((address, port), timeout=_PATIENCE) as call:
            return not greets or call.recv(len(_GREETING), socket.MSG_WAITALL) == _GREETING
    except OSError:
        return False


def command_succeeds(runner: Runner, argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether the program ends well, within a minute. BuilderError when it cannot be run at all."""
    try:
        return runner(argv, limit=60.0, env=env).status == 0
    except TooSlowError:
        return False
