"""`domu hostkeys`: SSH host keys for a guest that rebuilds keep, and what to write where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builder.errors import BuilderError
from builder.host.host_keys import key_file, make_host_keys
from builder.host.run import Runner, run
from builder.host.site import Site
from builder.profile.host_keys import KeyKind
from builder.profile.model import Guest
from builder.profile.private_key import PublicKey, read_private_key
from builder.workflows.render import find_guest
from builder.workflows.verify import kept_host_keys


@dataclass(frozen=True, slots=True)
class GuestKeys:
    """A guest's host keys: the files of new ones as a profile names them (kind -> path), the public halves (none when
    nothing was made), and what clients call the guest.
    """

    guest: str
    files: Mapping[KeyKind, str]
    public: tuple[PublicKey, ...]
    names: tuple[str, ...]


def make(site: Site, name: str, kinds: Sequence[KeyKind], *, dry_run: bool = False, runner: Runner = run) -> GuestKeys:
    """Make keys of these kinds. BuilderError when one is there already: then none is made."""
    guest = find_guest(site, name)
    paths = {kind: key_file(guest.name, kind) for kind in dict.fromkeys(kinds)}
    if dry_run:
        return GuestKeys(guest.name, paths, (), _names(guest))
    make_host_keys(site.root, guest.name, tuple(paths), runner=runner)
    public = tuple(read_private_key((site.root / path).read_text()) for path in paths.values())
    return GuestKeys(guest.name, paths, public, _names(guest))


def show(site: Site, name: str, *, environment: Mapping[str, str], runner: Runner = run) -> GuestKeys:
    """The public halves of those that the profile has. BuilderError when it has none, or one cannot be had."""
    guest = find_guest(site, name)
    if not guest.host_key_sources():
        raise BuilderError(f"the profile of {name} has no ssh_host_keys", f"domu hostkeys {name} makes some")
    public = kept_host_keys(guest, site=site, environment=environment, runner=runner)
    return GuestKeys(guest.name, {}, public, _names(guest))


def _names(guest: Guest) -> tuple[str, ...]:
    addresses = [str(address) for nic in guest.nics for address in nic.fixed_addresses]
    return tuple(dict.fromkeys([guest.name, guest.fqdn, *addresses]))
