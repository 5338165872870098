"""`domu show`: a guest's resolved profile, and where each value was set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, did_you_mean
from builder.host.site import Site, load
from builder.profile.show import derived_data, profile_data, profile_text, why_data


@dataclass(frozen=True, slots=True)
class Shown:
    """A guest as text and as plain data, and what was found about it."""

    text: str
    data: Mapping[str, Any]
    findings: tuple[Finding, ...]


def show(site: Site, name: str, *, why: bool) -> Shown:
    """The resolved profile; RefusalError with the findings when there is none, BuilderError for an unknown name."""
    loaded = load(site)
    findings = loaded.findings_for(name)
    if name not in loaded.names:
        known = ", ".join(loaded.names) or "none"
        raise BuilderError(
            f"there is no guest {name!r}", did_you_mean(name, loaded.names) or f"the guests are: {known}"
        )
    guest = next((one for one in loaded.guests if one.name == name), loaded.unsound.get(name))
    if guest is None:
        raise RefusalError(f"{name} has no sound profile", findings)
    origins = loaded.origins[name]
    data = {"guest": profile_data(guest), "derived": derived_data(guest)}
    if why:
        data["why"] = why_data(guest, origins)
    return Shown(profile_text(guest, origins if why else None), data, findings)
