"""What a guest tells of itself, as types. Each fact is known, or unknown for a reason; none is made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from builder.units import Size
from builder.xen.doctor.fact import Fact


@dataclass(frozen=True, slots=True)
class System:
    """Debian's suite and architecture."""

    suite: str
    arch: str


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """/sys/hypervisor: `kind` is xen below Xen and empty without it; `mode` PV, PVH or HVM; `uuid` the domain's."""

    kind: str
    mode: str
    uuid: str


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of the guest: its size, its partition table (dos, gpt; empty: none), its partitions with their sizes."""

    size: Size
    table: str
    partitions: Mapping[str, Size]


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system."""

    point: str
    filesystem: str
    source: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface and its addresses, without those of the link alone; `leased` are not for ever."""

    name: str
    mac: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    leased: frozenset[IPv4Interface | IPv6Interface] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """A default route; `advertised`: by a router, not by the guest's own settings."""

    gateway: IPv4Address | IPv6Address | None
    interface: str
    advertised: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """A login. `password`: set, locked or none (everybody gets in); empty where the guest does not tell."""

    name: str
    uid: int
    password: str


@dataclass(frozen=True, slots=True)
class BootFiles:
    """What GRUB starts: kernels by version; those made ready for PV GRUB, and those of them it could not read."""

    kernels: frozenset[str]
    ready: frozenset[str]
    unfit: frozenset[str]
    menu: frozenset[str]  # versions that grub.cfg offers from /boot/xen
    hooks: frozenset[str]
    has_core: bool


@dataclass(frozen=True, slots=True)
class ServerKey:
    """A host key: fingerprint of the public half, mode and owner of the private one, and whether sshd uses it."""

    path: str
    fingerprint: str
    mode: int
    owner: int
    used: bool


@dataclass(frozen=True, slots=True)
class LateLog:
    """What the late commands left: how many steps ran (None: there is no log), and the failed ones."""

    steps: int | None
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Units:
    """systemd's state (running, degraded, starting ...) and its failed units."""

    state: str
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GuestFacts:
    """All that a guest told; each fact known, or unknown for a reason."""

    kernel: Fact[str]
    system: Fact[System]
    hypervisor: Fact[Hypervisor]
    drivers: Fact[Mapping[str, str]]
    memory: Fact[Size]
    vcpus: Fact[int]
    disks: Fact[Mapping[str, Disk]]
    mounts: Fact[Mapping[str, Mount]]
    swaps: Fact[Mapping[str, Size]]
    entries: Fact[Mapping[str, int]]
    interfaces: Fact[tuple[Interface, ...]]
    routes4: Fact[tuple[Route, ...]]
    routes6: Fact[tuple[Route, ...]]
    name_servers: Fact[tuple[str, ...]]
    host_name: Fact[str]
    fqdn: Fact[str]
    time_zone: Fact[str]
    locale: Fact[str]
    accounts: Fact[Mapping[str, Account]]
    sudoers: Fact[frozenset[str]]
    keys: Fact[Mapping[str, frozenset[str]]]
    packages: Fact[Mapping[str, str]]
    arguments: Fact[tuple[str, ...]]
    boot: Fact[BootFiles]
    server_keys: Fact[tuple[ServerKey, ...]]
    late: Fact[LateLog]
    units: Fact[Units]
