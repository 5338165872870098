"""`domu iso repack` and `verify`: an installer ISO with a preseed in it, and whether an ISO is what it says."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding
from builder.host import files
from builder.host.iso import Stretch, copy_ranges, md5s_of, opened, side_by_side, write_at
from builder.host.known_initrds import KnownInitrds
from builder.image.initrd import InitrdFacts, InitrdPayload, check_files, read_initrd, segment
from builder.image.iso.contents import Contents
from builder.image.iso.links import read_links, resolve
from builder.image.iso.menus import Menu
from builder.image.iso.plan import NeedsFullRewriteError
from builder.image.iso.repack import Layout, NewFile, Order, Sums, plan_repack
from builder.image.iso.sums import with_digests
from builder.image.iso.verify import Carried, Check, check_carried, examine, find_files, read_carried, read_digests
from builder.image.iso.volume import SECTOR
from builder.progress import Progress
from builder.workflows.initrd import read_files

# as d-i's own menu has it for "Automated install"
UNATTENDED = ("auto=true", "priority=critical")
Way = Literal["cloned", "copied", "written anew"]
PRIVATE = 0o600  # a preseed may hold password hashes
_MOST_SHOWN = 20
_STALE = "start again from Debian's ISO"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to put in, and how the image is to start: seconds until it does by itself, arguments for the kernel.

    `arguments` are for the unattended installation, `shared` for the one by hand as well.
    """

    payloads: Mapping[str, InitrdPayload]
    delay: int = 5
    arguments: tuple[str, ...] = UNATTENDED
    shared: tuple[str, ...] = ()
    arch: str = "amd64"
    guest: str = ""
    suite: str = ""

    def with_files(self, added: Sequence[tuple[str, Path]]) -> Wish:
        """The same with further files, by path; BuilderError for one that cannot be read or is there already."""
        more = read_files(added)
        if twice := sorted(more.keys() & self.payloads.keys()):
            raise BuilderError(f"{twice[0]} is there already", "choose another path in the installer")
        return replace(self, payloads={**self.payloads, **more})

    def order(self) -> Order:
        """The same with the segment; RefusalError for files, BuilderError for arguments that cannot be carried."""
        try:
            Menu("", "", "", self.delay, self.guest, self.arguments, self.shared)
        except ValueError as error:
            raise BuilderError(str(error), "see domu iso repack --help") from error
        front = segment(self.payloads)
        return Order(front, self.delay, self.arch, self.guest, self.arguments, self.shared, self.suite)


