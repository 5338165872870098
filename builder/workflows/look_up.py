"""Catalogues that are here already: of the build that a site pins, else as shipped. Opens no connection."""

from __future__ import annotations

from builder.host.catalogue import FoundCatalogue, find_catalogue
from builder.host.pins import read_lock
from builder.host.places import user_cache
from builder.host.site import Site
from builder.host.store import Store
from builder.preseed.catalogue_diff import CatalogueDiff, diff_catalogues


def look_up(site: Site | None, suite: str, arch: str = "amd64") -> FoundCatalogue:
    """The catalogue for the build that the site pins, else for whatever is newest here; opens no connection."""
    pin = read_lock(site.media_lock).get((suite, arch)) if site else None
    stores = [Store(folder) for folder in ([site.cache] if site else []) + [user_cache()]]
    return find_catalogue(suite, arch, stores=stores, installer=pin.version if pin else "")


def compare(site: Site | None, old: str, new: str) -> CatalogueDiff:
    """What changes for preseeds from one suite to another."""
    return diff_catalogues(look_up(site, old).catalogue, look_up(site, new).catalogue)
