"""What `domu fetch` has in the cache, and what the preflight saw, for people and as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builder.findings import Finding
from builder.media.lock import Pin
from builder.media.netboot import INITRD, KERNEL
from builder.media.release import Digest
from builder.media.udebs import Preflight
from builder.report.findings import finding_data
from builder.units import Size

_SOURCES = {"images": "installer images", "package": "netboot package"}


@dataclass(frozen=True, slots=True)
class Held:
    """Media that are in the cache; `fetched` says whether some of it came just now."""

    suite: str
    arch: str
    pin: Pin
    fetched: bool
    changes: tuple[str, ...] = ()


def held_text(held: Sequence[Held]) -> str:
    """A paragraph for each, and the sum of their sizes."""
    lines = [line for one in held for line in _paragraph(one)]
    total = sum(digest.size or 0 for one in held for digest in _files(one.pin).values())
    came = [one for one in held if one.fetched]
    whence = "all from the cache" if not came else f"{len(came)} of {len(held)} fetched now"
    return "\n".join([*lines, f"{Size(total).human} in all; {whence}"])


def _paragraph(one: Held) -> Iterable[str]:
    pin = one.pin
    whence = f"fetched from the {_SOURCES.get(pin.source, pin.source)}" if one.fetched else "from the cache"
    yield f"{one.suite}/{one.arch}: installer {pin.version}, kernel {pin.kernel_abi}, {whence}"
    for name, digest in _files(pin).items():
        yield f"  {name:<10}{Size(digest.size or 0).human:>10}  sha256 {digest.sha256[:16]}..."
    yield from (f"  {change}" for change in one.changes)


def preflight_text(seen: Preflight) -> str:
    """What was asked for, and each udeb that cannot be had with the path at which it is listed."""
    plan = seen.plan
    head = (
        f"{seen.suite}/{seen.arch} preflight: kernel {seen.kernel_abi}; {len(plan.anna)} udebs that the installer"
        f" pulls, {len(plan.partman)} that partman asks for later; {len(seen.missing) or 'none'} missing"
    )
    return "\n".join([head, *(f"  missing: {udeb.package.filename}" for udeb in seen.missing)])


def fetched_data(
    held: Sequence[Held], preflights: Sequence[Preflight], findings: Sequence[Finding]
) -> Mapping[str, Any]:
    """All of it as JSON has it; sizes in bytes."""
    return {
        "media": [_held_data(one) for one in held],
        "preflight": [_preflight_data(seen) for seen in preflights],
        "findings": [finding_data(finding) for finding in findings],
    }


def _held_data(one: Held) -> Mapping[str, Any]:
    return {
        "suite": one.suite,
        "arch": one.arch,
        "version": one.pin.version,
        "source": one.pin.source,
        "kernel_abi": one.pin.kernel_abi,
        "fetched": one.fetched,
        "changes": list(one.changes),
        "files": {name: {"sha256": digest.sha256, "size": digest.size} for name, digest in _files(one.pin).items()},
    }


def _preflight_data(seen: Preflight) -> Mapping[str, Any]:
    return {
        "suite": seen.suite,
        "arch": seen.arch,
        "mirror": seen.mirror,
        "kernel_abi": seen.kernel_abi,
        "anna": len(seen.plan.anna),
        "partman": len(seen.plan.partman),
        "missing": [
            {"name": udeb.package.name, "version": udeb.package.version, "filename": udeb.package.filename}
            for udeb in seen.missing
        ],
    }


def _files(pin: Pin) -> Mapping[str, Digest]:
    return {KERNEL: pin.kernel, INITRD: pin.initrd}
