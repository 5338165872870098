"""What a site wants of its dom0: its guests, what dom0.yaml says, and where things are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from builder.profile.dom0 import NO_DOM0, Dom0
from builder.profile.model import Guest
from builder.xen.network.plan import NetworkPlan
from builder.xen.network.sysctls import Sysctl

DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True, slots=True)
class Needs:
    """`site`: its folder, empty when asked outside of any. `dom0`: what profiles/dom0.yaml says of it."""

    site: str = ""
    guests: tuple[Guest, ...] = ()
    unsound: tuple[str, ...] = ()
    dom0: Dom0 = NO_DOM0
    keyrings: Mapping[str, frozenset[str]] = field(default_factory=lambda: {DEBIAN_KEYRING: frozenset()})
    folders: Mapping[str, str] = field(default_factory=dict)  # purpose (of_storage.LEAST) -> folder
    network: NetworkPlan | None = None  # where dom0.yaml has networks that fit the guests

    @property
    def bridges(self) -> dict[str, set[str]]:
        """Bridge -> the modes of the vifs on it."""
        found: dict[str, set[str]] = {}
        for guest in self.guests:
            for nic in guest.nics:
                if nic.bridge:
                    found.setdefault(nic.bridge, set()).add(nic.mode)
        return found

    @property
    def switches(self) -> set[str]:
        """Bridges that Open vSwitch makes, which are none to the kernel."""
        known = self.network.dom0.networks if self.network else ()
        return {one.name for one in known if one.kind == "openvswitch"}

    @property
    def sysctls(self) -> tuple[Sysctl, ...]:
        """Kernel settings that the network plan wants."""
        return self.network.sysctls if self.network else ()

    @property
    def network_files(self) -> Mapping[str, str]:
        """Path -> text of the network plan's files."""
        return {one.path: one.text for one in self.network.files} if self.network else {}

    @property
    def modes(self) -> set[str]:
        """Of all vifs: bridge, routed, nat."""
        return {nic.mode for guest in self.guests for nic in guest.nics}

    @property
    def types(self) -> set[str]:
        """Of all guests: pv, pvh, hvm."""
        return {guest.type for guest in self.guests}


def needs_of(
    site: str,
    guests: tuple[Guest, ...],
    unsound: tuple[str, ...],
    dom0: Dom0 = NO_DOM0,
    network: NetworkPlan | None = None,
) -> Needs:
    """The needs of these guests, keyrings as the profiles name them."""
    keyrings: dict[str, set[str]] = {}
    for guest in guests:
        path = guest.keyring if guest.keyring.startswith("/") or not site else f"{site}/{guest.keyring}"
        keyrings.setdefault(path, set()).add(guest.suite)
    folders = {"cache": f"{site}/cache"} if site else {}
    folders |= {"artefacts": guests[0].dom0_path} if guests else {}
    frozen = {path: frozenset(suites) for path, suites in keyrings.items()} or {DEBIAN_KEYRING: frozenset()}
    return Needs(site, guests, unsound, dom0, frozen, folders, network)
