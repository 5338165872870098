"""What the network of this machine, or of this network namespace, is now."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from builder.errors import BuilderError
from builder.host.run import Runner, as_line
from builder.xen.change import TABLES, Seen, in_order
from builder.xen.live import LOOK_ADDRESSES, LOOK_LINKS, LOOK_PROXIES, LOOK_ROUTES, Live
from builder.xen.live_switches import LOOK_SWITCHD, LOOK_SWITCHES

_SYSCTLS = Path("/proc/sys")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LIMIT = 20.0  # seconds for a program that asks or tells the kernel, which takes it some milliseconds


def look(runner: Runner, sysctls: Iterable[str]) -> Seen:
    """Look at everything that a change may touch; BuilderError where it cannot be seen whole."""
    live = look_live(runner)
    if not live.unswitched and (daemon := runner(LOOK_SWITCHD, limit=LIMIT)).status:
        live = replace(live, unswitched=f"ovs-vswitchd does not answer: {daemon.complaint}")
    return Seen(live, {name: read_sysctl(name) for name in sysctls}, look_tables(runner))


def look_live(runner: Runner) -> Live:
    """Interfaces, addresses and routes; and Open vSwitch's bridges where it runs, else why they are not known."""
    switches, why = "", "ovs-vsctl is not installed"
    if shutil.which(LOOK_SWITCHES[0]):
        done = runner(LOOK_SWITCHES, limit=LIMIT)
        switches, why = ("", f"{as_line(done.argv[:1])}: {done.complaint}") if done.status else (done.text, "")
    live = Live.parse(
        answer(runner, LOOK_LINKS),
        answer(runner, LOOK_ADDRESSES),
        {family: answer(runner, argv) for family, argv in LOOK_ROUTES.items()},
        answer(runner, LOOK_PROXIES),
        switches,
    )
    return replace(live, unswitched=why)


def look_tables(runner: Runner) -> dict[str, str | None]:
    """Our nftables tables, `FAMILY NAME` -> what `nft list table` prints, with the elements of sets in order."""
    there = {
        tuple(line.split()[1:3]) for line in answer(runner, ("nft", "list", "tables")).splitlines() if line.strip()
    }
    return {
        f"{family} {name}": in_order(answer(runner, ("nft", "--stateless", "list", "table", family, name)))
        if (family, name) in there
        else None
        for family, name in TABLES
    }


def read_sysctl(name: str) -> str | None:
    """A kernel setting by its path below /proc/sys; None where there is no such."""
    try:
        return (_SYSCTLS / name).read_text().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BuilderError(f"{_SYSCTLS / name} cannot be read: {error.strerror}", "this needs root") from error


def write_sysctl(name: str, value: str) -> None:
    """Set it; BuilderError when the kernel refuses."""
    try:
        (_SYSCTLS / name).write_text(f"{value}\n")
    except OSError as error:
        raise BuilderError(f"{name} cannot be set to {value}: {error.strerror}", "this needs root") from error


def boot_id() -> str:
    """Another one after each boot (random(4))."""
    return _BOOT_ID.read_text().strip()


def answer(runner: Runner, argv: Iterable[str]) -> str:
    """What a program prints; BuilderError with its complaint when it fails."""
    done = runner(tuple(argv), limit=LIMIT)
    if done.status:
        raise BuilderError(f"{as_line(done.argv)}: {done.complaint}", "this needs root, iproute2 and nftables")
    return done.text
