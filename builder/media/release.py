"""Release files and SHA256SUMS: text in, digests out. Says nothing about who signed them: that is host.trust."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from debian.deb822 import Deb822

from builder.errors import BuilderError
from builder.findings import Finding, Findings, Severity

SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
# A machine's clock may be a little behind the archive's.
SKEW = timedelta(hours=1)
_SHOWN = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True, slots=True)
class Digest:
    """What a file must be: its SHA-256 in small hex, and its size in bytes, None where only SHA256SUMS names it."""

    sha256: str
    size: int | None = None

    def __post_init__(self) -> None:
        if not SHA256.fullmatch(self.sha256):
            raise ValueError(f"{self.sha256!r} is no SHA-256 in small hex")
        if self.size is not None and self.size < 0:
            raise ValueError(f"a size is never negative: {self.size}")


@dataclass(frozen=True, slots=True)
class Release:
    """A Release file; `files` maps paths below `dists/SUITE/` to digests. Absent names are empty texts."""

    origin: str
    suite: str
    codename: str
    date: datetime
    valid_until: datetime | None
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    files: Mapping[str, Digest]
    acquire_by_hash: bool

    @property
    def name(self) -> str:
        """The codename, or the suite's name where there is none."""
        return self.codename or self.suite

    def digest(self, path: str) -> Digest:
        """Of a file below `dists/SUITE/`; BuilderError when the Release does not list it."""
        if path not in self.files:
            raise BuilderError(f"the Release of {self.name} lists no {path}", "take another mirror or suite")
        return self.files[path]

    def places(self, path: str) -> tuple[str, ...]:
        """Where below `dists/SUITE/` it can be had: by its hash, right even while a mirror is updated, and by name."""
        if not self.acquire_by_hash:
            return (path,)
        folder, slash, _name = path.rpartition("/")
        return (f"{folder}{slash}by-hash/SHA256/{self.digest(path).sha256}", path)


def parse_release(text: str) -> Release:
    """Read one Release file (https://wiki.debian.org/DebianRepository/Format); only SHA256 counts.

    Raises BuilderError for anything malformed.
    """
    fields = _one_paragraph(text)
    if not fields.get("Suite") and not fields.get("Codename"):
        raise _malformed("it has neither Suite nor Codename")
    valid_until = fields.get("Valid-Until")
    return Release(
        origin=fields.get("Origin", ""),
        suite=fields.get("Suite", ""),
        codename=fields.get("Codename", ""),
        date=_date(fields, "Date"),
        valid_until=None if valid_until is None else _date(fields, "Valid-Until"),
        components=tuple(fields.get("Components", "").split()),
        architectures=tuple(fields.get("Architectures", "").split()),
        files=MappingProxyType(dict(_files(fields.get("SHA256", "")))),
        acquire_by_hash=fields.get("Acquire-By-Hash", "").lower() == "yes",
    )


def judge_release(release: Release, *, suite: str, now: datetime, allow_expired: bool) -> Findings:
    """Is it the suite that was asked for, and of our days? Errors refuse it; `allow_expired` makes one a warning."""
    findings = Findings()
    if not suite or suite not in {release.suite, release.codename}:
        findings.add(
            Finding(
                "M101",
                f"the mirror answered for suite {suite} with a Release of"
                f" {release.codename or '(no codename)'} ({release.suite or 'no suite'})",
                "ask for one of these names, or take another mirror",
            )
        )
    if release.date > now + SKEW:
        findings.add(
            Finding(
                "M102",
                f"the Release of {release.name} is dated {shown(release.date)}, but here it is {shown(now)}",
                "set this machine's clock (timedatectl); when it is right, the mirror is wrong: take another",
            )
        )
    if release.valid_until is not None and release.valid_until < now:
        findings.add(
            Finding(
                "M103",
                f"the Release of {release.name} was valid until {shown(release.valid_until)}, and it is {shown(now)}",
                "the mirror is behind: take another, or allow it for this once: domu fetch --allow-expired",
                severity=Severity.WARNING if allow_expired else Severity.ERROR,
            )
        )
    return findings


def parse_sha256sums(text: str) -> Mapping[str, str]:
    """Path -> SHA-256 of a SHA256SUMS file; `./netboot/x` and `*netboot/x` become `netboot/x`. BuilderError."""
    sums: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line:
            continue
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](?:\./)?(.+)", line, re.ASCII)
        if match is None:
            raise BuilderError(f"line {number} of SHA256SUMS is not a digest and a path: {line[:80]!r}", _ELSEWHERE)
        path = _plain_path(match[2])
        if sums.setdefault(path, match[1]) != match[1]:
            raise BuilderError(f"SHA256SUMS gives two digests for {path}", _ELSEWHERE)
    return MappingProxyType(sums)


def shown(moment: datetime) -> str:
    """A moment as messages write it."""
    return moment.astimezone(UTC).strftime(_SHOWN)


_ELSEWHERE = "the archive is damaged: take another mirror"


def _malformed(why: str) -> BuilderError:
    return BuilderError(f"the Release file cannot be read: {why}", _ELSEWHERE)


def _one_paragraph(text: str) -> Deb822:
    one = {"whitespace-separates-paragraphs": False}
    paragraphs = list(Deb822.iter_paragraphs(text, use_apt_pkg=False, strict=one))
    if len(paragraphs) != 1:
        raise _malformed(f"it has {len(paragraphs)} paragraphs where one is due")
    return paragraphs[0]


def _date(fields: Deb822, name: str) -> datetime:
    # `Sat, 06 Sep 2025 09:37:54 UTC`: RFC 5322 reads UTC as the zone -0000, which Python gives without a zone.
    try:
        moment = parsedate_to_datetime(fields[name])
    except KeyError as error:
        raise _malformed(f"it has no {name}") from error
    except ValueError as error:
        raise _malformed(f"its {name} is no date: {fields[name][:80]!r}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _files(listing: str) -> Iterator[tuple[str, Digest]]:
    seen: dict[str, Digest] = {}
    for line in filter(str.strip, listing.splitlines()):
        match = re.fullmatch(r" *([0-9a-f]{64}) +([0-9]{1,15}) +(\S+) *", line, re.ASCII)
        if match is None:
            raise _malformed(f"its SHA256 has the line {line.strip()[:80]!r}")
        path, digest = _plain_path(match[3]), Digest(match[1], int(match[2]))
        if seen.setdefault(path, digest) != digest:
            raise _malformed(f"it gives two digests for {path}")
    if not seen:
        raise _malformed("it lists no SHA256 digests")
    yield from seen.items()


def _plain_path(path: str) -> str:
    if path.startswith("/") or not path.isprintable() or {"", ".", ".."} & set(path.split("/")):
        raise BuilderError(f"the archive lists a path that leads astray: {path[:80]!r}", _ELSEWHERE)
    return path
