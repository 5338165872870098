"""What of a dom0 decides how guests can start, and how each fact is known: read, from dom0.yaml, or assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from builder.profile.model import Suite
from builder.xen.kernel import Compression

T = TypeVar("T")
Need = Literal["pvgrub", "pvhgrub", "pygrub", "qemu", "hvm"]
Version = tuple[int, int]

ASSUMED = "assumed"
# The Xen of each Debian release.
XEN_OF: Mapping[Suite, Version] = {"bookworm": (4, 17), "trixie": (4, 20)}
# xg_dom_bzimageloader.c of Xen 4.17, as Debian builds it: liblzma, libzstd and zlib, but neither bzip2 nor lzo.
# zstd came with Xen 4.15 (CHANGELOG.md); lz4 and plain ELF images need no library.
LIBRARIES: Mapping[str, frozenset[Compression]] = {
    "libz.so": frozenset({"gzip"}),
    "liblzma.so": frozenset({"xz", "lzma"}),
    "libbz2.so": frozenset({"bzip2"}),
    "liblzo2.so": frozenset({"lzo"}),
    "libzstd.so": frozenset({"zstd"}),
}
WITHOUT_LIBRARY: frozenset[Compression] = frozenset({"none", "lz4"})
_ZSTD_SINCE = (4, 15)


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """A fact and its origin, for a sentence: `read here`, `profiles/dom0.yaml`, or what begins with `assumed`."""

    value: T
    origin: str

    @property
    def is_assumed(self) -> bool:
        """Nobody looked."""
        return self.origin.startswith(ASSUMED)


@dataclass(frozen=True, slots=True)
class BootFacts:
    """A dom0. `has`: whether what a method needs is there; `unpacks`: the kernels that its libxenguest can read."""

    xen: Told[Version]
    has: Mapping[Need, Told[bool]]
    unpacks: Told[frozenset[Compression]]


def assumed_facts(xen: str = "auto", suite: Suite | Literal["auto"] = "auto") -> BootFacts:
    """A Debian dom0 that nobody looked at: what dom0.yaml says of it, else bookworm's, with all that guests need."""
    if xen != "auto":
        major, minor = xen.split(".")
        version = Told((int(major), int(minor)), "profiles/dom0.yaml")
    elif suite != "auto":
        version = Told(XEN_OF[suite], f"profiles/dom0.yaml: {suite}'s")
    else:
        version = Told(XEN_OF["bookworm"], f"{ASSUMED}: bookworm's")
    installed = Told(value=True, origin=f"{ASSUMED}: installed")
    hardware = Told(value=True, origin=f"{ASSUMED}: the processor can, and the firmware lets it")
    has: dict[Need, Told[bool]] = {
        "pvgrub": installed,
        "pvhgrub": installed,
        "pygrub": installed,
        "qemu": installed,
        "hvm": hardware,
    }
    return BootFacts(version, has, usual_unpacks(version.value))


def usual_unpacks(xen: Version) -> Told[frozenset[Compression]]:
    """What Debian's libxenguest of this version reads, where nobody looked."""
    known = WITHOUT_LIBRARY | LIBRARIES["libz.so"] | LIBRARIES["liblzma.so"]
    if xen >= _ZSTD_SINCE:
        known |= LIBRARIES["libzstd.so"]
    return Told(known, f"{ASSUMED}: as Debian builds Xen {xen[0]}.{xen[1]}")


def unpacks_by(libraries: frozenset[str]) -> frozenset[Compression]:
    """What a libxenguest reads that is linked to these libraries."""
    return WITHOUT_LIBRARY.union(*(LIBRARIES[name] for name in libraries))
