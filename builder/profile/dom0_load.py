"""profiles/dom0.yaml to the model, and what guests' NICs take from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from builder.findings import Finding, Place
from builder.profile.document import SourceText, plain, read_document
from builder.profile.dom0 import NO_DOM0, Dom0
from builder.profile.explain import DOM0_MODELS, SPOKEN_KEYS, explain, leaves, path_text
from builder.profile.model import Guest
from builder.profile.nics import Nic, Static4, Static6

DOM0 = "dom0"  # the file's stem, which no guest and no layer has


@dataclass(frozen=True, slots=True)
class LoadedDom0:
    """The dom0, all defaults where the file is missing or unsound; `origins`: path -> where it was set."""

    dom0: Dom0 = NO_DOM0
    file: str = ""
    origins: Mapping[str, Place] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def load_dom0(sources: Sequence[SourceText]) -> LoadedDom0:
    """dom0.yaml, if there is one; never raises for what stands in it."""
    if not sources:
        return LoadedDom0()
    source, *others = sources
    twice = [
        Finding("P201", f"{source.name} has the same name but for its ending", "remove one", Place(one.name, 1, 1))
        for one in others
    ]
    loaded = _read(source)
    return replace(loaded, findings=(*loaded.findings, *twice))


def _read(source: SourceText) -> LoadedDom0:
    document = read_document(source, known=SPOKEN_KEYS)
    if document.root is None:
        return LoadedDom0(file=source.name, findings=tuple(document.findings))
    origins = {path_text(path): below.place for path, below in leaves(document.root) if below.place.file}
    try:
        dom0 = Dom0.model_validate(plain(document.root))
    except ValidationError as error:
        wrong = explain(error, document.root, partial=False, models=DOM0_MODELS)
        said = {(finding.place, finding.code) for finding in document.findings}
        found = [*document.findings, *(finding for finding in wrong if (finding.place, finding.code) not in said)]
        return LoadedDom0(NO_DOM0, source.name, origins, tuple(found))
    return LoadedDom0(dom0, source.name, origins, tuple(document.findings))


def with_gateways(guest: Guest, dom0: Dom0) -> tuple[Guest, dict[str, str]]:
    """The guest with the gateways that its networks have for it: behind NAT and routed, where no NIC gives one.

    And for each, its path in the guest -> where it comes from in dom0.yaml. A NIC with DHCP or router advertisements
    may bring a default route of its own, so then none is added.
    """
    nics = list(guest.nics)
    sources: dict[str, str] = {}
    for version in (4, 6):
        if any(_may_have_gateway(nic, version) for nic in guest.nics):
            continue
        for number, nic in enumerate(nics):
            network = dom0.network_of(nic)
            filled = _filled(nic, version, dom0)
            if filled and network:
                nics[number] = filled
                sources[f"nics[{number}].ipv{version}.gateway"] = f"networks[{dom0.networks.index(network)}]"
                break
    return (guest.model_copy(update={"nics": tuple(nics)}) if sources else guest), sources


def _may_have_gateway(nic: Nic, version: int) -> bool:
    setting = nic.ipv4 if version == 4 else nic.ipv6
    if isinstance(setting, Static4 | Static6):
        return setting.gateway is not None
    return setting == "dhcp" or (setting == "auto" and nic.mode == "bridge")


def _filled(nic: Nic, version: int, dom0: Dom0) -> Nic | None:
    setting = nic.ipv4 if version == 4 else nic.ipv6
    if nic.mode == "bridge" or not isinstance(setting, Static4 | Static6):
        return None
    gateway = dom0.gateway_for(nic, version)
    if gateway is None:
        return None
    return nic.model_copy(update={f"ipv{version}": setting.model_copy(update={"gateway": gateway})})
