"""What is read of a dom0, typed: each fact known or unknown with the reason. `builder.host.dom0` fills it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from builder.media.keyring import ArchiveKey
from builder.storage.facts import StorageFacts
from builder.units import Size
from builder.xen.boot_facts import BootFacts
from builder.xen.doctor.fact import Fact, Unknown
from builder.xen.doctor.grub import GrubMenu
from builder.xen.readings import Domain, XenInfo

_UNREAD = Unknown("it was not looked at")


@dataclass(frozen=True, slots=True)
class Role:
    """What this machine is to Xen, and how that was seen."""

    xen: bool
    dom0: bool
    why: str


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface of dom0; `ports` only of a bridge."""

    is_bridge: bool
    is_up: bool
    ports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """An nftables table; `drops` are its chains of hook forward with policy drop."""

    family: str
    name: str
    rules: int
    drops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkTrial:
    """A change of dom0's network that is not over; `waits`: for its confirmation, in this very boot."""

    id: str
    waits: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit; `state` is UnitFileState (enabled, disabled, generated ...), empty where there is none."""

    loaded: bool
    state: str
    active: str
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AutoStart:
    """An entry of /etc/xen/auto in the order of starting; `guest` is the name in its config, None when dangling."""

    entry: str
    target: str
    guest: str | None


@dataclass(frozen=True, slots=True)
class Space:
    """The file system below a folder; `used` is what lies in the folder itself, where it was counted."""

    folder: str
    exists: bool
    size: Size
    free: Size
    mount: str


@dataclass(frozen=True, slots=True)
class Hoard:
    """What lies in a folder: files, bytes, and the times of the oldest and newest file."""

    folder: str
    files: int
    size: Size
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Cacher:
    """An apt-cacher: what it calls itself (empty: no answer), its report's figures, and what it made of a request.

    `status`: of the mirror's InRelease by way of it, 0 when nothing came, None for https, which it does not look into.
    `here`: it is on this machine.
    """

    url: str
    server: str
    report: str
    status: int | None
    said: str
    here: bool
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClockState:
    """Is the kernel's clock set by NTP, and is there a service that could (systemd's CanNTP)?"""

    synchronised: bool
    can: bool


@dataclass(frozen=True, slots=True)
class Skew:
    """How far another machine's clock is ahead of ours, in seconds, and whose it is."""

    seconds: float
    teller: str


@dataclass(frozen=True, slots=True)
class Dom0Facts:
    """Everything that the checks judge. A made-up dom0 in a test names only what it is about."""

    now: datetime
    is_root: bool = True
    role: Fact[Role] = _UNREAD
    hypervisor: Fact[XenInfo] = _UNREAD
    utils: Fact[tuple[str, ...]] = _UNREAD  # releases of xen-utils installed, as in 4.17
    images: Fact[tuple[str, ...]] = _UNREAD  # Xen's in /boot, as in xen-4.17-amd64.gz
    domains: Fact[tuple[Domain, ...]] = _UNREAD
    grub: Fact[GrubMenu | None] = _UNREAD  # None: no GRUB here
    grub_settings: Fact[Mapping[str, str]] = _UNREAD
    xen_settings: Fact[Mapping[str, str] | None] = _UNREAD  # /etc/default/xen; None: there is no such file
    texts: Mapping[str, Fact[str | None]] = field(default_factory=dict)  # files that a fix may change
    release: Fact[Mapping[str, str] | None] = _UNREAD  # os-release(5)
    trial: Fact[NetworkTrial | None] = _UNREAD
    init_reads: Fact[frozenset[str]] = _UNREAD  # variables that what starts xenconsoled looks at
    xl_settings: Fact[Mapping[str, str]] = _UNREAD  # /etc/xen/xl.conf
    daemons: Fact[Mapping[str, tuple[str, ...]]] = _UNREAD  # name -> argv of those that run
    boot: Fact[BootFacts] = _UNREAD
    auto: Fact[tuple[AutoStart, ...] | None] = _UNREAD
    xendomains: Fact[Unit] = _UNREAD
    xendomains_settings: Fact[Mapping[str, str] | None] = _UNREAD
    saved: Fact[tuple[str, ...]] = _UNREAD  # names of saved states
    storage: Fact[StorageFacts] = _UNREAD
    links: Fact[Mapping[str, Link]] = _UNREAD
    sysctls: Mapping[str, Fact[str | None]] = field(default_factory=dict)
    tables: Fact[tuple[Table, ...]] = _UNREAD
    files: Mapping[str, Fact[bool]] = field(default_factory=dict)  # path -> is there
    packages: Fact[Mapping[str, str]] = _UNREAD  # installed name -> version
    keyrings: Mapping[str, Fact[tuple[ArchiveKey, ...]]] = field(default_factory=dict)
    cachers: Fact[tuple[Cacher, ...]] = _UNREAD
    no_cacher: str = ""  # why none is asked for, where none is
    cacher_hoard: Fact[Hoard | None] = _UNREAD
    clock: Fact[ClockState] = _UNREAD
    skew: Fact[Skew] = _UNREAD
    newest_release: Fact[datetime | None] = _UNREAD  # of the verified Releases that the cache remembers
    spaces: Mapping[str, Fact[Space]] = field(default_factory=dict)  # purpose -> space
    console_hoard: Fact[Hoard | None] = _UNREAD
    dumps: Fact[Hoard | None] = _UNREAD
    rotated: Fact[bool] = _UNREAD  # something in /etc/logrotate.d covers the consoles

    def text(self, path: str) -> Fact[str | None]:
        """A file that a fix may change; None where it is not there."""
        return self.texts.get(path, _UNREAD)

    def sysctl(self, name: str) -> Fact[str | None]:
        """A kernel setting by its path below /proc/sys; None where there is no such."""
        return self.sysctls.get(name, _UNREAD)

    def has(self, path: str) -> Fact[bool]:
        """Is there such a file?"""
        return self.files.get(path, _UNREAD)

    def space(self, purpose: str) -> Fact[Space]:
        """The file system below what serves this purpose."""
        return self.spaces.get(purpose, _UNREAD)
