"""The steps of a rebuild, with their words and the command lines that a person would type; nothing runs here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from builder.storage import steps as storage
from builder.units import Size

Command = tuple[str, ...]
# Seconds that a guest has to shut down before it is destroyed; systemd's own limit for a stop job is 90.
SHUTDOWN_LIMIT = 120
# The installer took 31 to 64 minutes in QEMU without KVM; on hardware it is quicker.
INSTALL_LIMIT = 3 * 3600
SSH = 22


@dataclass(frozen=True, slots=True)
class StopDomain:
    """Ask the guest's system to shut down, and destroy the domain when it has not after `limit` seconds."""

    guest: str
    domid: int
    uuid: str
    limit: int = SHUTDOWN_LIMIT


@dataclass(frozen=True, slots=True)
class DestroyDomain:
    """Take away a domain whose system has stopped by itself, or an installer's."""

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
    """Start the installer in a domain of this UUID and watch it to its end, `limit` seconds at most."""

    guest: str
    uuid: str
    config: str
    memory: Size
    limit: int = INSTALL_LIMIT


@dataclass(frozen=True, slots=True)
class Start:
    """Start what was installed, in a domain of this UUID."""

    guest: str
    uuid: str
    config: str
    memory: Size


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until the guest answers: `command` succeeds, if there is one, else something answers on `port`.

    `address` is empty where DHCP gives it: then a login prompt on the console counts.
    """

    guest: str
    address: str
    port: int
    command: Command
    limit: int


@dataclass(frozen=True, slots=True)
class RunHook:
    """A program of the profile's `after`, run in dom0; `number` counts from 1."""

    guest: str
    number: int
    address: str
    command: Command
    limit: int


@dataclass(frozen=True, slots=True)
class RemoveLink:
    """Take away the link by which xendomains starts the guest with dom0."""

    guest: str
    path: str
    target: str


@dataclass(frozen=True, slots=True)
class RemoveFiles:
    """Take away the guest's folder on dom0, with these names in it and no others."""

    guest: str
    folder: str
    names: tuple[str, ...]


Step: TypeAlias = (
    StopDomain | DestroyDomain | ChangeVolume | PlaceFiles | Install | Start | Wait | RunHook | RemoveLink | RemoveFiles
)


def describe(step: Step) -> str:
    """The step in words."""
    match step:
        case StopDomain():
            return f"shut it down (domain {step.domid}); destroy the domain if it runs after {step.limit} s"
        case DestroyDomain():
            return f"take its domain away (domain {step.domid})"
        case ChangeVolume():
            return storage.describe(step.step)
        case PlaceFiles():
            instead = ", instead of an earlier build's" if step.replaces else ""
            return f"copy kernel, initrd and configs to {step.folder} ({step.size.human}){instead}"
        case Install():
            return f"install with {step.memory.human} of memory, {span(step.limit)} at most"
        case Start():
            return f"start it with {step.memory.human} of memory"
        case Wait():
            return f"wait until {_sign(step)}, {span(step.limit)} at most"
        case RunHook():
            return f"run {step.command[0]}, {span(step.limit)} at most"
        case RemoveLink():
            return f"let xendomains start it no more: remove {step.path}"
        case RemoveFiles():
            return f"remove {step.folder}: {', '.join(step.names) or 'it is empty'}"
        case _:
            assert_never(step)


def title(step: Step) -> str:
    """What is done, in a few words, for a line of progress."""
    match step:
        case StopDomain():
            return "shut down"
        case DestroyDomain():
            return "take its old domain away"
        case ChangeVolume():
            return storage.describe(step.step)
        case PlaceFiles():
            return "copy its files"
        case Install():
            return "install"
        case Start():
            return "start"
        case Wait():
            return "wait until it answers"
        case RunHook():
            return f"run {step.command[0]}"
        case RemoveLink():
            return "take its start with dom0 away"
        case RemoveFiles():
            return "remove its files"
        case _:
            assert_never(step)


def span(seconds: int) -> str:
    """A limit in words: `3 hours`, `10 minutes`, `90 s`."""
    for unit, name in ((3600, "hour"), (60, "minute")):
        if seconds >= unit and seconds % unit == 0:
            count = seconds // unit
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{seconds} s"


def _sign(step: Wait) -> str:
    if step.command:
        return f"{step.command[0]} says that it is ready"
    if not step.address:
        return "its console asks for a login"
    return f"{'ssh' if step.port == SSH else f'port {step.port}'} answers at {step.address}"


def commands_of(step: Step) -> tuple[Command, ...]:
    """What a person would type for it."""
    return tuple(_commands(step))


def _commands(step: Step) -> Iterator[Command]:
    match step:
        case StopDomain():
            yield ("timeout", str(step.limit), "xl", "shutdown", "-w", str(step.domid))
            yield ("xl", "destroy", str(step.domid))
        case DestroyDomain():
            yield ("xl", "destroy", str(step.domid))
        case ChangeVolume():
            yield from storage.commands_of(step.step)
        case PlaceFiles():
            yield ("install", "--directory", "--mode=700", step.folder)
            yield ("cp", "--recursive", f"{step.build}/.", step.folder)
        case Install() | Start():
            yield ("xl", "create", step.config)
        case Wait():
            yield step.command or (
                ("ssh-keyscan", "-p", str(step.port), step.address) if step.address else ("xl", "console", step.guest)
            )
        case RunHook():
            yield step.command
        case RemoveLink():
            yield ("rm", step.path)
        case RemoveFiles():
            yield from [("rm", "--recursive", *(f"{step.folder}/{name}" for name in step.names))] if step.names else []
            yield ("rmdir", step.folder)
        case _:
            assert_never(step)
