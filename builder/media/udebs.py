"""Which udebs an installation will pull from its mirror, chosen as anna and libdebian-installer choose them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from debian.deb822 import Deb822
from debian.debian_support import Version

from builder.findings import Finding
from builder.media.packages import Package, parse_package, read_stanzas

# anna.c, choose_modules(): these are taken without being asked for.
_STANDARD = {"required", "important", "standard"}
_PRIORITIES = ("extra", "optional", "standard", "important", "required")  # the order of di_package_priority
# What udebs ask for while they run, whatever the layout: partman-base's init.d calls anna-install for these when
# memory allows (237 in trixie: 7.5 MB free), and a failure stops at net-retriever's error dialog.
ASKED_BY_PARTMAN = ("partman-auto-lvm", "partman-auto-crypto")


@dataclass(frozen=True, slots=True)
class Udeb:
    """A package of the installer. `kernel` is the one ABI it fits, or empty; relations are names alone."""

    package: Package
    priority: str
    kernel: str
    depends: tuple[str, ...]
    provides: tuple[str, ...]
    subarchitectures: tuple[str, ...]

    @property
    def rank(self) -> int:
        """Position of its priority, the higher the more wanted."""
        return _PRIORITIES.index(self.priority) if self.priority in _PRIORITIES else 0


@dataclass(frozen=True, slots=True)
class Present:
    """A udeb that is in the initrd already."""

    version: str
    provides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UdebPlan:
    """What will be pulled: by anna before anything else, and by partman later on. Sorted by name, each once."""

    anna: tuple[Udeb, ...]
    partman: tuple[Udeb, ...]

    @property
    def all(self) -> tuple[Udeb, ...]:
        """Both."""
        return tuple(sorted((*self.anna, *self.partman), key=lambda udeb: udeb.package.name))


@dataclass(frozen=True, slots=True)
class Preflight:
    """What an installation will pull and what of it the mirror cannot give; errors in `findings` refuse a rebuild."""

    suite: str
    arch: str
    mirror: str  # without a password
    kernel_abi: str
    plan: UdebPlan
    missing: tuple[Udeb, ...]
    findings: tuple[Finding, ...]


def parse_udebs(index: bytes) -> tuple[Udeb, ...]:
    """Every stanza of a `debian-installer` Packages index, unpacked; BuilderError when it cannot be read."""
    return tuple(
        Udeb(
            parse_package(stanza),
            stanza.get("Priority", "extra"),
            stanza.get("Kernel-Version", ""),
            _names(stanza, "Depends"),
            _names(stanza, "Provides"),
            tuple(stanza.get("Subarchitecture", "").split()),
        )
        for stanza in read_stanzas(index)
    )


def parse_present(status: str) -> dict[str, Present]:
    """The initrd's dpkg status, by name."""
    return {
        stanza["Package"]: Present(stanza.get("Version", ""), _names(stanza, "Provides"))
        for stanza in read_stanzas(status.encode())
        if "Package" in stanza
    }


def _names(stanza: Deb822, field: str) -> tuple[str, ...]:
    """Names of a relation; of alternatives the first, as libdebian-installer knows no others."""
    found = (re.match(r"[a-z0-9][a-z0-9+.-]*", part.strip()) for part in stanza.get(field, "").split(","))
    return tuple(match[0] for match in found if match)


def check_kernel(udebs: Iterable[Udeb], abi: str, *, mirror: str) -> Finding | None:
    """Whether the mirror has modules for the kernel that the installer boots; an error when not.

    Without them there is no disk: xen-blkfront is in scsi-modules, which is not in the netboot initrd.
    """
    offered = sorted({udeb.kernel for udeb in udebs if udeb.kernel})
    if abi in offered:
        return None
    return Finding(
        "M301",
        f"the installer boots kernel {abi}, and {mirror} has modules for {', '.join(offered) or 'none'} only",
        "the archive has moved on since this build: domu fetch --upgrade",
    )


def plan_udebs(udebs: Sequence[Udeb], *, present: dict[str, Present], abi: str) -> UdebPlan:
    """What an installation with this initrd and kernel will ask the mirror for."""
    fitting = [
        udeb
        for udeb in udebs
        if udeb.kernel in {"", abi} and (not udeb.subarchitectures or "generic" in udeb.subarchitectures)
    ]
    resolver = _Resolver(fitting, present)
    first = [udeb for udeb in fitting if udeb.priority in _STANDARD and not _is_current(udeb, present)]
    anna = resolver.pull(first)
    partman = resolver.pull(
        [resolver.newest[name] for name in ASKED_BY_PARTMAN if name in resolver.newest and name not in present]
    )
    return UdebPlan(anna, partman)


def _is_current(udeb: Udeb, present: dict[str, Present]) -> bool:
    """As is_installed() of anna's util.c: there, and not older than the mirror's."""
    there = present.get(udeb.package.name)
    try:
        return there is not None and Version(there.version) >= udeb.package.sort_key
    except ValueError:
        return False  # a version that is none: anna plays safe and fetches


class _Resolver:
    """Marks dependencies as libdebian-installer: what is present is accepted, what does not exist is passed over."""

    def __init__(self, udebs: Iterable[Udeb], present: dict[str, Present]) -> None:
        self.newest: dict[str, Udeb] = {}
        for udeb in sorted(udebs, key=lambda udeb: udeb.package.sort_key):
            self.newest[udeb.package.name] = udeb
        self._present = set(present) | {name for there in present.values() for name in there.provides}
        self._providers: dict[str, list[Udeb]] = {}
        for udeb in self.newest.values():
            for name in udeb.provides:
                self._providers.setdefault(name, []).append(udeb)
        self._marked: set[str] = set()

    def pull(self, wanted: Iterable[Udeb]) -> tuple[Udeb, ...]:
        """These and all that they depend on, without what was pulled before."""
        before = set(self._marked)
        todo = [self.newest[udeb.package.name] for udeb in wanted]
        # All that are wanted for themselves are marked first: a provider among them is preferred to others.
        wanted_names = {udeb.package.name for udeb in todo}
        while todo:
            udeb = todo.pop()
            if udeb.package.name in self._marked:
                continue
            self._marked.add(udeb.package.name)
            for name in udeb.depends:
                todo += self._choose(name, wanted_names)
        return tuple(self.newest[name] for name in sorted(self._marked - before))

    def _choose(self, name: str, wanted_names: set[str]) -> list[Udeb]:
        if name in self._present:
            return []
        if name in self.newest:
            return [self.newest[name]]
        chosen = sorted(
            self._providers.get(name, ()),
            key=lambda udeb: (udeb.package.name in wanted_names | self._marked, udeb.rank),
            reverse=True,
        )
        return chosen[:1]


def check_missing(plan: UdebPlan, missing: Sequence[Udeb], *, suite: str, mirror: str) -> Finding | None:
    """An error when some of what will be asked for cannot be had: the installer stops there with a dialog."""
    if not missing:
        return None
    names = ", ".join(udeb.package.name for udeb in missing[:3]) + (", ..." if len(missing) > 3 else "")
    first, later = (len([udeb for udeb in part if udeb in missing]) for part in (plan.anna, plan.partman))
    return Finding(
        "M302",
        f"{mirror} lists but cannot give {first} of the {len(plan.anna)} udebs that an installation of {suite} pulls,"
        f" and {later} of the {len(plan.partman)} that partman asks for later: {names}",
        f"take a complete mirror; domu fetch --preflight --suite {suite} lists them all",
    )
