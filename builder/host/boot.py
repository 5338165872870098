"""Looks at what decides how guests start: GRUB's images, pygrub, QEMU, libxenguest and Xen in dom0; a kernel's file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from builder.errors import BuilderError
from builder.host.run import Runner
from builder.host.xl import ROOT, look_for_xen, xen_info
from builder.xen.boot_facts import LIBRARIES, BootFacts, Need, Told, Version, unpacks_by
from builder.xen.boot_matrix import METHODS
from builder.xen.kernel import HEAD, Compression, Kernel, read_kernel

T = TypeVar("T")
_HERE = "read here"
# Any of them will do. QEMU's places are those that Debian builds libxl with, and what xl falls back to.
_FILES: Mapping[Need, tuple[str, ...]] = {
    "pvgrub": (METHODS["pvgrub"].kernel,),
    "pvhgrub": (METHODS["pvhgrub"].kernel,),
    "pygrub": ("/usr/lib/xen-*/bin/pygrub", "/usr/bin/pygrub"),
    "qemu": ("/usr/libexec/xen-qemu-system-i386", "/usr/bin/qemu-system-i386"),
}


def read_boot_facts(runner: Runner, said: BootFacts, root: Path = ROOT) -> BootFacts:
    """What is here, if this is a dom0, else `said`; also for single facts that cannot be read, with the reason."""
    if not look_for_xen(root).dom0:
        return said
    has = {need: Told(any(_is_there(root, name) for name in names), _HERE) for need, names in _FILES.items()}
    try:
        info = xen_info(runner)
    except BuilderError as error:
        xen, hvm = _unread(said.xen, error), _unread(said.has["hvm"], error)
    else:
        xen, hvm = Told(_version(info.release), _HERE), Told(info.can_hvm, _HERE)
    return BootFacts(xen, {**has, "hvm": hvm}, _unpacks(root, xen.value) or said.unpacks)


def read_kernel_file(path: Path) -> Kernel | None:
    """The kernel in a file; None where there is none. BuilderError when the file is no kernel."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BuilderError(f"{path} cannot be read: {error.strerror}") from error
    return read_kernel(head, str(path))


def _is_there(root: Path, name: str) -> bool:
    return any(path.exists() for path in root.glob(name.lstrip("/")))


def _version(release: str) -> Version:
    major, _dot, minor = release.partition(".")
    return int(major), int(minor)


def _unread(told: Told[T], error: BuilderError) -> Told[T]:
    return Told(told.value, f"{told.origin}; not read here: {error.message}")


def _unpacks(root: Path, xen: Version) -> Told[frozenset[Compression]] | None:
    """By the libraries that the running Xen's libxenguest names as needed; None where it cannot be read."""
    name = f"libxenguest.so.{xen[0]}.{xen[1]}"
    for path in sorted([*root.glob(f"usr/lib/*/{name}"), *root.glob(f"usr/lib/xen-*/lib/**/{name}")]):
        try:
            data = path.read_bytes()
        except OSError:
            continue
        linked = frozenset(library for library in LIBRARIES if f"\0{library}.".encode() in data)
        return Told(unpacks_by(linked), f"{_HERE}: {path} needs {', '.join(sorted(linked)) or 'no such library'}")
    return None
