"""The steps of a rebuild, with their words and the command lines that a person would type; nothing runs here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from builder.storage import steps as storage
from builder.units import Size

Command = tuple[str, ...]
# Seconds that a guest has to shut down before it is destroyed; systemd's own limit for a stop job is 90.
SHUTDOWN_LIMIT = 120
# The installer took 31 to 64 minutes in QEMU without KVM; on hardware it is quicker.
INSTALL_LIMIT = 3 * 3600
ANSWER_LIMIT = 600


@dataclass(frozen=True, slots=True)
class StopDomain:
    """Ask the guest's system to shut down, and destroy the domain when it has not after `limit` seconds."""

    guest: str
    domid: int
    uuid: str
    limit: int = SHUTDOWN_LIMIT


@dataclass(frozen=True, slots=True)
class DestroyDomain:
    """Take away a domain whose system has stopped by itself."""

    guest: str
    domid: int
    uuid: str


@dataclass(frozen=True, slots=True)
class ChangeVolume:
    """A step of the storage plan."""

    guest: str
    step: storage.Step


@dataclass(frozen=True, slots=True)
class PlaceFiles:
    """Copy what was built to where the xl configs name it; `replaces`: another build's are there."""

    guest: str
    build: str
    folder: str
    size: Size
    replaces: bool


@dataclass(frozen=True, slots=True)
class Install:
    """Start the installer and wait for its end, `limit` seconds at most."""

    guest: str
    config: str
    memory: Size
    limit: int = INSTALL_LIMIT


@dataclass(frozen=True, slots=True)
class Start:
    """Start what was installed and wait until it answers by ssh."""

    guest: str
    config: str
    memory: Size
    address: str  # empty where DHCP gives it
    limit: int = ANSWER_LIMIT


Step: TypeAlias = StopDomain | DestroyDomain | ChangeVolume | PlaceFiles | Install | Start


def describe(step: Step) -> str:
    """The step in words."""
    match step:
        case StopDomain():
            return f"shut it down (domain {step.domid}); destroy the domain if it runs after {step.limit} s"
        case DestroyDomain():
            return f"take its stopped domain away (domain {step.domid})"
        case ChangeVolume():
            return storage.describe(step.step)
        case PlaceFiles():
            instead = ", instead of an earlier build's" if step.replaces else ""
            return f"copy kernel, initrd and configs to {step.folder} ({step.size.human}){instead}"
        case Install():
            return f"install with {step.memory.human} of memory, {step.limit // 3600} hours at most"
        case Start():
            where = step.address or "the address that DHCP gives it"
            return f"start it with {step.memory.human} of memory; wait until ssh answers at {where}"
        case _:
            assert_never(step)


def commands_of(step: Step) -> tuple[Command, ...]:
    """What a person would type for it."""
    match step:
        case StopDomain():
            limit = ("timeout", str(step.limit))
            return ((*limit, "xl", "shutdown", "-w", str(step.domid)), ("xl", "destroy", str(step.domid)))
        case DestroyDomain():
            return (("xl", "destroy", str(step.domid)),)
        case ChangeVolume():
            return storage.commands_of(step.step)
        case PlaceFiles():
            made = ("install", "--directory", "--mode=700", step.folder)
            return (made, ("cp", "--recursive", f"{step.build}/.", step.folder))
        case Install() | Start():
            return (("xl", "create", step.config),)
        case _:
            assert_never(step)
