"""`domu build`: check, then media, then every artefact of a guest in one folder that appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from builder import __version__
from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Severity
from builder.host import files
from builder.host.digests import file_digest
from builder.host.fetch import UnreachableError
from builder.host.known_initrds import KnownInitrds
from builder.host.run import Runner, run
from builder.host.secrets import resolve
from builder.host.site import Site
from builder.host.store import Store
from builder.image.initrd import PRESEED, InitrdFacts, read_initrd
from builder.image.manifest import Manifest, Output, canonical, digest, parse_manifest, render_manifest
from builder.profile.show import profile_data
from builder.progress import Progress
from builder.storage.plan import render_volumes_json
from builder.workflows.access import Access, Terms, terms_of
from builder.workflows.boot import kernel_findings
from builder.workflows.check import check
from builder.workflows.initrd import repack
from builder.workflows.installer import InstallerMedia, fetched_media, iso_media, netboot_media
from builder.workflows.iso import repack as repack_iso
from builder.workflows.iso_guest import wish_for
from builder.workflows.iso_media import iso_terms
from builder.workflows.payload import payloads_of, read_carried
from builder.workflows.preflight import preflight
from builder.workflows.render import Artefacts

MANIFEST = "manifest.json"
_PRIVATE, _PUBLIC = 0o600, 0o644


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """What the command line asked for: guests (all unless named), and whether to build what is built already."""

    names: tuple[str, ...] = ()
    force: bool = False
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """The folder of one guest; `fresh`: made now, not found as it is to be."""

    manifest: Manifest
    folder: Path
    fresh: bool


@dataclass(frozen=True, slots=True)
class BuildRun:
    """Every guest that was asked for, and what is worth knowing all the same (warnings and notes)."""

    built: tuple[Built, ...]
    findings: tuple[Finding, ...]


def build(
    site: Site,
    order: BuildOrder,
    *,
    progress: Progress,
    now: datetime,
    environment: Mapping[str, str],
    runner: Runner = run,
) -> BuildRun:
    """Build the guests into build/NAME, each only where its inputs changed.

    Raises RefusalError with all findings before anything is fetched or written when one guest has an error,
    BuilderError when media cannot be had or trusted; what was built before stays.
    """
    proved = check(
        site,
        order.names,
        secrets=lambda guest: resolve(guest.secrets(), site=site, runner=runner, environment=environment),
        runner=runner,
    )
    if any(finding.severity is Severity.ERROR for finding in proved.findings):
        raise RefusalError("nothing was built", proved.findings, "mend the errors above and build again")
    found = list(proved.findings)
    built: list[Built] = []
    with _Workshop(site, order, progress=progress, now=now, runner=runner) as workshop:
        for artefacts in proved.artefacts:
            one, findings = workshop.build(artefacts)
            built.append(one)
            found += [finding for finding in findings if finding not in found]
    return BuildRun(tuple(built), tuple(found))


class _Workshop:
    """One run's way to media: each mirror is asked once, each installer is preflighted once."""

    def __init__(self, site: Site, order: BuildOrder, *, progress: Progress, now: datetime, runner: Runner) -> None:
        self.site, self.order, self.progress, self.now, self.runner = site, order, progress, now, runner
        self.store = Store(site.cache, progress)
        self._accesses: dict[Terms, Access] = {}
        self._asked: set[tuple[Terms, str, str]] = set()
        self._facts: dict[str, InitrdFacts] = {}  # by the base's digest: unpacking 140 MB to look costs 0.3 s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for access in self._accesses.values():
            access.close()

    def build(self, artefacts: Artefacts) -> tuple[Built, tuple[Finding, ...]]:
        """Build one guest, or find that it is built; findings are warnings about its media."""
        guest = artefacts.guest
        folder = self.site.build / guest.name
        _refuse_stranger(folder)
        media = self._media(artefacts)
        about_kernel = kernel_findings(guest, media.kernel.path)
        if any(finding.severity is Severity.ERROR for finding in about_kernel):
            raise RefusalError(f"{guest.name} could be installed, but not started", about_kernel)
        extra = read_carried(self.site, guest)
        inputs = inputs_of(artefacts, media, extra)
        manifest = Manifest(guest.name, inputs, {})
        if not self.order.force and (done := self._find_done(folder, manifest.key)):
            return Built(done, folder, fresh=False), (*media.findings, *about_kernel)
        findings = (*media.findings, *about_kernel, *self._preflight(artefacts, media))
        files.private_folder(self.site.build)
        with files.staged_folder(folder) as staged:
            written = [*_write(artefacts, media, self._facts_of(media), extra, staged)]
            written += self._write_iso(artefacts, media, extra, staged)
            outputs = {path.relative_to(staged).as_posix(): Output(*file_digest(path)) for path in written}
            manifest = replace(manifest, outputs=outputs)
            files.write_atomic(staged / MANIFEST, render_manifest(manifest).encode(), mode=_PUBLIC)
            files.replace_folder(staged, folder)
        return Built(manifest, folder, fresh=True), findings

    def _write_iso(
        self, artefacts: Artefacts, media: InstallerMedia, extra: Mapping[str, bytes], folder: Path
    ) -> Iterator[Path]:
        """The ISO as it is, beside kernel and initrd; an HVM guest boots it, so that one carries the preseed."""
        if media.iso is None:
            return
        path = folder / "installer.iso"
        if artefacts.guest.type == "hvm":
            wish = replace(wish_for(artefacts, extra), delay=0)
            repack_iso(media.iso, wish, path, known=KnownInitrds(self.site.cache / "initrds"), progress=self.progress)
        else:
            files.write_in_front(b"", media.iso, path, mode=_PUBLIC)
        yield path

    def _facts_of(self, media: InstallerMedia) -> InitrdFacts:
        base = media.initrd
        if base.sha256 not in self._facts:
            with base.path.open("rb") as stream:
                self._facts[base.sha256] = read_initrd(stream)
        return self._facts[base.sha256]

    def _access(self, terms: Terms) -> Access:
        if terms not in self._accesses:
            self._accesses[terms] = Access(self.store, terms, progress=self.progress, now=self.now, runner=self.runner)
        return self._accesses[terms]

    def _terms(self, artefacts: Artefacts) -> Terms:
        return terms_of(artefacts.guest, self.site, offline=self.order.offline)

    def _media(self, artefacts: Artefacts) -> InstallerMedia:
        guest = artefacts.guest
        if guest.media == "iso" and guest.iso == "auto":
            return fetched_media(guest, self.site, self._access(iso_terms(guest, offline=self.order.offline)))
        if guest.media == "iso":
            return iso_media(guest, self.site, self.store)
        return netboot_media(guest, self.site, self._access(self._terms(artefacts)))

    def _preflight(self, artefacts: Artefacts, media: InstallerMedia) -> tuple[Finding, ...]:
        """Once per mirror and installer: what an installation will miss. A build only warns; a rebuild refuses."""
        terms = self._terms(artefacts)
        mark = (terms, artefacts.guest.suite, artefacts.guest.arch)
        if media.netboot is None or self.order.offline or mark in self._asked:
            return ()
        self._asked.add(mark)
        try:
            seen = preflight(self._access(terms), media.netboot)
        except UnreachableError as error:
            self.progress.say(f"the mirror's udebs were not looked at: {error.message}")
            return ()
        return tuple(replace(finding, severity=max(finding.severity, Severity.WARNING)) for finding in seen.findings)

    def _find_done(self, folder: Path, key: str) -> Manifest | None:
        """The manifest of a build with this key whose every artefact is still what it was."""
        try:
            text = (folder / MANIFEST).read_text()
        except FileNotFoundError:
            return None
        try:
            manifest = parse_manifest(text, str(folder / MANIFEST))
        except BuilderError as error:
            self.progress.say(f"{error.message}; building again")
            return None
        if manifest.key != key:
            return None
        changed = [name for name, output in manifest.outputs.items() if not _is_still(folder / name, output)]
        if changed:
            self.progress.say(f"{folder}: {', '.join(changed)} changed since the build; building again")
            return None
        return manifest


