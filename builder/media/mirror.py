"""Where a Debian mirror keeps things, how it looks through an apt-cacher, and what the installer is told of it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote, urlsplit, urlunsplit

from builder.errors import BuilderError
from builder.findings import Finding, Severity

CACHER_PORT = 3142  # registered for apt-cacher; apt-cacher-ng listens there, too
_EXAMPLE = "write it as in http://mirror.example.org/debian"
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+(?::[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mirror:
    """An archive's base URL without trailing slash: `dists/` and `pool/` lie below it."""

    url: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take a URL as a person or apt wrote it; BuilderError says what to write."""
        url = text.strip().rstrip("/")
        try:
            parts = urlsplit(url)
            sound = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
        except ValueError:
            sound = False
        if not sound or not url.isprintable() or re.search(r"[\s?#]", url):
            raise BuilderError(f"{shown(text.strip())!r} is no mirror's URL", _EXAMPLE)
        return cls(url)

    def file(self, path: str) -> str:
        """The URL of a path below the base. `+` is quoted, as apt does: some object stores read it as a blank."""
        return f"{self.url}/{quote(path, safe='/~')}"

    @property
    def host(self) -> str:
        """The name of the server that is asked, in small letters, without port."""
        return urlsplit(self.url).hostname or ""

    @property
    def cacher(self) -> str:
        """`host:port` of the apt-cacher that the URL leads through, as in `http://cacher:3142/mirror-host/debian`."""
        parts = urlsplit(self.url)
        inside = _HOST.fullmatch(parts.path.split("/")[1] if parts.path else "")
        return _place(parts.netloc) if parts.port == CACHER_PORT or inside else ""

    @property
    def behind(self) -> Mirror | None:
        """The mirror as it is without the cacher, when the URL tells it."""
        first, _slash, rest = urlsplit(self.url).path.lstrip("/").partition("/")
        return Mirror(f"http://{first}/{rest}".rstrip("/")) if self.cacher and _HOST.fullmatch(first) else None

    def __str__(self) -> str:
        return shown(self.url)


@dataclass(frozen=True, slots=True)
class MirrorAnswers:
    """What the installer asks about its mirror: `mirror/protocol` and `mirror/PROTOCOL/{hostname,directory,proxy}`."""

    protocol: str
    hostname: str  # with its port when it has one
    directory: str  # begins with a slash
    proxy: str  # empty for none

    @property
    def questions(self) -> dict[str, str]:
        """The debconf questions and their answers; choose-mirror takes host and directory for country `manual`."""
        return {
            "mirror/country": "manual",
            "mirror/protocol": self.protocol,
            f"mirror/{self.protocol}/hostname": self.hostname,
            f"mirror/{self.protocol}/directory": self.directory,
            f"mirror/{self.protocol}/proxy": self.proxy,
        }


def answers_for_guest(mirror: Mirror, proxy: str | None) -> tuple[MirrorAnswers, tuple[Finding, ...]]:
    """What a guest is told of the mirror and proxy that dom0 uses, and what it cannot be told.

    A guest has a loopback of its own, and a password has no place in a preseed: both are left out with a warning.
    """
    findings: list[Finding] = []
    if is_loopback(mirror.host):
        mirror = _from_outside(mirror, findings)
    if "@" in urlsplit(mirror.url).netloc:
        findings.append(
            Finding(
                "M204",
                f"the mirror {mirror} wants a name and a password, which are not written into a preseed",
                "give a mirror or an apt-cacher that the guest may use without: mirror: in profiles/site.yaml",
                severity=Severity.WARNING,
            )
        )
    parts = urlsplit(mirror.url)
    answers = MirrorAnswers(parts.scheme, _place(parts.netloc), parts.path or "/", "")
    if proxy is None:
        return answers, tuple(findings)
    if refused := _refuse_proxy(proxy):
        return answers, (*findings, refused)
    return replace(answers, proxy=proxy.rstrip("/") + "/"), tuple(findings)


def _from_outside(mirror: Mirror, findings: list[Finding]) -> Mirror:
    outside = mirror.behind
    findings.append(
        Finding(
            "M203",
            f"the mirror {mirror} is on this machine's loopback, where no guest gets",
            f"the guest is told {outside} instead" if outside else "give an address that the guest reaches, as mirror:",
            severity=Severity.WARNING if outside else Severity.ERROR,
        )
    )
    return outside or mirror


def _refuse_proxy(proxy: str) -> Finding | None:
    parts = urlsplit(proxy)
    if is_loopback(parts.hostname or ""):
        code, why = "M202", "is on this machine's loopback, where no guest gets"
        hint = "for a quicker installation give an address that the guest reaches, as in proxy: http://192.0.2.1:3142"
    elif "@" in parts.netloc:
        code, why = "M204", "wants a name and a password, which are not written into a preseed"
        hint = "give one that the guest may use without, as proxy:, or write proxy: none"
    else:
        return None
    message = f"the proxy {shown(proxy)} {why}; the guest goes direct"
    return Finding(code, message, hint, severity=Severity.WARNING)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means the machine that says it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def shown(url: str) -> str:
    """A URL for messages: without a user's name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=_place(parts.netloc)))


def _place(netloc: str) -> str:
    return netloc.rpartition("@")[2]


def suite_path(suite: str, path: str) -> str:
    """Below the base: where a suite keeps a file that its Release lists under `path`."""
    return f"dists/{suite}/{path}"


def by_hash_path(path: str, sha256: str) -> str:
    """The same file under its digest, where the Release has `Acquire-By-Hash: yes`: right while a mirror is synced."""
    folder, _slash, _name = path.rpartition("/")
    return f"{folder}/by-hash/SHA256/{sha256}"


SOURCES = "main/source/Sources"  # the index of source packages, without the ending of its compression


def packages_path(arch: str) -> str:
    """The index of ordinary packages, without the ending of its compression."""
    return f"main/binary-{arch}/Packages"


def udebs_path(arch: str) -> str:
    """The index of the installer's own packages, without the ending of its compression."""
    return f"main/debian-installer/binary-{arch}/Packages"


def images_path(arch: str, build: str = "current") -> str:
    """The folder of one build of the installer images, as the Release lists it."""
    return f"main/installer-{arch}/{build}/images"


def netboot_path(arch: str, name: str) -> str:
    """`linux` or `initrd.gz` within a build's folder: the text ones; netboot/xen is only a link to the GTK ones."""
    return f"netboot/debian-installer/{arch}/{name}"