@dataclass(frozen=True, slots=True)
class Repacked:
    """What was done: the size in bytes, what it grew by, how the rest came over, which initrds carry the files."""

    size: int
    added: int
    way: Way
    initrds: Sequence[str]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """The table of one image."""

    path: Path
    size: int
    checks: tuple[Check, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is wrong."""
        return tuple(finding for check in self.checks for finding in check.findings)


def repack(iso: Path, wish: Wish, output: Path, *, known: KnownInitrds, progress: Progress) -> Repacked:
    """Write `output`, its owner's alone: the image with our files in front of every initrd, and menus that start it.

    Initrds that are `known` are not unpacked again to look for clashes. What was written is verified before it gets
    its name. Raises RefusalError when a file would not arrive in the installer or the result is not sound,
    BuilderError when `iso` is no installer image of Debian's.
    """
    order = wish.order()
    with opened(iso) as image, files.beside(output, PRIVATE) as target:
        inspector = _Inspector(target, wish.payloads, order.front, known)
        try:
            layout = plan_repack(image, order)
        except NeedsFullRewriteError as error:
            progress.say(f"{iso} cannot be patched, as {error.message}; it is written anew")
            initrds = _write_anew(image, target, order, inspector)
            way: Way = "written anew"
            checks = look_again(target)
        else:
            initrds = layout.initrds
            way, checks = _write(image.fileno(), target, layout, inspector)
        grown = os.fstat(target).st_size - os.fstat(image.fileno()).st_size
        return Repacked(os.fstat(target).st_size, grown, way, [path for one in initrds for path in one.paths], checks)


def _write_anew(image: BinaryIO, target: int, order: Order, inspector: _Inspector) -> Sequence[NewFile]:
    """Let pycdlib write all of it, then set the digests right."""
    from builder.image.iso.full import rewrite  # noqa: PLC0415  # pycdlib takes its time to load, and is hardly needed

    with os.fdopen(target, "r+b", closefd=False) as out:
        done = rewrite(image, out, order)
    _settle_sums(target, done.sums, {path: inspector.look(one) for one in done.initrds for path in one.paths})
    return done.initrds


def _write(source: int, target: int, layout: Layout, inspector: _Inspector) -> tuple[files.Way, tuple[Check, ...]]:
    """Initrds first: they are read again and hashed while the rest follows, is sent to the disk and looked at."""
    os.ftruncate(target, layout.size)
    inside = [range(one.offset, one.offset + one.size) for one in layout.initrds]
    early = [copy for copy in layout.copies if any(copy.target in stretch for stretch in inside)]
    late = [copy for copy in layout.copies if copy not in early]
    with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(1) as disk:

        def send(offset: int, count: int) -> None:
            disk.submit(files.start_writing, target, offset, count)

        ways = {copy_ranges(source, target, early, after=send)}
        write_at(target, [(one.offset, inspector.front) for one in layout.initrds])
        largest_first = sorted(layout.initrds, key=lambda one: -one.size)
        looks = [(one, pool.submit(inspector.look, one)) for one in largest_first]
        ways.add(copy_ranges(source, target, late, after=send))
        write_at(target, layout.writes)
        checks = look_again(target)
        digests = {path: look.result() for one, look in looks for path in one.paths}
    _settle_sums(target, layout.sums, digests)
    return ("cloned" if "cloned" in ways else "copied"), checks


def _settle_sums(target: int, listed: Sums | None, digests: Mapping[str, str]) -> None:
    """Write md5sum.txt, which could not be known before."""
    if listed:
        text = with_digests(listed.text, listed.places, {**listed.known, **digests})
        write_at(target, [(listed.offset, text)])


@dataclass(frozen=True, slots=True)
class _Inspector:
    """Reads initrds in the new image as the kernel will."""

    target: int
    payloads: Mapping[str, InitrdPayload]
    front: bytes
    known: KnownInitrds

    def look(self, one: NewFile) -> str:
        """The MD5 of an initrd; RefusalError when its base has something in the place of our files."""
        total, base = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        length = len(self.front)
        if b"".join(Stretch(self.target, one.offset, length).pieces(total)) != self.front:
            raise BuilderError(f"{one.paths[0]} was not written as it should be", "is the disk sound? see dmesg")
        stretch = Stretch(self.target, one.offset + length, one.size - length)
        for _ in stretch.pieces(total, base):
            pass
        findings = check_files(self.payloads, self._facts(one, base.hexdigest()))
        if findings.errors:
            raise RefusalError(f"{one.paths[0]} cannot carry these files", findings.errors)
        return total.hexdigest()

    def _facts(self, one: NewFile, sha256: str) -> InitrdFacts:
        if (facts := self.known.find(sha256)) is None:
            length = len(self.front)
            facts = read_initrd(Stretch(self.target, one.offset + length, one.size - length))
            self.known.keep(sha256, facts)
        return facts


def look_again(target: int) -> tuple[Check, ...]:
    """The structure of what was written, and what its initrds carry; RefusalError when it is not sound."""
    with os.fdopen(target, "rb", closefd=False) as image:
        checks, contents = examine(image)
        if contents:
            checks += (check_carried(read_carried(image, contents)),)
    found = [finding for check in checks for finding in check.findings]
    if found:
        raise RefusalError("the new image is not sound, and was not kept", found, "verify the old one: domu iso verify")
    return checks


def verify(path: Path, *, progress: Progress) -> Verified:
    """Look at everything: structure, boot records, each line of md5sum.txt, each initrd. BuilderError: unreadable."""
    with opened(path) as image:
        checks, contents = examine(image)
        if contents is None:
            return Verified(path, path.stat().st_size, checks)
        try:
            carried = read_carried(image, contents)
            summed = _check_sums(image, contents, read_digests(image, contents), progress)
        except BuilderError as error:
            damaged = Check("files", "cannot be read", (Finding("I200", error.message, error.hint),))
            return Verified(path, contents.volume.size, (*checks, damaged))
        links: dict[int, list[Carried]] = {}
        for one in carried:
            links.setdefault(one.record.extent, []).append(one)
        bases = side_by_side(lambda same: _base_of(image.fileno(), *same), list(links.values()))
        return Verified(path, contents.volume.size, (*checks, summed, check_carried(carried), *bases))


def _base_of(handle: int, one: Carried, *links: Carried) -> Check:
    """Unpack an initrd, which has other names too: whether it is whole, and leaves our preseed alone."""
    path, start = one.record.path, one.record.extent * SECTOR
    try:
        facts = read_initrd(Stretch(handle, start + one.front, one.record.size - one.front))
    except BuilderError as error:
        return Check(path, "cannot be read", (Finding("I214", f"{path}: {error.message}", error.hint),))
    found: tuple[Finding, ...] = ()
    if one.preseed and facts.has_preseed:
        found = (Finding("I213", f"{path} has a preseed.cfg of its own, which wins over the one in front", _STALE),)
    kernels = ", ".join(facts.kernel_abis) or "no kernel's modules"
    own = "; a preseed.cfg within" if facts.has_preseed else ""
    carried = f"; {len(one.names)} entries in front" if one.front else ""
    also = f"; the same file as {', '.join(link.record.path for link in links)}" if links else ""
    return Check(path, f"{kernels}{own}{carried}{also}", found)


def _check_sums(image: BinaryIO, contents: Contents, digests: dict[str, bytes] | None, progress: Progress) -> Check:
    if digests is None:
        return Check("md5sum.txt", "none", there=False)
    progress.start("md5sum.txt", contents.volume.size)
    try:
        wrong, missing = _compare(image, contents, digests, progress)
        if missing:  # or named through a link
            links = read_links(image, contents)
            behind = {path: resolve(path, links) for path in missing}
            wanted = {path: digests[name] for name, path in behind.items() if path and path != name}
            more, nowhere = _compare(image, contents, wanted, progress)
            wrong += more
            missing = {name for name, path in behind.items() if path in nowhere or path not in wanted}
    finally:
        progress.finish()
    found = [Finding("I211", f"{path} is not what md5sum.txt says", _STALE) for path in wrong]
    found += [Finding("I210", f"md5sum.txt names {path}, which is not there", _STALE) for path in sorted(missing)]
    right = len(digests) - len(wrong) - len(missing)
    return Check("md5sum.txt", f"{right} of {len(digests)} files are as it says", tuple(found[:_MOST_SHOWN]))


def _compare(
    image: BinaryIO, contents: Contents, digests: Mapping[str, bytes], progress: Progress
) -> tuple[list[str], set[str]]:
    """The files with another digest, and those that are not there."""
    wrong, missing = [], set(digests)
    for path, size, digest in md5s_of(image.fileno(), find_files(image, contents, digests)):
        progress.advance(size)
        missing.discard(path)
        if digest != digests[path]:
            wrong.append(path)
    return wrong, missing
