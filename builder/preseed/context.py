"""What a template sees: one guest, how its installer reaches the archive, its secrets, its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from builder.profile.model import Guest, Nic, Static4, Static6, User, Volume
from builder.secret import Secret

# Names that user-setup refuses for the first user: usr/lib/user-setup/reserved-usernames of user-setup-udeb 1.107.
_RESERVED = """
    root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody
    adm tty disk kmem dialout fax voice cdrom floppy tape sudo audio dip operator src shadow utmp video sasl plugdev
    staff users nogroup
    netplan ftn mysql tac-plus alias qmail qmaild qmails qmailr qmailq qmaill qmailp asterisk vpopmail vchkpw slurm
    hacluster haclient grsec-tpe grsec-sock-all grsec-sock-clt grsec-sock-srv grsec-proc ceph opensrf libvirt-qemu
    admin bind crontab cupsys dcc dhcp dictd dnsmasq dovecot fetchmail firebird ftp fuse gdm haldaemon hplilp identd
    input jwhois klog kvm lpadmin messagebus mythtv netdev powerdev radvd render saned sbuild scanner slocate ssh sshd
    ssl-cert sslwrap statd syslog telnetd tftpd
"""
RESERVED_USERS = frozenset(_RESERVED.split())
# Of those, the ones that base-passwd makes: no account can be made under such a name.
_SYSTEM = "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc nobody"
SYSTEM_USERS = frozenset(_SYSTEM.split())


@dataclass(frozen=True, slots=True)
class MirrorAnswers:
    """What the installer is told of the archive.

    `http://cacher:3142/mirror.example.org/debian` has the cacher as hostname and the rest as directory; then `behind`
    is the mirror's own URL, else it is empty.
    """

    protocol: str
    hostname: str
    directory: str
    proxy: str = ""
    behind: str = ""

    @property
    def url(self) -> str:
        """Where the installer finds the archive."""
        return f"{self.protocol}://{self.hostname}{self.directory}"

    @property
    def security_host(self) -> str:
        """The value from which apt-setup makes `http://HOST/debian-security` (generators/91security)."""
        return self.hostname + self.directory.rsplit("/", 1)[0]


@dataclass(frozen=True, slots=True)
class InstallNic:
    """The NIC that the installer uses: the first with an address. It finds it by `mac`."""

    mac: str
    nic: Nic

    @property
    def static(self) -> Static4 | Static6 | None:
        """The address for netcfg, which takes one family: IPv4 where it is static; None: DHCP or SLAAC."""
        if isinstance(self.nic.ipv4, Static4):
            return self.nic.ipv4
        if self.nic.ipv4 == "none" and isinstance(self.nic.ipv6, Static6):
            return self.nic.ipv6
        return None


@dataclass(frozen=True)
class PreseedContext:
    """Every name that a template may use: these fields and properties, no more."""

    guest: Guest
    mirror: MirrorAnswers
    secrets: Mapping[str, Secret]  # crypt hashes, by the path of their field: root.password, users.NAME.password
    recipe: str | None = None  # partman's expert recipe on one line, when the profile has partitions of its own

    @cached_property
    def console(self) -> str:
        """The console of the installed system, as the kernel names it; xl's serial port in an HVM guest."""
        return console(self.guest)

    @cached_property
    def install_nic(self) -> InstallNic | None:
        """None when no NIC has an address."""
        pairs = zip(self.guest.macs, self.guest.nics, strict=True)
        return next((InstallNic(mac, nic) for mac, nic in pairs if (nic.ipv4, nic.ipv6) != ("none", "none")), None)

    @cached_property
    def first_user(self) -> User | None:
        """The one whom user-setup makes; it refuses some names, whose accounts a late step makes instead."""
        return next((user for user in self.guest.users if user.name not in RESERVED_USERS), None)

    @cached_property
    def further_users(self) -> tuple[User, ...]:
        """Those made by a late step."""
        return tuple(user for user in self.guest.users if user is not self.first_user)

    def password(self, path: str) -> Secret:
        """The crypt hash of a field; without one `*`, which no password matches (shadow(5))."""
        return self.secrets.get(path, Secret("*"))

    @cached_property
    def ssh_keys(self) -> dict[str, tuple[str, ...]]:
        """Keys by account, each once, in order; guest.ssh_keys are root's and every sudoer's."""
        own = {"root": self.guest.root.ssh_keys, **{user.name: user.ssh_keys for user in self.guest.users}}
        shared = {"root", *(user.name for user in self.guest.users if user.sudo)}
        keys = {name: (*given, *(self.guest.ssh_keys if name in shared else ())) for name, given in own.items()}
        return {name: tuple(dict.fromkeys(found)) for name, found in keys.items() if found}

    @cached_property
    def packages(self) -> tuple[str, ...]:
        """The profile's packages, and those without which other fields of it would mean nothing."""
        guest = self.guest
        needed = {
            "openssh-server": bool(self.ssh_keys),
            "sudo": any(user.sudo for user in guest.users),
            "systemd-timesyncd": guest.ntp,
            "xfsprogs": any(volume.filesystem == "xfs" for volume in self.mounts),
        }
        return tuple(dict.fromkeys([*guest.packages, *(name for name, wanted in needed.items() if wanted)]))

    @cached_property
    def mounts(self) -> tuple[Volume, ...]:
        """Data volumes with a mount point, outer ones first."""
        return tuple(sorted((volume for volume in self.guest.volumes if volume.mount), key=lambda it: it.mount or ""))


def console(guest: Guest) -> str:
    """hvc0 is Xen's own console; of an HVM guest xl attaches to the serial port."""
    return "ttyS0" if guest.type == "hvm" else "hvc0"
