"""Which packages may ask questions: wanted ones and all that depend on debconf, out of Packages and Sources indices."""

from __future__ import annotations

import lzma
import re
import tarfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, BinaryIO

from debian.deb822 import Deb822

from builder.errors import BuilderError
from builder.media.packages import Package, parse_package, read_stanzas, whole_stanzas
from builder.media.release import Digest

_NAME = re.compile(rb"Package: (\S+)")
_DEBCONF = re.compile(rb"^(?:Pre-)?Depends:[^\n]*\bdebconf\b", re.MULTILINE)
_LISTED = re.compile(r"([0-9a-f]{64}) +([0-9]{1,12}) +(\S+)", re.ASCII)
# debian/templates is the first package's, debian/NAME.templates that of NAME: dh_installdebconf(1).
_TEMPLATES = re.compile(r"(?:[^/]+/)?debian/(?:(?P<package>[a-z0-9][a-z0-9+.-]+)\.)?templates", re.ASCII)
_TEMPLATE_LIKE = re.compile(r"(?:[^/]+/)?debian/[^/]*templates?[^/]*", re.ASCII)  # such as NAME.templates-in
_LARGEST_FILE = 4 << 20
_BROKEN = "take another mirror"


@dataclass(frozen=True, slots=True)
class Asking:
    """Of one index: the wanted packages that it has, and the names of all that depend on debconf."""

    packages: Mapping[str, Package]
    askers: frozenset[str]


@dataclass(frozen=True, slots=True)
class UdebOrigin:
    """A udeb and the source package that it is built from."""

    package: Package
    source: str
    source_version: str
    is_kernel: bool  # modules of one kernel, which ask nothing


@dataclass(frozen=True, slots=True)
class SourceTar:
    """The file of a source package that holds its debian/ folder, and the packages built from it."""

    name: str
    version: str
    filename: str
    digest: Digest
    binaries: tuple[str, ...]


def find_asking(index: IO[bytes], wanted: Collection[str]) -> Asking:
    """Read a Packages index once; of several versions the newest. BuilderError when it is damaged."""
    packages: dict[str, Package] = {}
    askers: set[str] = set()
    for stanza in _cut_all(index):
        match = _NAME.match(stanza)
        name = match[1].decode(errors="replace") if match else ""
        if name in wanted:
            package = parse_package(next(read_stanzas(stanza)))
            if name not in packages or packages[name].sort_key < package.sort_key:
                packages[name] = package
        if b"debconf" in stanza and _DEBCONF.search(stanza):
            askers.add(name)
    return Asking(packages, frozenset(askers))


def list_udebs(index: bytes) -> tuple[UdebOrigin, ...]:
    """Every udeb of a `debian-installer` Packages index; BuilderError when it cannot be read."""
    return tuple(_origin(stanza) for stanza in read_stanzas(index))


def _origin(stanza: Deb822) -> UdebOrigin:
    package = parse_package(stanza)
    source, _blank, version = stanza.get("Source", package.name).partition(" ")
    version = version.strip("()") or package.version
    return UdebOrigin(package, source, version, bool(stanza.get("Kernel-Version")))


def find_sources(index: IO[bytes], wanted: Mapping[str, str]) -> dict[str, SourceTar]:
    """The wanted sources (name -> version) that a Sources index has in that very version."""
    found: dict[str, SourceTar] = {}
    for stanza in _cut_all(index):
        match = _NAME.match(stanza)
        name = match[1].decode(errors="replace") if match else ""
        if name in wanted:
            fields = next(read_stanzas(stanza))
            if fields.get("Version") == wanted[name] and (tar := _debian_tar(name, fields)):
                found[name] = tar
    return found


def _debian_tar(name: str, fields: Deb822) -> SourceTar | None:
    """NAME_VERSION.debian.tar.xz, or the one tar of a native package."""
    listed = {
        match[3]: Digest(match[1], int(match[2])) for match in _LISTED.finditer(fields.get("Checksums-Sha256", ""))
    }
    tars = [file for file in listed if re.search(r"\.tar\.(xz|gz|bz2)$", file)]
    chosen = [file for file in tars if ".debian.tar." in file] or (tars if len(tars) == 1 else [])
    folder = fields.get("Directory", "")
    path = f"{folder}/{chosen[0]}" if chosen else ""
    if not path or {"", ".", ".."} & set(path.split("/")) or not path.isprintable():
        return None
    binaries = tuple(word.strip() for word in fields.get("Binary", "").split(",") if word.strip())
    return SourceTar(name, fields["Version"], path, listed[chosen[0]], binaries)


@dataclass(frozen=True, slots=True)
class SourceTemplates:
    """debian/*.templates of a source by package name, that of debian/templates under the empty name.

    `others` are files that look as if templates were made from them while the package is built.
    """

    files: Mapping[str, bytes]
    others: tuple[str, ...]

    @property
    def none_at_all(self) -> bool:
        """Whether nothing that is built from this source can ask anything."""
        return not self.files and not self.others


def read_source_templates(tar: BinaryIO) -> SourceTemplates:
    """The templates in a source's tar; BuilderError when it is damaged."""
    found: dict[str, bytes] = {}
    others: list[str] = []
    try:
        with tarfile.open(fileobj=tar, mode="r|*") as source:
            for member in source:
                path = member.name.removeprefix("./")
                match = _TEMPLATES.fullmatch(path)
                if match and member.isreg() and member.size <= _LARGEST_FILE:
                    file = source.extractfile(member)
                    found[match["package"] or ""] = file.read() if file else b""
                elif _TEMPLATE_LIKE.fullmatch(path):
                    others.append(path)
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError) as error:
        raise BuilderError(f"the source package cannot be read: {error or type(error).__name__}", _BROKEN) from error
    return SourceTemplates(found, tuple(others))


def _cut_all(index: IO[bytes]) -> Iterator[bytes]:
    for text in whole_stanzas(index):
        yield from filter(None, text.strip(b"\n").split(b"\n\n"))
