"""`domu verify` and `domu drift`: what runs, compared with the profiles. Reads dom0 and guests, and changes neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Findings, Severity
from builder.host.guest import ASK, HostKeyError, Way, ask_guest, find_neighbour
from builder.host.run import Runner, run
from builder.host.secrets import resolve
from builder.host.site import Site, load
from builder.host.xl import ROOT, list_domains, look_for_xen
from builder.plan.verify.answer import read_facts
from builder.plan.verify.check import Runs, Wish, safe
from builder.plan.verify.compare import compare
from builder.plan.verify.script import SCRIPT
from builder.profile.dom0 import NO_DOM0, Dom0
from builder.profile.model import Guest
from builder.profile.private_key import PublicKey, read_private_key
from builder.workflows.check import choose
from builder.workflows.render import guest_of
from builder.xen.config import run_config_path
from builder.xen.network.vif import vifs_of
from builder.xen.readings import Domain

# Guests that are asked at once; each costs dom0 an ssh, which mostly waits.
_AT_ONCE = 8
# Where the stock templates put host keys into the initrd (preseeds/ssh-host-keys.j2).
_ELSEWHERE = "not known here"


@dataclass(frozen=True, slots=True)
class Door:
    """How a guest is reached where its profile does not tell, or not rightly; what is empty is found."""

    address: str = ""
    user: str = ""
    port: int = 22
    identity: str = ""


NO_DOOR = Door()


@dataclass(frozen=True, slots=True)
class Verified:
    """One guest. `state`: what its domain does, in a word or two; `asked`: its own side was compared, too."""

    guest: str
    state: str
    asked: bool
    findings: tuple[Finding, ...]

    def fails(self, *, strict: bool = False) -> bool:
        """Whether something is not as it should be; `strict`: warnings count."""
        limit = Severity.WARNING if strict else Severity.ERROR
        return any(finding.severity <= limit for finding in self.findings)


def verify_guest(
    guest: Guest,
    domain: Domain | None,
    *,
    dom0: Dom0 = NO_DOM0,
    host_keys: Sequence[PublicKey] = (),
    door: Door = NO_DOOR,
    environment: Mapping[str, str] | None = None,
    runner: Runner = ASK,
) -> tuple[Finding, ...]:
    """Findings (W1xx), sorted; none where all is as the profile says. Raises nothing for a guest that does not answer.

    `domain` is None off a dom0, and its side then not compared. `host_keys`: the guest's own, as kept_host_keys
    gives them; ssh then takes no others. `runner` runs ssh and ip; the default bounds what is answered.
    """
    findings = Findings()
    wish = Wish(guest, dom0, tuple(host_keys))
    findings.extend(compare(wish, Runs(domain, None)))
    lent = {name: value for name, value in (environment or {}).items() if name == "SSH_AUTH_SOCK"}
    try:
        answer = ask_guest(_way(guest, host_keys, door, runner), SCRIPT, runner=runner, env=lent)
        facts = read_facts(answer)
    except HostKeyError as error:
        findings.add(safe(Finding("W103", error.message, error.hint, guest=guest.name)))
    except BuilderError as error:
        findings.add(safe(Finding("W102", f"it cannot be asked: {error.message}", error.hint, guest=guest.name)))
    else:
        findings.extend(compare(wish, Runs(None, facts)))
    return tuple(findings)


def kept_host_keys(
    guest: Guest, *, site: Site, environment: Mapping[str, str], runner: Runner = run
) -> tuple[PublicKey, ...]:
    """The public halves of a guest's SSH host keys, from where its profile says that they are kept.

    RefusalError when one cannot be had (S0xx).
    """
    found = resolve(guest.host_key_sources(), site=site, runner=runner, environment=environment)
    return tuple(read_private_key(secret.reveal()) for secret in found.values())


def verify(
    site: Site,
    name: str,
    *,
    door: Door = NO_DOOR,
    environment: Mapping[str, str],
    runner: Runner = ASK,
    root: Path = ROOT,
) -> Verified:
    """One guest, whatever it does. BuilderError for a name that no guest has, RefusalError for an unsound profile."""
    loaded = load(site)
    guest = guest_of(loaded, name)
    return _Place(site, loaded.dom0, _domains(runner, root), environment, runner).verify(guest, door)


def drift(
    site: Site, names: Sequence[str] = (), *, environment: Mapping[str, str], runner: Runner = ASK, root: Path = ROOT
) -> tuple[Verified, ...]:
    """These guests, or all that run here, by name; and domains that no profile describes.

    BuilderError off a dom0, where what runs cannot be known; RefusalError for an unsound profile.
    """
    loaded = load(site)
    domains = _domains(runner, root)
    if domains is None:
        hint = "run it on the dom0; domu verify asks a single guest from anywhere"
        raise BuilderError(f"this machine is no dom0: {look_for_xen(root).why}", hint)
    guests = [guest_of(loaded, name) for name in choose(loaded, names)]
    chosen = [guest for guest in guests if names or guest.autostart or _domain_of(guest, domains)]
    place = _Place(site, loaded.dom0, domains, environment, runner)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = tuple(pool.map(place.verify, chosen))
    known = {domain.domid for guest in guests if (domain := _domain_of(guest, domains))}
    strangers = [one for one in domains if not one.is_dom0 and one.domid not in known] if not names else []
    return (*found, *map(_stranger, strangers))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where it is looked: dom0's networks and domains (None: this is no dom0), and the way to programs and keys."""

    site: Site
    dom0: Dom0
    domains: tuple[Domain, ...] | None
    environment: Mapping[str, str]
    runner: Runner

    def verify(self, guest: Guest, door: Door = NO_DOOR) -> Verified:
        """One guest."""
        domain = _domain_of(guest, self.domains or ())
        if self.domains is not None and (domain is None or not domain.state.is_alive or domain.state.paused):
            return _at_rest(guest, domain)
        state = "running" if domain else _ELSEWHERE
        try:
            keys = kept_host_keys(guest, site=self.site, environment=self.environment, runner=self.runner)
        except RefusalError as error:
            own = tuple(replace(finding, guest=guest.name) for finding in error.findings)
            return Verified(guest.name, state, asked=False, findings=own)
        found = verify_guest(
            guest,
            domain,
            dom0=self.dom0,
            host_keys=keys,
            door=door,
            environment=self.environment,
            runner=self.runner,
        )
        if self.domains is None:
            message, hint = "only the guest itself was asked: this machine is not its dom0", "run it on the dom0"
            found = (Finding("W108", message, hint, severity=Severity.NOTE, guest=guest.name), *found)
        asked = not {finding.code for finding in found} & {"W102", "W103"}
        return Verified(guest.name, state, asked, found)


