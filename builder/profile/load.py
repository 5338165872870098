"""YAML text to guests and findings: layers merged, every value with the file and line that set it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from builder.findings import NOWHERE, Finding, Findings, Place, Severity
from builder.profile import rules
from builder.profile.document import Branch, Leaf, SourceText, plain, read_document
from builder.profile.dom0 import NO_DOM0, Dom0
from builder.profile.dom0_load import DOM0, load_dom0, with_gateways
from builder.profile.explain import SPOKEN_KEYS, explain, leaves, path_text
from builder.profile.layers import Layer, chain, defaults, merge, misused_plus, read_layer
from builder.profile.model import Guest

__all__ = ["LoadedSite", "SourceText", "load_site"]


@dataclass(frozen=True, slots=True)
class LoadedSite:
    """A site's profiles, read.

    `guests`: the sound ones, by name. `unsound`: those with an error, with the guest where one could be made.
    `findings`: sorted, all of all files. `files`: guest -> the files it is made of, first to last.
    `origins`: guest that could be made -> path as in `nics[0].mac` -> where it was set; without an entry: a default.
    `dom0`: profiles/dom0.yaml, all defaults without one; `dom0_origins`: where each of its values was set.
    """

    guests: tuple[Guest, ...]
    unsound: Mapping[str, Guest | None]
    findings: tuple[Finding, ...]
    origins: Mapping[str, Mapping[str, Place]]
    files: Mapping[str, tuple[str, ...]]
    dom0: Dom0 = NO_DOM0
    dom0_origins: Mapping[str, Place] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Every guest, sound or not."""
        return tuple(sorted(self.files))

    def findings_for(self, guest: str) -> tuple[Finding, ...]:
        """What concerns this guest: its own findings and those of the files it is made of."""
        files = self.files.get(guest, ())
        return tuple(one for one in self.findings if one.guest == guest or (not one.guest and one.place.file in files))

    def with_findings(self, more: Iterable[Finding]) -> LoadedSite:
        """The same with what others found; a guest with an error is sound no longer."""
        made = {guest.name: guest for guest in self.guests} | {name: one for name, one in self.unsound.items() if one}
        judged = _judged(made, [*self.findings, *more], self.origins, self.files)
        return replace(judged, dom0=self.dom0, dom0_origins=self.dom0_origins)


def load_site(sources: Sequence[SourceText]) -> LoadedSite:
    """Read every profile of a site: each error of each file, then what the rules say of each guest and of all.

    Never raises for what stands in the files.
    """
    findings = Findings()
    host = load_dom0([source for source in sources if source.stem == DOM0])
    findings.extend(host.findings)
    layers = _layers([source for source in sources if source.stem != DOM0], findings)
    said = {(finding.place, finding.code) for finding in findings}
    made: dict[str, Guest] = {}
    origins: dict[str, Mapping[str, Place]] = {}
    files: dict[str, tuple[str, ...]] = {}
    for layer in layers.values():
        parts, lost = chain(layer, layers)
        findings.extend(lost)
        if layer.is_layer:
            continue
        tree = _merged(parts)
        name = _name(layer)
        if name in files:
            where = f"{files[name][-1]} is a guest of this name, too"
            findings.add(Finding("P201", where, "give one of them another name", layer.values.place, guest=name))
            continue
        files[name] = tuple(part.document.source.name for part in parts)
        guest, wrong = _guest(tree, name) if all(part.document.root for part in parts) else (None, [])
        findings.extend(finding for finding in wrong if (finding.place, finding.code) not in said)
        if guest:
            made[name], taken = with_gateways(guest, host.dom0)
            given = {path_text(path): below.place for path, below in leaves(tree) if below.place.file}
            origins[name] = given | {path: rules.place_of(host.origins, source) for path, source in taken.items()}
    for name, guest in made.items():
        findings.extend(rules.check_guest(guest, origins[name]))
    findings.extend(rules.check_fleet(made, origins, files))
    if host.file:
        files = {name: (host.file, *used) for name, used in files.items()}
    judged = _judged(made, findings, origins, files)
    return replace(judged, dom0=host.dom0, dom0_origins=host.origins)


def _layers(sources: Sequence[SourceText], findings: Findings) -> dict[str, Layer]:
    """Every file by its stem; what is wrong within one file is found here, once, whoever extends it."""
    layers: dict[str, Layer] = {}
    for source in sources:
        document = read_document(source, known=SPOKEN_KEYS)
        layer = read_layer(document)
        findings.extend([*document.findings, *layer.findings, *misused_plus(layer.values)])
        if other := layers.get(source.stem):
            message = f"{other.document.source.name} has the same name but for its ending"
            findings.add(Finding("P201", message, "rename or remove one", Place(source.name, 1, 1)))
            continue
        layers[source.stem] = layer
        if document.root:
            alone = merge(Branch({}, layer.values.place), layer.values)
            findings.extend(_guest(alone, source.stem, partial=True)[1])
    return layers


def _merged(parts: Sequence[Layer]) -> Branch:
    tree = defaults()
    for part in parts:
        tree = merge(tree, part.values)
    return tree


def _name(layer: Layer) -> str:
    named = layer.values.entries.get("name")
    return named.value if isinstance(named, Leaf) and isinstance(named.value, str) else layer.stem


def _guest(tree: Branch, name: str, *, partial: bool = False) -> tuple[Guest | None, list[Finding]]:
    whole = Branch({"name": Leaf("unnamed" if partial else name, NOWHERE), **tree.entries}, tree.place, tree.keys)
    try:
        return Guest.model_validate(plain(whole)), []
    except ValidationError as error:
        return None, explain(error, whole, partial=partial)


def _judged(
    made: Mapping[str, Guest],
    found: Iterable[Finding],
    origins: Mapping[str, Mapping[str, Place]],
    files: Mapping[str, tuple[str, ...]],
) -> LoadedSite:
    findings = Findings()
    findings.extend(found)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    guilty_files = {finding.place.file for finding in errors if not finding.guest}
    guilty = {finding.guest for finding in errors} | {name for name, used in files.items() if guilty_files & set(used)}
    guests = tuple(made[name] for name in sorted(made) if name not in guilty)
    unsound = {name: made.get(name) for name in sorted(files) if name in guilty or name not in made}
    return LoadedSite(guests, unsound, tuple(findings), origins, files)
