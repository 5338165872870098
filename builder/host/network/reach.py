"""Whether dom0 still reaches the world: what answered before a change has to answer after it."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from builder.host.network.look import LIMIT
from builder.host.run import Runner
from builder.xen.live import Live

_TRIES = 5  # of a second each: a switch may look at a port for some seconds before it forwards
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True, order=True)
class Neighbour:
    """Somebody who has to answer: a gateway by ping or ARP, or with a port by TCP."""

    host: str
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """`192.0.2.1`, `mirror.example.org:80`, `[2001:db8::1]:80`; ValueError for anything else."""
        if match := re.fullmatch(r"(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9][A-Za-z0-9.-]*)):([0-9]{1,5})", text, re.ASCII):
            return cls(match[1] or match[2], int(match[3]))
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*|[0-9a-fA-F:]*:[0-9a-fA-F:.]*", text, re.ASCII):
            return cls(text)
        raise ValueError(f"{text!r} is no host and no HOST:PORT")

    def __str__(self) -> str:
        return f"{self.host} port {self.port}" if self.port else self.host


class Sign(IntEnum):
    """How somebody answers; a MAC alone does not show that answers find us."""

    MAC = 1
    ANSWER = 2


def gateways_of(live: Live) -> tuple[Neighbour, ...]:
    """The gateways of the default routes."""
    return tuple(
        sorted({Neighbour(one.gateway) for one in live.routes if one.destination == "default" and one.gateway})
    )


def reached(runner: Runner, neighbours: Sequence[Neighbour], live: Live) -> dict[Neighbour, Sign]:
    """How those answer who do within some seconds, asked anew: what the kernel remembers of them is forgotten first."""
    for one in neighbours:
        runner(("ip", "neighbour", "flush", "to", one.host), limit=LIMIT)
    return {one: sign for one in neighbours if (sign := _sign_of(runner, one, live))}


def _sign_of(runner: Runner, one: Neighbour, live: Live) -> Sign | None:
    """The best that comes in all tries: a first ping may be lost while ARP works already."""
    best: Sign | None = None
    for _ in _tries():
        sign = _answer(runner, one, live)
        if sign is Sign.ANSWER:
            return sign
        best = sign or best
    return best


def _tries() -> Iterator[int]:
    """Numbers, half a second apart."""
    for number in range(_TRIES):
        if number:
            time.sleep(_PATIENCE / 2)
        yield number


def _answer(runner: Runner, one: Neighbour, live: Live) -> Sign | None:
    if one.port:
        try:
            with socket.create_connection((one.host, one.port), timeout=_PATIENCE):
                return Sign.ANSWER
        except OSError:
            return None
    devices = {route.device for route in live.routes if route.gateway == one.host}
    where = ("-I", devices.pop()) if one.host.startswith("fe80:") and devices else ()
    if runner(("ping", "-n", "-q", "-c", "1", "-W", "1", *where, one.host), limit=LIMIT).status == 0:
        return Sign.ANSWER
    # It may not answer pings; the question has made the kernel ask for its MAC.
    return Sign.MAC if _is_neighbour(runner, one.host) else None


def _is_neighbour(runner: Runner, host: str) -> bool:
    done = runner(("ip", "-json", "neighbour", "show", "to", host), limit=LIMIT)
    found = json.loads(done.text or "[]") if done.status == 0 else []
    return any("REACHABLE" in item.get("state", ()) for item in found)
