"""Installer ISOs on a mirror of Debian's CD images: which one a suite's guests start from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from builder.errors import BuilderError
from builder.media.netboot import RELEASE_NUMBERS

SUMS = "SHA256SUMS"
SIGNATURE = f"{SUMS}.sign"
# Debian's role keys, of the package debian-keyring. Of those only the CD team's count, as they are told on
# https://www.debian.org/CD/verify: the release images' (2011), its forerunner (2009), the testing images' (2014).
ROLE_KEYRING = "/usr/share/keyrings/debian-role-keys.gpg"
CD_KEYS = frozenset(
    {
        "DF9B9C49EAA9298432589D76DA87E80D6294BE9B",
        "10460DAD76165AD81FBC0CE9988021A964E6EA7D",
        "F41D30342F3546695F65C66942468F4009EA8AC3",
    }
)
_NETINST = r"debian-(?P<version>{number}(?:\.[0-9]+)+)-{arch}-netinst\.iso"
_HINT = "iso_mirror is the folder that holds the ISO and its SHA256SUMS, such as .../debian-cd/current/amd64/iso-cd"


@dataclass(frozen=True, slots=True)
class CdImage:
    """An ISO as the signed SHA256SUMS lists it."""

    name: str
    sha256: str

    @property
    def version(self) -> tuple[int, ...]:
        """Of the release, for comparing: (13, 2, 0); empty when the name tells none."""
        match = re.search(r"-([0-9]+(?:\.[0-9]+)+)-", self.name)
        return tuple(map(int, match[1].split("."))) if match else ()


def may_vouch(keyring: str, signers: Collection[str]) -> bool:
    """Whether one of these keys may sign ISOs: of Debian's role keys the CD team's, of any other keyring all."""
    return keyring != ROLE_KEYRING or not CD_KEYS.isdisjoint(signers)


def find_netinst(listing: Mapping[str, str], *, suite: str, arch: str) -> CdImage:
    """The newest netinst ISO of the suite; BuilderError when none is listed."""
    pattern = re.compile(_NETINST.format(number=RELEASE_NUMBERS[suite], arch=re.escape(arch)))
    found = [CdImage(name, sha256) for name, sha256 in listing.items() if pattern.fullmatch(name)]
    if not found:
        seen = ", ".join(sorted(name for name in listing if name.endswith(".iso"))[:3]) or "no ISO"
        raise BuilderError(f"there is no netinst ISO of {suite} for {arch}, but {seen}", _HINT)
    return max(found, key=lambda image: image.version)


def find_pinned(listing: Mapping[str, str], sha256: str) -> CdImage:
    """The ISO with this digest; BuilderError when none is listed."""
    for name, digest in listing.items():
        if digest == sha256 and name.endswith(".iso") and "/" not in name:
            return CdImage(name, sha256)
    raise BuilderError(
        f"no ISO there has the pinned SHA-256 {sha256}",
        "name the folder of the older release as iso_mirror (.../cdimage/archive/VERSION/ARCH/iso-cd), or pin another",
    )
