"""`domu verify`: what runs, compared with what the profile says. Reads dom0 and the guest, and changes neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builder.errors import BuilderError
from builder.findings import Finding, Findings
from builder.host.guest import ASK, HostKeyError, Way, ask_guest, find_neighbour
from builder.host.run import Runner
from builder.plan.verify.answer import read_facts
from builder.plan.verify.check import Runs, Wish, safe
from builder.plan.verify.compare import compare
from builder.plan.verify.script import SCRIPT
from builder.profile.dom0 import NO_DOM0, Dom0
from builder.profile.model import Guest
from builder.xen.network.vif import vifs_of
from builder.xen.readings import Domain


@dataclass(frozen=True, slots=True)
class Door:
    """How guests are reached where the profile does not tell: each part overrules what would be found."""

    address: str = ""
    user: str = ""
    port: int = 22
    identity: str = ""


def verify_guest(
    guest: Guest,
    domain: Domain | None,
    *,
    dom0: Dom0 = NO_DOM0,
    host_keys: Sequence[str] = (),
    door: Door = Door(),
    environment: Mapping[str, str] | None = None,
    runner: Runner = ASK,
) -> tuple[Finding, ...]:
    """Findings (W1xx), sorted; none where all is as the profile says. Raises nothing for a guest that does not answer.

    `domain` is None off a dom0, and its side then not compared. `host_keys`: the guest's own public keys, as in
    `ssh-ed25519 AAAA...`; ssh then takes no others. `runner` runs ssh and ip; the default bounds what may be answered.
    """
    findings = Findings()
    wish = Wish(guest, dom0)
    findings.extend(compare(wish, Runs(domain, None)))
    try:
        way = _way(guest, host_keys, door, runner)
        answer = ask_guest(way, SCRIPT, runner=runner, env=environment)
        facts = read_facts(answer)
    except HostKeyError as error:
        findings.add(safe(Finding("W103", error.message, error.hint, guest=guest.name)))
    except BuilderError as error:
        findings.add(safe(Finding("W102", f"it cannot be asked: {error.message}", error.hint, guest=guest.name)))
    else:
        findings.extend(compare(wish, Runs(None, facts)))
    return tuple(findings)


def _way(guest: Guest, host_keys: Sequence[str], door: Door, runner: Runner) -> Way:
    user = door.user or _user(guest)
    address = door.address or _fixed(guest) or _found(guest, runner)
    return Way(guest.name, address, user, door.port, door.identity, tuple(host_keys))


def _user(guest: Guest) -> str:
    """The login: root where a key of the profile lets it in, else the first who may become root."""
    sudoers = [user.name for user in guest.users if user.sudo and user.name in guest.login_keys]
    return next(iter(sudoers), "root") if "root" not in guest.login_keys else "root"


def _fixed(guest: Guest) -> str:
    return next((str(address) for nic in guest.nics for address in nic.fixed_addresses), "")


def _found(guest: Guest, runner: Runner) -> str:
    """Where this machine last saw the first NIC; else the address that its kernel makes of its MAC."""
    vif = vifs_of(guest, NO_DOM0)[0]
    if seen := find_neighbour(vif.mac, runner=runner):
        return seen
    if vif.nic.ipv6 == "none" or not vif.nic.bridge:
        raise BuilderError(
            f"its address comes by DHCP, and this machine has not seen {vif.mac}", "name it: --address ADDRESS"
        )
    return f"{vif.link_local}%{vif.nic.bridge}"
