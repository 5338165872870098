"""Rules: what no field of a profile can say alone, of one guest (P1xx) and of all guests together (P2xx)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address

from builder.findings import NOWHERE, Finding, Place, Severity
from builder.profile import rules_run, rules_storage
from builder.profile.fields import Percent, SizeOrPercent
from builder.profile.model import LEAST_INSTALL_MEMORY, Guest, GuestType
from builder.profile.nics import Nic, Static4, Static6
from builder.units import Size

Origins = Mapping[str, Place]
Rule = Callable[[Guest], Iterator[tuple[str, Finding]]]
# Type -> ways to start the installed guest. Which of them works with which kernel is the boot matrix's to say.
BOOTLOADERS: Mapping[GuestType, tuple[str, ...]] = {
    "pv": ("auto", "pvgrub", "pygrub", "direct"),
    "pvh": ("auto", "pvhgrub", "pygrub", "direct"),
    "hvm": ("auto", "firmware", "direct"),
}
# user-setup 1.95, /usr/lib/user-setup/reserved-usernames: the installer stops at a question for these.
RESERVED_USERS = frozenset(
    name
    for line in (
        "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody adm",
        "tty disk kmem dialout fax voice cdrom floppy tape sudo audio dip operator src shadow utmp video sasl",
        "plugdev staff users nogroup netplan ftn mysql tac-plus alias qmail qmaild qmails qmailr qmailq",
        "qmaill qmailp asterisk vpopmail vchkpw slurm hacluster haclient grsec-tpe grsec-sock-all",
        "grsec-sock-clt grsec-sock-srv grsec-proc ceph opensrf libvirt-qemu admin Debian-exim bind crontab",
        "cupsys dcc dhcp dictd dnsmasq dovecot fetchmail firebird ftp fuse gdm haldaemon hplilp identd input",
        "jwhois klog kvm lpadmin messagebus mythtv netdev powerdev radvd render saned sbuild scanner slocate",
        "ssh sshd ssl-cert sslwrap statd syslog telnetd tftpd",
    )
    for name in line.split()
)
# What is in front of the initrd, or of the installer's own: a file of the site there would take their place.
_TAKEN_PATHS = frozenset({"/preseed.cfg", "/init", "/bin", "/sbin", "/lib", "/lib64", "/usr", "/etc", "/dev", "/proc"})


def check_guest(guest: Guest, origins: Origins) -> Iterator[Finding]:
    """Findings about one guest, each at the line that set the value."""
    for rule in GUEST_RULES:
        for path, finding in rule(guest):
            yield _placed(finding, guest, origins, path)


def check_fleet(
    guests: Mapping[str, Guest], origins: Mapping[str, Origins], known: Collection[str]
) -> Iterator[Finding]:
    """What two guests cannot both have: a finding for each of the two. And what they say of one another.

    `known`: the names of all guests, also of those whose profile makes none.
    """
    for guest, path, finding in rules_run.start_order(guests, known):
        yield _placed(finding, guest, origins[guest.name], path)
    for code, thing, hint, claims in _CLAIMS:
        holders: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for name, guest in sorted(guests.items()):
            for path, value in claims(guest):
                holders[value].append((name, path))
        for value, held in holders.items():
            for name, path in held if len(held) > 1 else []:
                others = [_claim(origins, *other) for other in held if other != (name, path)]
                finding = Finding(code, f"{thing} {value} is taken by {', '.join(others)}, too", hint)
                yield _placed(finding, guests[name], origins[name], path)


def place_of(origins: Origins, path: str) -> Place:
    """Where the value at `path` was set, or the nearest one around it."""
    while path and path not in origins:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return origins.get(path, NOWHERE)


def _placed(finding: Finding, guest: Guest, origins: Origins, path: str) -> Finding:
    place = place_of(origins, path)
    return Finding(finding.code, finding.message, finding.hint, place, finding.severity, guest.name)


def _claim(origins: Mapping[str, Origins], name: str, path: str) -> str:
    return f"{name} ({place_of(origins[name], path)})"


def _arch(guest: Guest) -> Iterator[tuple[str, Finding]]:
    if guest.arch == "arm64" and guest.type != "pvh":
        yield "type", Finding("P101", f"Xen on arm64 has no {guest.type} guests", "write type: pvh")


def _login(guest: Guest) -> Iterator[tuple[str, Finding]]:
    keys = guest.ssh_keys or guest.root.ssh_keys or any(user.ssh_keys for user in guest.users)
    if not (keys or guest.root.password or any(user.password for user in guest.users)):
        hint = "give ssh_keys, or a password to root or a user"
        yield "users", Finding("P102", "nobody can log in to this guest", hint, severity=Severity.WARNING)


def _users(guest: Guest) -> Iterator[tuple[str, Finding]]:
    names = [user.name for user in guest.users]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield f"users[{number}].name", Finding("P103", f"the user {name} is there twice", "remove one")
        if name in RESERVED_USERS:
            message = f"the installer refuses the user name {name}: Debian's own packages use it"
            yield f"users[{number}].name", Finding("P103", message, "choose another")


def _media(guest: Guest) -> Iterator[tuple[str, Finding]]:
    if guest.media == "iso" and guest.iso == "auto" and not guest.iso_mirror:
        hint = "give the folder that holds the ISO, as in http://mirror.example.org/debian-cd/current/amd64/iso-cd"
        yield "iso", Finding("P104", "iso: auto needs iso_mirror", hint)
    if guest.media == "iso" and guest.iso != "auto" and not (guest.iso and guest.iso_sha256):
        hint = "give both: a path, and the digest from Debian's signed SHA256SUMS; or iso: auto and iso_mirror"
        yield "media", Finding("P104", "media: iso needs iso and iso_sha256", hint)
    if guest.iso_mirror and guest.iso != "auto":
        hint = "write iso: auto, or remove it"
        yield "iso_mirror", Finding("P104", "iso_mirror is not used", hint, severity=Severity.WARNING)
    if guest.media != "iso" and (guest.iso or guest.iso_sha256):
        hint = "write media: iso, or remove it"
        yield "iso", Finding("P104", "an ISO is named and not used", hint, severity=Severity.WARNING)
    if guest.memory_for_install < LEAST_INSTALL_MEMORY:
        message = f"with {guest.memory_for_install} the installer stops at a question about low memory"
        yield "install_memory", Finding("P105", message, f"give it {LEAST_INSTALL_MEMORY}, or leave install_memory out")


def _bootloader(guest: Guest) -> Iterator[tuple[str, Finding]]:
    if guest.bootloader not in (fitting := BOOTLOADERS[guest.type]):
        message = f"bootloader {guest.bootloader} cannot start a {guest.type} guest"
        yield "bootloader", Finding("P106", message, f"write one of {', '.join(fitting)}")


def _addresses(guest: Guest) -> Iterator[tuple[str, Finding]]:
    for number, nic in enumerate(guest.nics):
        for kind, static in (("ipv4", nic.ipv4), ("ipv6", nic.ipv6)):
            if isinstance(static, Static4 | Static6):
                for path, finding in _static(static):
                    yield f"nics[{number}].{kind}.{path}", finding


def _static(static: Static4 | Static6) -> Iterator[tuple[str, Finding]]:
    address, network, gateway = static.address.ip, static.address.network, static.gateway
    if address.is_multicast or address.is_loopback or address.is_unspecified:
        yield "address", Finding("P107", f"{address} is no address of a guest", "write the guest's own address")
    elif network.num_addresses > 2 and address in _edges(static):
        yield "address", Finding("P107", f"{address} is the whole network {network}", "write the guest's own address")
    if network.num_addresses == 1 and not gateway:
        message = f"{static.address} reaches nobody without a gateway"
        yield "address", Finding("P108", message, "give the gateway, or the prefix length of the guest's network")
    if gateway == address:
        yield "gateway", Finding("P108", f"the gateway {gateway} is the guest itself", "write the router's address")
    elif gateway and network.num_addresses > 1 and gateway not in network and not gateway.is_link_local:
        hint = f"write one in {network}, or the address with /{network.max_prefixlen} if the guest is routed"
        yield "gateway", Finding("P108", f"the gateway {gateway} is outside {network}", hint)


def _edges(static: Static4 | Static6) -> tuple[IPv4Address | IPv6Address, ...]:
    """Network and broadcast address; IPv6 has no broadcast."""
    network = static.address.network
    last = (network.broadcast_address,) if isinstance(static, Static4) else ()
    return (network.network_address, *last)


def _routes(guest: Guest) -> Iterator[tuple[str, Finding]]:
    for kind in ("ipv4", "ipv6"):
        routers = [number for number, nic in enumerate(guest.nics) if _gateway(nic, kind)]
        for number in routers[1:]:
            message = f"a second {'IPv4' if kind == 'ipv4' else 'IPv6'} gateway: the guest has one default route"
            yield f"nics[{number}].{kind}.gateway", Finding("P109", message, "keep the gateway of one NIC")
    first = guest.nics[0]
    if isinstance(first.ipv4, Static4):
        if not any(_gateway(nic, "ipv4") for nic in guest.nics):
            hint = "give a gateway unless mirror and name servers are in its own network"
            finding = Finding("P109", "no NIC has an IPv4 gateway", hint, severity=Severity.WARNING)
            yield "nics[0].ipv4", finding
        if not guest.dns:
            finding = Finding(
                "P110", "a fixed address, and no dns", "write dns: [192.0.2.1]", severity=Severity.WARNING
            )
            yield "nics[0].ipv4", finding
    if first.ipv4 == "none" and first.ipv6 == "none":
        yield "nics[0]", Finding("P109", "the NIC that installs has no address", "give the first NIC ipv4 or ipv6")


def _gateway(nic: Nic, kind: str) -> bool:
    static = nic.ipv4 if kind == "ipv4" else nic.ipv6
    return isinstance(static, Static4 | Static6) and static.gateway is not None


def _volumes(guest: Guest) -> Iterator[tuple[str, Finding]]:
    mounts = {partition.mount: "the system disk" for partition in guest.disk.partitions} | {"/": "the system disk"}
    names: set[str] = set()
    for number, volume in enumerate(guest.volumes):
        if volume.name in names:
            yield f"volumes[{number}].name", Finding("P111", f"the volume {volume.name} is there twice", "rename one")
        names.add(volume.name)
        if volume.mount in mounts:
            message = f"{volume.mount} is taken by {mounts[volume.mount]}"
            yield f"volumes[{number}].mount", Finding("P111", message, "mount it elsewhere")
        elif volume.mount:
            mounts[volume.mount] = f"the volume {volume.name}"


def _partitions(guest: Guest) -> Iterator[tuple[str, Finding]]:
    names: set[str] = set()
    for number, one in enumerate(guest.disk.partitions):
        path = f"disk.partitions[{number}]"
        minimum, maximum = _in_bytes(one.minimum, guest), _in_bytes(one.maximum, guest)
        priority = _in_bytes(one.priority, guest) if one.priority is not None else minimum
        if maximum is not None and minimum is not None and maximum < minimum:
            hint = "partman would raise the maximum to the minimum; write what is meant"
            yield f"{path}.maximum", Finding("P113", f"maximum {one.maximum} is below minimum {one.minimum}", hint)
        elif priority is not None and minimum is not None and priority < minimum:
            hint = "partman would raise it to the minimum; write what is meant"
            yield f"{path}.priority", Finding("P113", f"priority {one.priority} is below minimum {one.minimum}", hint)
        elif priority is not None and maximum is not None and priority > maximum:
            hint = "priority says how much is wished for; write at most the maximum"
            yield f"{path}.priority", Finding("P113", f"priority {one.priority} is above maximum {one.maximum}", hint)
        if one.name and one.name in names:
            yield f"{path}.name", Finding("P114", f"the volume {one.name} is there twice", "rename one")
        if one.name and guest.disk.method != "lvm":
            hint = "write method: lvm, or remove the name"
            yield f"{path}.name", Finding("P114", "only volumes have names", hint, severity=Severity.WARNING)
        names |= {one.name} if one.name else set()
    primaries = sum(one.primary is True for one in guest.disk.partitions)
    if guest.label == "msdos" and primaries > (most := 3 if len(guest.disk.partitions) > 4 else 4):
        message = f"{primaries} primary partitions; an msdos label has room for {most} here"
        yield "disk.partitions", Finding("P114", message, "make some logical, or write label: gpt")


def _in_bytes(size: SizeOrPercent | str, guest: Guest) -> int | None:
    match size:
        case Size():
            return size.bytes
        case Percent():
            return guest.memory_for_install.bytes * size.percent // 100
        case _:
            return None


def _carried(guest: Guest) -> Iterator[tuple[str, Finding]]:
    paths: set[str] = set()
    for number, one in enumerate(guest.initrd_files):
        if one.path in paths or one.path in _TAKEN_PATHS:
            whose = "another file's" if one.path in paths else "the installer's own"
            message = f"{one.path} is {whose} place in the initrd"
            yield f"initrd_files[{number}].path", Finding("P115", message, "choose another path, as in /files/name")
        paths.add(one.path)
    asked: set[tuple[str, str]] = set()
    for number, answer in enumerate(guest.debconf):
        if (answer.owner, answer.question) in asked:
            message = f"{answer.question} is answered twice; the last answer wins"
            finding = Finding("P116", message, "keep one", severity=Severity.WARNING)
            yield f"debconf[{number}].question", finding
        asked.add((answer.owner, answer.question))


GUEST_RULES: tuple[Rule, ...] = (
    _arch,
    _login,
    _users,
    _media,
    _bootloader,
    _addresses,
    _routes,
    _volumes,
    rules_storage.names,
    rules_storage.pools,
    _partitions,
    _carried,
    rules_run.limits,
    rules_run.screen,
    rules_run.folder,
    rules_run.start,
)


def _macs(guest: Guest) -> Iterator[tuple[str, str]]:
    for number, mac in enumerate(guest.macs):
        yield f"nics[{number}].mac", mac


def _own_addresses(guest: Guest) -> Iterator[tuple[str, str]]:
    for number, nic in enumerate(guest.nics):
        if isinstance(nic.ipv4, Static4):
            yield f"nics[{number}].ipv4.address", str(nic.ipv4.address.ip)
        if isinstance(nic.ipv6, Static6):
            yield f"nics[{number}].ipv6.address", str(nic.ipv6.address.ip)


def _own_volumes(guest: Guest) -> Iterator[tuple[str, str]]:
    yield "disk.volume", f"{guest.volume_group}/{guest.disk_volume}"
    for number, volume in enumerate(guest.volumes):
        yield f"volumes[{number}].name", f"{guest.volume_group}/{guest.volume_name(volume)}"


def _host_keys(guest: Guest) -> Iterator[tuple[str, str]]:
    for path, source in guest.host_key_sources().items():
        yield path, f"of {source.described}"


_CLAIMS: tuple[tuple[str, str, str, Callable[[Guest], Iterator[tuple[str, str]]]], ...] = (
    ("P202", "the MAC address", "give one of them another mac:", _macs),
    ("P203", "the address", "give one of them another address", _own_addresses),
    ("P204", "the volume", "give one of them another name", _own_volumes),
    ("P207", "the SSH host key", "give each guest its own: domu hostkeys GUEST", _host_keys),
)
