"""What the guest says of its system: time zone, locale, logins and keys, packages, services, late commands."""

from __future__ import annotations

from collections.abc import Iterator

from builder.plan.verify.check import Difference, Runs, Wish, note, some, warn
from builder.plan.verify.of_machine import facts_of
from builder.preseed.context import wanted_packages
from builder.profile.private_key import fingerprint_of
from builder.xen.doctor.fact import UnclearError

# Zones of one clock; Debian's tzdata made Etc/UTC of the others.
_UTC = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu"})
# dpkg's second letter (dpkg-query(1)): installed, not installed, only its configuration is left.
_SOUND_STATES = frozenset("inc")


def compare_time_zone(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """The zone of /etc/localtime."""
    seen, wanted = facts_of(runs).time_zone.get(), wish.guest.timezone
    if seen != wanted and not {seen, wanted} <= _UTC:
        yield Difference(
            f"is in the time zone {seen}, and the profile says {wanted}", f"timedatectl set-timezone {wanted}"
        )


def compare_locale(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """LANG of the system."""
    seen, wanted = facts_of(runs).locale.get(), wish.guest.locale
    if seen != wanted:
        yield Difference(
            f"has the locale {seen or '(none)'}, and the profile says {wanted}", f"update-locale LANG={wanted}"
        )


def compare_accounts(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """The profile's users are there, those of sudo in it, and nobody else."""
    guest, facts = wish.guest, facts_of(runs)
    accounts, sudoers = facts.accounts.get(), facts.sudoers.get()
    wanted = {"root", *(user.name for user in guest.users)}
    if missing := wanted - accounts.keys():
        yield Difference(f"lacks the logins {some(missing)}", "adduser; or mend the profile")
    sudo = {user.name for user in guest.users if user.sudo}
    if lacking := sudo - sudoers - missing:
        yield Difference(f"{some(lacking)} should be in the group sudo", "adduser NAME sudo")
    if more := sudoers - sudo:
        yield warn(f"{some(more)} may become root by sudo, which the profile does not say", "deluser NAME sudo")
    zeros = [account.name for account in accounts.values() if account.uid == 0 and account.name != "root"]
    if zeros:
        yield Difference(f"{some(zeros)} are root by another name (user ID 0)", "remove them, unless they are yours")
    if strangers := accounts.keys() - wanted - set(zeros):
        yield warn(f"has logins that are not in the profile: {some(strangers)}", "deluser, or mend the profile")


def compare_passwords(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Whether a password lets somebody in; which one, no guest is asked."""
    guest, accounts = wish.guest, facts_of(runs).accounts.get()
    wanted = {"root": bool(guest.root.password), **{user.name: bool(user.password) for user in guest.users}}
    for name, has in wanted.items():
        if name not in accounts:
            continue  # said by the check of logins
        kind = accounts[name].password
        if not kind:
            raise UnclearError(f"the guest does not tell what password {name} has")
        if kind == "none":
            yield Difference(f"{name} gets in without a password", f"passwd --lock {name}")
        elif (kind == "set") != has:
            says = "gives one" if has else "gives none"
            yield warn(f"the password of {name} is {kind}, and the profile {says}", "passwd, or mend the profile")


def compare_keys(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Keys of authorized_keys by fingerprint."""
    guest, facts = wish.guest, facts_of(runs)
    seen, accounts = facts.keys.get(), facts.accounts.get()
    wanted = {name: {fingerprint_of(key) for key in keys} for name, keys in guest.login_keys.items()}
    for name in sorted(accounts):  # logins that are missing are said by their own check
        there, here = seen.get(name, frozenset()), wanted.get(name, set())
        if missing := here - there:
            yield Difference(f"{name} lacks the SSH keys {some(missing)}", "~/.ssh/authorized_keys in the guest")
        if more := there - here:
            hint = "remove them there, or write them into ssh_keys"
            yield warn(f"{name} lets in SSH keys that are not in the profile: {some(more)}", hint)


def compare_packages(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """The profile's packages are installed, and no package is half installed."""
    seen = facts_of(runs).packages.get()
    if missing := [name for name in wanted_packages(wish.guest) if seen.get(name, "")[1:2] != "i"]:
        yield Difference(f"lacks the packages {some(missing)}", f"apt-get install {' '.join(sorted(missing)[:8])}")
    broken = {name for name, state in seen.items() if state[1:2].lower() not in _SOUND_STATES or state[2:]}
    if broken:
        yield Difference(f"has packages that are not quite installed: {some(broken)}", "dpkg --configure --pending")


def compare_units(_wish: Wish, runs: Runs) -> Iterator[Difference]:
    """No unit has failed, and the system has started."""
    seen = facts_of(runs).units.get()
    if seen.failed:
        yield Difference(f"has failed units: {some(seen.failed)}", f"systemctl status {seen.failed[0]}")
    elif seen.state in {"initializing", "starting"}:
        yield warn("is still starting", "systemctl list-jobs")
    elif seen.state == "maintenance":
        yield Difference("is in systemd's rescue mode", "look at its console: xl console")
    elif seen.state != "running":
        raise UnclearError(f"its systemd is {seen.state or 'silent'}")


def compare_late(_wish: Wish, runs: Runs) -> Iterator[Difference]:
    """What the installation's late steps left behind."""
    seen = facts_of(runs).late.get()
    if seen.steps is None:
        hint = "it was not installed by domu, or somebody removed it"
        yield note("has no log of late commands, /var/log/domu-late.log", hint)
    elif seen.failed:
        yield Difference(f"late steps failed: {some(seen.failed)}", "look at /var/log/domu-late.log in the guest")


def compare_server_keys(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """The keys that the guest's sshd shows are the profile's, where it has some, and nobody else can read them."""
    seen = facts_of(runs).server_keys.get()
    open_ones = [key.path for key in seen if key.mode & 0o077 or key.owner]
    if open_ones:
        yield Difference(f"others than root can read {some(open_ones)}", "chmod 600, chown root; then make new ones")
    if not wish.host_keys:
        return
    shown = {key.fingerprint for key in seen if key.used}
    if missing := [key.kind for key in wish.host_keys if key.fingerprint not in shown]:
        hint = f"domu rebuild {wish.guest.name}; or put them into /etc/ssh there"
        yield Difference(f"its sshd lacks the SSH host keys of the profile: {some(missing)}", hint)
    if more := shown - {key.fingerprint for key in wish.host_keys}:
        hint = "leave only the profile's in /etc/ssh/sshd_config.d/domu-host-keys.conf there"
        yield warn(f"its sshd has other SSH host keys besides: {some(more)}", hint)
