"""Domains of one guest: found by UUID, stopped, taken away, made; each ends when xl shows what was wanted."""

from __future__ import annotations

from collections.abc import Callable

from builder.errors import BuilderError
from builder.host.clock import Clock
from builder.host.run import Runner, as_line
from builder.host.xl import ask, list_domains
from builder.xen.readings import Domain, read_domains

# Seconds. xl shutdown -w, and xl destroy of a domain with much memory, come back before its name is free.
GONE, _POLL, _CREATE = 120.0, 1.0, 600.0


def find_domain(runner: Runner, uuid: str) -> Domain | None:
    """The domain of this UUID, without its config."""
    domains = read_domains(ask(runner, "list", "--verbose").text)
    return next((domain for domain in domains if domain.uuid == uuid), None)


def domain_with_config(runner: Runner, uuid: str) -> Domain | None:
    """The same with its config, where xl knows one; takes xl twice as long."""
    return next((domain for domain in list_domains(runner) if domain.uuid == uuid), None)


def stop_domain(runner: Runner, clock: Clock, uuid: str, limit: float) -> None:
    """Ask its system to shut down, wait, and take the domain away when it is not gone by then.

    A domain that comes back at once (`on_poweroff: restart`) is taken away, too. BuilderError when it stays.
    """
    domain = find_domain(runner, uuid)
    if domain and domain.state.is_alive:
        # -F: a guest without drivers for Xen is sent a press on its power button.
        done = runner(["xl", "shutdown", "-F", str(domain.domid)])
        number = domain.domid
        if done.status == 0:
            _wait(clock, limit, lambda: _has_stopped(find_domain(runner, uuid), number))
    destroy_domain(runner, clock, uuid)


def _has_stopped(domain: Domain | None, number: int) -> bool:
    return domain is None or domain.domid != number or domain.state.shutdown is not None


def destroy_domain(runner: Runner, clock: Clock, uuid: str) -> None:
    """Take the domain away, whatever it does, and wait until it is gone. BuilderError when it stays."""
    domain = find_domain(runner, uuid)
    if domain is None:
        return
    if not domain.state.dying:
        done = runner(["xl", "destroy", str(domain.domid)])
        if done.status != 0 and find_domain(runner, uuid):
            raise BuilderError(f"{as_line(done.argv)} failed: {done.complaint}", "look at: xl list; xl dmesg")
    if not _wait(clock, GONE, lambda: find_domain(runner, uuid) is None):
        message = f"domain {domain.domid} was destroyed and is still there after {GONE:.0f} s"
        raise BuilderError(message, "something holds memory of it: xl list; losetup; lsof /dev/xen")


def create_domain(runner: Runner, config: str) -> None:
    """Make a domain of this config. BuilderError when xl does not; its warnings do not count."""
    done = runner(["xl", "create", config], limit=_CREATE)
    if done.status != 0:
        said = done.stderr.decode(errors="replace").strip()
        lines = [line for line in said.splitlines() if "error" in line.lower()] or [done.complaint]
        raise BuilderError(f"{as_line(done.argv)} failed: {lines[0]}", "look at: xl dmesg; /var/log/xen")


def _wait(clock: Clock, limit: float, sign: Callable[[], bool]) -> bool:
    """Whether the sign was seen within so many seconds."""
    end = clock.seconds() + limit
    while not sign():
        if clock.seconds() > end:
            return False
        clock.pause(_POLL)
    return True
