"""Checks of what building needs: sound profiles, the archive's keys, the apt-cacher, a right clock, programs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from builder.media.keyring import ArchiveKey
from builder.units import Size
from builder.xen.doctor.check import Diagnosis, ok, unknown, warn, wrong
from builder.xen.doctor.fact import Known, Unknown
from builder.xen.doctor.facts import Cacher, ClockState, Dom0Facts, Hoard
from builder.xen.doctor.fixes import Fix
from builder.xen.doctor.needs import DEBIAN_KEYRING, Needs

# Program -> Debian package. Beside those of the essential packages, what domu runs somewhere.
PROGRAMS: Mapping[str, str] = {"gpgv": "gpgv"}
DOM0_PROGRAMS: Mapping[str, str] = {"lvs": "lvm2", "nft": "nftables", "ip": "iproute2"}
# What vif-route of Xen 4.17 calls; xen-utils-common does not depend on it.
ROUTED_PROGRAMS: Mapping[str, str] = {"ifconfig": "net-tools"}
SWITCH_PROGRAMS: Mapping[str, str] = {"ovs-vsctl": "openvswitch-switch"}
REPORT = "acng-report.html"
_SOON = timedelta(days=60)
_SKEW, _BAD_SKEW = 30.0, 3600.0  # seconds; beyond the second, signatures and Valid-Until are judged wrongly


def judge_profiles(_facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """What is wrong in them is told by `domu check`; here only that it was left out."""
    if not needs.site:
        yield unknown("no site was named, so it is not known what its guests need", "domu --site DIR doctor")
    elif needs.unsound:
        yield wrong(f"left out, as their profiles have errors: {', '.join(needs.unsound)}", "domu check")
    else:
        count = len(needs.guests)
        yield ok(f"{count} guest{'s' * (count != 1)} in {needs.site}")


def judge_keyrings(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """Each guest's keyring holds a living key of its suite. Debian names suites in the keys' user ids."""
    packages = facts.packages.value if isinstance(facts.packages, Known) else {}
    for path, suites in sorted(needs.keyrings.items()):
        fact = facts.keyrings.get(path, Unknown("it was not looked at"))
        version = f" ({packages['debian-archive-keyring']})" if path == DEBIAN_KEYRING and packages else ""
        if isinstance(fact, Unknown):
            fix = _keyring_fix() if path == DEBIAN_KEYRING else None
            lines = ["apt-get install debian-archive-keyring"] if fix else []
            yield wrong(f"{path}: {fact.why}", *lines, fix=fix)
        elif path == DEBIAN_KEYRING:
            yield from (_of_suite(fact.value, suite, facts.now, version) for suite in sorted(suites))
            if not suites:
                yield ok(f"{len(fact.value)} keys in debian-archive-keyring{version}")
        else:
            yield _any_living(path, fact.value, facts.now)


def _keyring_fix() -> Fix:
    return Fix(
        "keyring",
        "install Debian's archive keys",
        commands=(("apt-get", "--yes", "--no-install-recommends", "install", "debian-archive-keyring"),),
        undo=("apt-get remove debian-archive-keyring",),
    )


def _of_suite(keys: tuple[ArchiveKey, ...], suite: str, now: datetime, version: str) -> Diagnosis:
    mend = "apt-get update && apt-get install --only-upgrade debian-archive-keyring"
    own = [key for key in keys if any(f"/{suite})" in name and "Archive Automatic" in name for name in key.names)]
    living = [key for key in own if key.is_live(now)]
    if not own:
        return wrong(f"debian-archive-keyring{version} has no key of {suite}", mend)
    if not living:
        ends = max(key.expires for key in own if key.expires).date() if any(key.expires for key in own) else "revoked"
        return wrong(f"the keys of {suite} in debian-archive-keyring{version} have ended: {ends}", mend)
    ends_at = [key.expires for key in living if key.expires]
    if len(ends_at) == len(living) and max(ends_at) - now < _SOON:
        return warn(f"the key of {suite} expires on {max(ends_at):%Y-%m-%d}", mend)
    until = f" until {max(ends_at):%Y-%m-%d}" if ends_at else ""
    return ok(f"debian-archive-keyring{version} has {suite}'s keys, good{until}")


def _any_living(path: str, keys: tuple[ArchiveKey, ...], now: datetime) -> Diagnosis:
    living = sum(key.is_live(now) for key in keys)
    if not living:
        return wrong(f"{path}: every key has expired or was revoked", f"gpg --show-keys {shlex.quote(path)}")
    return ok(f"{path}: {living} of {len(keys)} keys are good")


def judge_cacher(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """Does it answer, with its report page; and what it keeps, where it is on this machine."""
    cachers = facts.cachers.get()
    if not cachers:
        yield ok(f"no apt-cacher is used: {facts.no_cacher}")
    for cacher in cachers:
        yield _judge_cacher(cacher)
    if any(cacher.here and cacher.server for cacher in cachers):
        yield from _kept(facts)


def _judge_cacher(cacher: Cacher) -> Diagnosis:
    if not cacher.server:
        lines = ["systemctl status apt-cacher-ng"] if cacher.here else []
        return wrong(
            f"nothing answers at {cacher.url}, the apt-cacher", *lines, f"curl --head {shlex.quote(cacher.url)}"
        )
    if "cacher" not in cacher.server.lower():
        return warn(f"at {cacher.url} answers {cacher.server}, no apt-cacher that domu knows")
    if cacher.status is None:
        return ok(f"{cacher.server} answers at {cacher.url}; the mirror is https, which it hands through unread")
    if cacher.status != 200:
        got = f"{cacher.status} {cacher.said}" if cacher.status else cacher.said
        return wrong(
            f"{cacher.server} at {cacher.url} does not fetch from the mirror: {got}",
            f"curl {shlex.quote(cacher.url)}/{REPORT}",
        )
    report = f"; {cacher.url}/{REPORT}: {cacher.report}" if cacher.report else ", its report page is off (ReportPage)"
    return ok(f"{cacher.server} at {cacher.url} fetches from the mirror{report}")


def _kept(facts: Dom0Facts) -> Iterator[Diagnosis]:
    hoard = facts.cacher_hoard.get()
    if hoard is None:
        return
    space = facts.space("cacher")
    free = f", {space.value.free.human} free" if isinstance(space, Known) else ""
    said = f"the cacher keeps {hoard.size.human} in {hoard.files} files{_ages(hoard)}{free}"
    if isinstance(space, Known) and space.value.free.bytes < 1 << 30:
        yield warn(f"{said}: less than {Size(1 << 30).human}", f"df -h {shlex.quote(hoard.folder)}")
    else:
        yield ok(said)


def _ages(hoard: Hoard) -> str:
    if hoard.oldest is None or hoard.newest is None:
        return ""
    return f" of {hoard.oldest:%Y-%m-%d} to {hoard.newest:%Y-%m-%d}"


def judge_clock(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """Signatures and Valid-Until are judged by this clock, and guests begin with it."""
    newest = facts.newest_release.value if isinstance(facts.newest_release, Known) else None
    if newest and facts.now < newest:
        yield wrong(f"the clock says {facts.now:%Y-%m-%d}, and a Release of {newest:%Y-%m-%d} was seen", "timedatectl")
    fix = Fix(
        "ntp",
        "set the clock by NTP",
        commands=(("timedatectl", "set-ntp", "true"),),
        undo=("timedatectl set-ntp false",),
    )
    match facts.clock:
        case Unknown(why):
            yield unknown(f"whether the clock is set by NTP: {why}")
        case Known(ClockState(synchronised=True)):
            yield ok("the clock is set by NTP")
        case Known(ClockState(can=True)):
            yield warn("the clock is not set by NTP, though a service for it is here", fix=fix)
        case Known():
            yield warn(
                "the clock is not set by NTP, and no service for it is here", "apt-get install systemd-timesyncd"
            )
    match facts.skew:
        case Unknown(why):
            yield unknown(f"whether the clock is right: {why}")
        case Known(skew):
            off = abs(skew.seconds)
            said = f"{skew.teller}'s clock is {off:.0f} s {'ahead' if skew.seconds > 0 else 'behind'}"
            if off >= _BAD_SKEW:
                yield wrong(f"{said}: signatures and dates cannot be judged by this clock", "timedatectl set-ntp true")
            elif off >= _SKEW:
                yield warn(said, "timedatectl set-ntp true")
            else:
                yield ok(f"the clock agrees with {skew.teller} ({off:.0f} s)")


def judge_programs(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """What domu and Xen's scripts run, by the packages that have it."""
    wanted = dict(PROGRAMS)
    if isinstance(facts.role, Known) and facts.role.value.dom0:
        wanted |= DOM0_PROGRAMS
        wanted |= ROUTED_PROGRAMS if "routed" in needs.modes else {}
        wanted |= SWITCH_PROGRAMS if needs.switches else {}
    missing = sorted({package for name, package in wanted.items() if not facts.has(name).get()})
    if missing:
        yield wrong(
            f"programs are missing, of the packages {', '.join(missing)}", f"apt-get install {' '.join(missing)}"
        )
    else:
        yield ok(f"programs are here: {', '.join(sorted(wanted))}")