def _at_rest(guest: Guest, domain: Domain | None) -> Verified:
    """A guest that nobody can ask."""
    state = domain.state.word if domain else "does not run"
    message = f"is {state}" if domain else state
    hint = f"xl create {run_config_path(guest)}"
    if domain:
        hint = f"xl unpause {domain.domid}" if domain.state.paused else f"xl destroy {domain.domid}; {hint}"
    return Verified(guest.name, state, asked=False, findings=(Finding("W106", message, hint, guest=guest.name),))


def _stranger(domain: Domain) -> Verified:
    name = domain.name or f"domain {domain.domid}"
    finding = Finding("W107", "no profile describes it", "domu adopt", severity=Severity.NOTE, guest=name)
    return Verified(name, domain.state.word, False, (safe(finding),))


def _domains(runner: Runner, root: Path) -> tuple[Domain, ...] | None:
    return list_domains(runner) if look_for_xen(root).dom0 else None


def _domain_of(guest: Guest, domains: Sequence[Domain]) -> Domain | None:
    """The one with its UUID, else the one with its name."""
    by_uuid = (domain for domain in domains if domain.uuid == guest.domain_uuid)
    by_name = (domain for domain in domains if domain.name == guest.name)
    return next(by_uuid, None) or next(by_name, None)


def _way(guest: Guest, host_keys: Sequence[PublicKey], door: Door, runner: Runner) -> Way:
    user = door.user or _user(guest)
    address = door.address or _fixed(guest) or _found(guest, runner)
    return Way(guest.name, address, user, door.port, door.identity, tuple(key.line for key in host_keys))


def _user(guest: Guest) -> str:
    """The login: root where a key of the profile lets it in, else the first who may become root."""
    sudoers = [user.name for user in guest.users if user.sudo and user.name in guest.login_keys]
    return "root" if "root" in guest.login_keys else next(iter(sudoers), "root")


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
