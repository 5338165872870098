"""What a template sees: one guest, how its installer reaches the archive, its secrets, its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from builder.media.mirror import Mirror, MirrorAnswers
from builder.profile.disks import Volume
from builder.profile.model import Guest, User
from builder.profile.nics import Static4, Static6
from builder.secret import Secret
from builder.xen.boot import console_of, needs_hook

# shadow(5): a field that is no hash lets no password in. Not "!", which user-setup-ask takes for no answer.
NO_PASSWORD = Secret("*")


@dataclass(frozen=True)
class PreseedContext:
    """Every name that a template may use: these fields, properties, `password` and `host_key`, no more."""

    guest: Guest
    mirror: MirrorAnswers
    secrets: Mapping[str, Secret]  # crypt hashes, by the path of their field, as guest.secrets() names them
    recipe: str | None = None  # partman's expert recipe on one line, when the profile has partitions of its own

    def password(self, account: str) -> Secret:
        """The crypt hash of `root` or a user; NO_PASSWORD where the profile gives none. KeyError: not resolved."""
        path = "root.password" if account == "root" else f"users.{account}.password"
        return self.secrets[path] if path in self.guest.secrets() else NO_PASSWORD

    def host_key(self, kind: str) -> tuple[Secret, ...]:
        """The lines of the private SSH host key of this kind. KeyError: the profile has none, or it is not resolved."""
        return tuple(map(Secret, self.secrets[f"ssh_host_keys.{kind}"].reveal().splitlines()))

    @cached_property
    def host_keys(self) -> tuple[str, ...]:
        """The kinds of SSH host keys that the profile has."""
        return tuple(self.guest.ssh_host_keys.sources)

    @cached_property
    def console(self) -> str:
        """The console of the installed system, as the kernel names it."""
        return console_of(self.guest)

    @cached_property
    def locale_language(self) -> str:
        """What the installer itself speaks: English, or C with the locale C."""
        return "C" if self.guest.locale.startswith("C") else "en"

    @cached_property
    def locale_country(self) -> str:
        """The country that the installer must be told beside the locale; empty where it follows from that (English).

        With C any will do: time zone, keyboard and mirror have answers of their own.
        """
        language, _, rest = self.guest.locale.partition("_")
        return "" if language == "en" else rest[:2] or "US"

    @cached_property
    def kernel_hook(self) -> bool:
        """Whether the installed system keeps kernels that GRUB for PV guests can read."""
        return needs_hook(self.guest)

    @cached_property
    def static(self) -> Static4 | Static6 | None:
        """The first NIC's fixed address, IPv4 before IPv6, for netcfg, which takes one; None: DHCP or SLAAC."""
        nic = self.guest.nics[0]
        if isinstance(nic.ipv4, Static4):
            return nic.ipv4
        return nic.ipv6 if nic.ipv4 == "none" and isinstance(nic.ipv6, Static6) else None

    @cached_property
    def mirror_url(self) -> str:
        """Where the installer finds the archive."""
        return f"{self.mirror.protocol}://{self.mirror.hostname}{self.mirror.directory}"

    @cached_property
    def mirror_behind(self) -> str:
        """The mirror's own URL when the installer's leads through a cacher, else empty."""
        return str(Mirror(self.mirror_url).behind or "")

    @cached_property
    def security_host(self) -> str:
        """The value from which apt-setup makes `http://HOST/debian-security` (generators/91security)."""
        return self.mirror.hostname + self.mirror.directory.rstrip("/").rpartition("/")[0]

    @cached_property
    def first_user(self) -> User | None:
        """The one whom user-setup makes."""
        return next(iter(self.guest.users), None)

    @cached_property
    def further_users(self) -> tuple[User, ...]:
        """Those made by a late step."""
        return self.guest.users[1:]

    @cached_property
    def ssh_keys(self) -> dict[str, tuple[str, ...]]:
        """Keys by account, each once, in order."""
        return self.guest.login_keys

    @cached_property
    def packages(self) -> tuple[str, ...]:
        """As wanted_packages has them."""
        return wanted_packages(self.guest)

    @cached_property
    def mounts(self) -> tuple[Volume, ...]:
        """Data volumes with a mount point, outer ones first."""
        return mounted_volumes(self.guest)


def mounted_volumes(guest: Guest) -> tuple[Volume, ...]:
    """Data volumes with a mount point, outer ones first."""
    return tuple(sorted((volume for volume in guest.volumes if volume.mount), key=lambda it: it.mount or ""))


def wanted_packages(guest: Guest) -> tuple[str, ...]:
    """The profile's packages, and those without which other fields of it would mean nothing."""
    needed = {
        "openssh-server": bool(guest.login_keys or guest.ssh_host_keys.sources),
        "sudo": any(user.sudo for user in guest.users),
        "xfsprogs": any(volume.filesystem == "xfs" for volume in mounted_volumes(guest)),
        "zstd": needs_hook(guest),
    }
    return tuple(dict.fromkeys([*guest.packages, *(name for name, wanted in needed.items() if wanted)]))
