"""What the linter is told besides the file. All of it may be unknown: then the rules that need it find nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from builder.preseed.catalogue import Catalogue
from builder.preseed.partman import RULES, Label
from builder.profile.model import Guest, GuestType, Suite
from builder.units import Size

# initrd: /preseed.cfg, before the first question; file: preseed/file on the medium; network: preseed/url.
Loading = Literal["initrd", "file", "network"]


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the installer will meet: the disks it sees, as in /dev/xvda, and the first one's size.

    Of another's file nobody may know the type (None) or the disks (none): rules that need them then find nothing.
    """

    type: GuestType | None
    disks: tuple[str, ...]
    disk_size: Size | None = None
    ram: Size | None = None
    label: Label = "msdos"


@dataclass(frozen=True, slots=True)
class Given:
    """`catalogue`: of the suite to judge by; `others`: of other suites, to say where a question went.

    `shell_errors`: what a shell says of the commands that it cannot parse, by the command's text, without its place;
    builder.preseed.commands tells which commands to ask it about.
    """

    catalogue: Catalogue | None = None
    others: tuple[Catalogue, ...] = ()
    loading: Loading | None = None
    hardware: Hardware | None = None
    shell_errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def suite(self) -> Suite | None:
        """The catalogue's, when it is one whose partman is known."""
        name = self.catalogue.suite if self.catalogue else ""
        return next((suite for suite in RULES if suite == name), None)


NOTHING = Given()


def hardware_of(guest: Guest, disk_size: Size | None = None) -> Hardware:
    """A guest of ours as its installer sees it: of its disks only the system disk is attached then."""
    return Hardware(guest.type, (guest.disk_device,), disk_size, guest.memory_for_install, guest.label)
