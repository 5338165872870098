"""Makes catalogues out of verified files, and finds the one that fits a build: in a cache, else the shipped one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from builder.errors import BuilderError
from builder.findings import Findings
from builder.host.store import Blob, Store
from builder.image.initrd import read_files
from builder.media.asking import SourceTar, read_source_templates
from builder.media.deb import read_control
from builder.media.release import SHA256
from builder.preseed.catalogue import Catalogue, Provenance, Question, UnreadPackage, merge_questions
from builder.preseed.catalogue_form import read_compact, write_compact
from builder.preseed.owners import possible_prefixes
from builder.preseed.templates import Template, parse_templates
from builder.preseed.untemplated import DECLARED

SHIPPED = Path(__file__).parent.parent / "catalogues"
ENDING = ".json.gz"
_INITRD_TEMPLATES = re.compile(r"var/lib/dpkg/info/(?P<package>[^/]+)\.templates", re.ASCII)
_NOTES = "catalogue"


@dataclass(slots=True)
class Maker:
    """Collects the questions of one suite from verified files, then makes the catalogue."""

    suite: str
    arch: str
    installer: str
    findings: Findings = field(default_factory=Findings)
    _questions: list[Question] = field(default_factory=list)
    _unread: dict[str, UnreadPackage] = field(default_factory=dict)
    _read: dict[str, list[str]] = field(default_factory=dict)

    def read_initrd(self, initrd: Blob) -> None:
        """Every templates file of the initrd's dpkg."""
        self._note("initrd", initrd.sha256)
        with initrd.path.open("rb") as stream:
            for path, data in read_files(stream, _INITRD_TEMPLATES):
                match = _INITRD_TEMPLATES.fullmatch(path)
                package = match["package"] if match else path
                self._add(package, "initrd", data, name=f"initrd {package}")

    def read_package(self, package: str, deb: Blob, provenance: Provenance) -> None:
        """The templates of a .deb or .udeb, when it has any; a damaged one counts as unread."""
        with deb.path.open("rb") as stream:
            try:
                control = read_control(stream, {"templates"})
            except BuilderError as error:
                self.pass_over(package, error.message)
                return
        self._note(f"{provenance}s", deb.sha256)
        if data := control.get("templates"):
            self._add(package, provenance, data, name=f"{provenance} {package}")

    def read_source(self, tar: Blob, source: SourceTar, udebs: Iterable[str]) -> None:
        """What a source's debian/ folder declares for these of its udebs, which could not be had themselves.

        dh_installdebconf takes debian/UDEB.templates as it is, so a udeb with such a file counts as read. Where
        templates are made during the build, the names found are known, and the udeb stays unread. BuilderError.
        """
        with tar.path.open("rb") as stream:
            found = read_source_templates(stream)
        self._note("sources", tar.sha256)
        owners = sorted(udebs)
        for package, data in sorted(found.files.items()):
            owner = package or (source.binaries or ("",))[0]
            if owner in owners or owner not in source.binaries:
                known = owner if owner in owners else owners[0]
                self._add(known, "source", data, name=f"source {source.name}", source=True)
                self._unread.pop(owner, None)
        for udeb in owners if found.none_at_all else ():
            self._unread.pop(udeb, None)

    def read_twin(self, udeb: str, deb: Blob) -> None:
        """The templates of a .deb that is built from the very same file as those of this udeb, which is missing."""
        with deb.path.open("rb") as stream:
            data = read_control(stream, {"templates"}).get("templates", b"")
        self._note("sources", deb.sha256)
        self._add(udeb, "source", data, name=f"twin of {udeb}")
        self._unread.pop(udeb, None)

    def pass_over(self, package: str, why: str) -> None:
        """Say that this package was not read."""
        self._unread[package] = UnreadPackage(package, why, possible_prefixes(package))

    def make(self) -> Catalogue:
        """The catalogue of all that was read, with the names that no template declares."""
        declared = [_question(row.template, row.package, "table") for row in DECLARED if self.suite in row.suites]
        return Catalogue(
            self.suite,
            self.arch,
            self.installer,
            merge_questions([*self._questions, *declared]),
            tuple(self._unread[name] for name in sorted(self._unread)),
            {kind: _digest_of(digests) for kind, digests in sorted(self._read.items())},
        )

    def _add(self, package: str, provenance: Provenance, data: bytes, *, name: str, source: bool = False) -> None:
        templates, findings = parse_templates(data, name=name, source=source)
        self.findings.extend(findings)
        self._questions += [_question(template, package, provenance) for template in templates]

    def _note(self, kind: str, sha256: str) -> None:
        self._read.setdefault(kind, []).append(sha256)


def _question(template: Template, package: str, provenance: Provenance) -> Question:
    return Question(
        template.name, template.type, template.default, template.choices, template.substituted,
        template.description, template.extended, package, provenance,
        installer=provenance != "deb", target=provenance == "deb",
    )  # fmt: skip


def _digest_of(digests: list[str]) -> str:
    """Of a single file its own, of several that of the sorted list."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class FoundCatalogue:
    """A catalogue, `cached` in a store or else shipped. `fits`: it is of the build that was asked for."""

    catalogue: Catalogue
    cached: bool
    fits: bool


def keep_catalogue(store: Store, catalogue: Catalogue) -> Blob:
    """Put it into the store by its digest, and note it as the newest of its suite and architecture."""
    blob = store.admit_bytes(write_compact(catalogue))
    note = {"sha256": blob.sha256, "installer": catalogue.installer}
    store.keep_note(_NOTES, f"{catalogue.suite}-{catalogue.arch}", note)
    return blob


def find_catalogue(suite: str, arch: str, *, stores: Sequence[Store], installer: str = "") -> FoundCatalogue:
    """The catalogue for this build: a store's when it is of that version, else the shipped one.

    Without `installer` the first store's that has one. BuilderError when there is none at all for the suite. The
    shipped ones are of amd64: other architectures have the same questions but for boot loaders and firmware.
    """
    for store in stores:
        cached = _cached(store, suite, arch)
        if cached and installer in {"", cached.installer}:
            return FoundCatalogue(cached, cached=True, fits=True)
    shipped = shipped_catalogue(suite)
    return FoundCatalogue(shipped, cached=False, fits=installer in {"", shipped.installer} and arch == shipped.arch)


def _cached(store: Store, suite: str, arch: str) -> Catalogue | None:
    note = store.note(_NOTES, f"{suite}-{arch}")
    sha256 = note.get("sha256") if isinstance(note, dict) else None
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        return None
    blob = store.find(sha256)
    return read_compact(blob.path.read_bytes(), name=f"the cached catalogue of {suite}") if blob else None


def shipped_suites() -> tuple[str, ...]:
    """The suites whose catalogue ships with the package."""
    return tuple(sorted(path.name.removesuffix(ENDING) for path in SHIPPED.glob(f"*{ENDING}")))


@cache
def shipped_catalogue(suite: str) -> Catalogue:
    """The catalogue that ships for this suite; BuilderError when none does."""
    if suite not in shipped_suites():
        known = ", ".join(shipped_suites()) or "none"
        raise BuilderError(f"no catalogue ships for suite {suite!r}", f"there is {known}; or: domu catalogue update")
    return read_compact((SHIPPED / f"{suite}{ENDING}").read_bytes(), name=f"the shipped catalogue of {suite}")
