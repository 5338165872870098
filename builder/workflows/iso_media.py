"""An installer ISO off a CD image mirror: listed in a signed SHA256SUMS, fetched into the cache, pinned or newest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from builder.errors import BuilderError
from builder.host.fetch import Fetcher, MismatchError, NotFoundError, RefusedError
from builder.host.site import Site
from builder.host.store import Blob, Store
from builder.host.trust import SignatureError, verify_detached
from builder.media.cdimage import SIGNATURE, SUMS, CdImage, find_netinst, find_pinned, may_vouch
from builder.media.mirror import Mirror
from builder.media.release import Digest, parse_sha256sums
from builder.profile.model import Guest
from builder.workflows.access import Access, Terms

_LONGEST = 1 << 20  # bytes of SHA256SUMS and of its signature
_LARGEST = 16 << 30  # bytes of an ISO, whose size nobody signs; a double layer DVD has 8 GiB
_NOTE = "iso"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FetchedIso:
    """The ISO in the cache, and its name on the mirror (empty for a pinned one that was there already)."""

    blob: Blob
    name: str


def iso_terms(guest: Guest, *, offline: bool = False) -> Terms:
    """On which terms the CD image mirror of a guest is asked: through the same proxy as the archive."""
    return Terms(guest.iso_mirror or "", guest.proxy, offline=offline)


def fetch_iso(guest: Guest, site: Site, access: Access) -> FetchedIso:
    """The ISO that a guest with `iso: auto` starts from; `access` is one on `iso_terms`.

    A pinned one that is in the cache is taken without a network; offline, so is the one that was had last.
    Raises BuilderError when none can be had, none is listed, or its SHA256SUMS cannot be trusted.
    """
    if guest.iso_sha256 and (blob := access.store.find(guest.iso_sha256)):
        return FetchedIso(blob, "")
    key = hashlib.sha256(f"{guest.iso_mirror} {guest.suite} {guest.arch}".encode()).hexdigest()
    known = _noted(access.store, key)
    if access.terms.offline and not guest.iso_sha256 and known and (blob := access.store.find(known.sha256)):
        return FetchedIso(blob, known.name)
    listing = parse_sha256sums(_signed_sums(access, site.root / guest.iso_keyring))
    if guest.iso_sha256:
        return FetchedIso(_download(access, find_pinned(listing, guest.iso_sha256)), "")
    image = find_netinst(listing, suite=guest.suite, arch=guest.arch)
    _refuse_older(known, image)
    blob = _download(access, image)
    access.store.keep_note(_NOTE, key, {"name": image.name, "sha256": image.sha256})
    return FetchedIso(blob, image.name)


def _download(access: Access, image: CdImage) -> Blob:
    def from_mirror(fetcher: Fetcher, mirror: Mirror) -> Blob:
        url = mirror.file(image.name)
        return fetcher.download(url, digest=Digest(image.sha256), store=access.store, what=image.name, largest=_LARGEST)

    return _reach(access, from_mirror)


def _reach(access: Access, ask: Callable[[Fetcher, Mirror], T]) -> T:
    """By the usual way; by none when a cacher refuses: apt-cacher-ng 3.7.4 passes on no SHA256SUMS of CD images."""
    try:
        return ask(access.fetcher, access.mirror)
    except RefusedError as error:
        if access.past_cacher is None:
            raise
        access.progress.say(f"{error.message}; asking the mirror itself")
        return ask(*access.past_cacher)


def _signed_sums(access: Access, keyring: Path) -> str:
    """The text of SHA256SUMS, its signature verified; a refused one is asked for once more past every cache."""
    if not keyring.is_file():
        raise BuilderError(f"the keyring {keyring} does not exist", "apt-get install debian-keyring")
    try:
        return _sums(access, keyring, fresh=False)
    except (SignatureError, MismatchError) as error:
        access.progress.say(f"{error.message}; asking once more past every cache (Cache-Control: no-cache)")
        return _sums(access, keyring, fresh=True)


def _sums(access: Access, keyring: Path, *, fresh: bool) -> str:
    try:
        data, signature = _reach(
            access,
            lambda fetcher, mirror: [
                fetcher.text(mirror.file(name), limit=_LONGEST, fresh=fresh) for name in (SUMS, SIGNATURE)
            ],
        )
    except NotFoundError as error:
        raise NotFoundError(error.message, f"iso_mirror is the folder that holds {SUMS} and {SIGNATURE}") from error
    signers = verify_detached(data, signature, what=SUMS, keyring=keyring, runner=access.runner)
    if not may_vouch(str(keyring), signers):
        raise SignatureError(
            f"{SUMS} is signed by {', '.join(signers)}, no key of the CD team's", "take another mirror"
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SignatureError(f"{SUMS} is no text", "take another mirror") from error


def _noted(store: Store, key: str) -> CdImage | None:
    kept: Any = store.note(_NOTE, key)
    try:
        return CdImage(kept["name"], Digest(kept["sha256"]).sha256)
    except (TypeError, KeyError, ValueError):
        return None


def _refuse_older(known: CdImage | None, image: CdImage) -> None:
    """SHA256SUMS has no date of its own, so a mirror could show an old one for ever."""
    if known and image.version < known.version:
        raise BuilderError(
            f"the mirror shows {image.name}, though {known.name} was already had from it",
            f"take another mirror; or pin what you want: iso_sha256: {image.sha256}",
        )