def _refuse_stranger(folder: Path) -> None:
    """A folder that no build of ours made is not ours to replace."""
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise BuilderError(f"{folder} is no build of domu: it has no {MANIFEST}", "move it away and build again")


def inputs_of(artefacts: Artefacts, media: InstallerMedia, extra: Mapping[str, bytes]) -> dict[str, object]:
    """Everything that the artefacts follow from; secrets only as part of the preseed's digest."""
    return {**own_inputs(artefacts, extra), "installer": media.described}


def own_inputs(artefacts: Artefacts, extra: Mapping[str, bytes]) -> dict[str, object]:
    """The inputs that are known without looking for media."""
    return {
        "domu": __version__,
        "suite": artefacts.guest.suite,
        "arch": artefacts.guest.arch,
        "mirror": artefacts.mirror.questions,
        "profile": digest(canonical(profile_data(artefacts.guest))),
        "templates": dict(artefacts.preseed.used),
        "initrd_files": {path: digest(data) for path, data in extra.items()},
        "rendered": digest(canonical({**texts_of(artefacts), **artefacts.preseed.files})),
    }


def texts_of(artefacts: Artefacts) -> dict[str, str]:
    """The artefacts that are text, by file name."""
    name = artefacts.guest.name
    return {
        PRESEED: artefacts.preseed.text,
        f"{name}.install.cfg": artefacts.install_config,
        f"{name}.cfg": artefacts.run_config,
        "volumes.json": render_volumes_json(artefacts.volumes),
        "network/vifs.json": artefacts.network,
    }


def _write(
    artefacts: Artefacts, media: InstallerMedia, facts: InitrdFacts, extra: Mapping[str, bytes], folder: Path
) -> Iterator[Path]:
    """Write every artefact but the manifest; what may hold secrets is the owner's alone."""
    for name, text in texts_of(artefacts).items():
        files.private_folder((folder / name).parent)
        files.write_atomic(folder / name, text.encode(), mode=_PRIVATE if name == PRESEED else _PUBLIC)
        yield folder / name
    files.write_in_front(b"", media.kernel.path, folder / "vmlinuz", mode=_PUBLIC)
    yield folder / "vmlinuz"
    repack(media.initrd.path, payloads_of(artefacts, extra), folder / "initrd.gz", facts=facts, mode=_PRIVATE)
    yield folder / "initrd.gz"


def _is_still(path: Path, output: Output) -> bool:
    try:
        return path.stat().st_size == output.size and file_digest(path) == (output.sha256, output.size)
    except FileNotFoundError:
        return False
