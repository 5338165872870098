"""Field types of a profile: each turns a YAML value into one that needs no more checking, or says what to write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

from builder.units import Size

# What may stand in any text at all: printable, one line. A newline ends a preseed line and an xl statement,
# a trailing backslash continues them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
CRYPT_HASH = re.compile(
    r"\$y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}"  # yescrypt, crypt(5)
    r"|\$6\$(?:rounds=[1-9][0-9]{3,8}\$)?[^$:\n\s]{1,16}\$[./A-Za-z0-9]{86}",  # sha512crypt
    re.ASCII,
)


def one_line(text: str) -> str:
    """Refuse control characters, blank ends and a trailing backslash; shared by every text of a profile."""
    if bad := _CONTROL.search(text):
        raise ValueError(f"contains {bad[0]!a}, which would end or corrupt the line it is written to; write one line")
    if text != text.strip():
        raise ValueError("begins or ends with blanks, which the installer drops; remove them")
    if text.endswith("\\"):
        raise ValueError("ends with a backslash, which would continue the line; remove it")
    return text


def _matching(pattern: str, what: str, *, longest: int = 255) -> AfterValidator:
    compiled = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if len(text) > longest:
            raise ValueError(f"is {len(text)} characters long; at most {longest} are allowed in {what}")
        if not compiled.fullmatch(text):
            raise ValueError(f"is not {what}")
        return text

    return AfterValidator(check)


Text = Annotated[str, AfterValidator(one_line), _matching(r"(?s:.*)", "a text", longest=500)]
Shell = Annotated[str, AfterValidator(one_line), _matching(r"(?s:.+)", "a shell command", longest=20_000)]

HOST_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
GuestName = Annotated[
    str, _matching(HOST_LABEL, "a guest name: small letters, digits and inner hyphens, as in web1", longest=63)
]
Domain = Annotated[
    str, _matching(rf"(?:{HOST_LABEL}(?:\.{HOST_LABEL})*)?", "a domain name, as in example.org", longest=253)
]
UserName = Annotated[
    str,
    _matching(r"[a-z][-a-z0-9_]*", "a user name: a small letter, then small letters, digits, - and _", longest=32),
]
VolumeName = Annotated[
    str,
    _matching(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "a volume name: letters, digits and _ . - (lvm(8), VALID NAMES)", longest=100
    ),
]
BridgeName = Annotated[str, _matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "an interface name, as in xenbr0", longest=15)]
PackageName = Annotated[
    str,
    _matching(
        r"[a-z0-9][a-z0-9+.-]+(?:/[a-z0-9-]+|=[A-Za-z0-9.+~:-]+)?", "a package name, as in openssh-server", longest=200
    ),
]
TaskName = Annotated[str, _matching(r"[a-z0-9][a-z0-9+.-]+", "a task name, as in standard or ssh-server")]
Component = Annotated[str, _matching(r"[a-z][a-z-]*", "an archive component: main, contrib, non-free-firmware ...")]
Locale = Annotated[
    str, _matching(r"[a-z]{2,3}_[A-Z]{2}(?:\.UTF-8)?(?:@[a-z]+)?|C(?:\.UTF-8)?", "a locale, as in en_US.UTF-8")
]
Keyboard = Annotated[
    str, _matching(r"[a-z]{2,12}(?:\([a-zA-Z0-9_-]+\))?", "a keyboard layout, as in us, de or fr(latin9)")
]
TimeZone = Annotated[
    str, _matching(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", "a time zone, as in Europe/Berlin or Etc/UTC")
]
KernelArgument = Annotated[
    str, _matching(r"[A-Za-z0-9_.,:=/@%+~-]+", "a kernel argument: no blanks, quotes or shell signs", longest=200)
]
Mac = Annotated[
    str,
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    _matching(
        r"auto|(?:[0-9a-f][02468ace])(?::[0-9a-f]{2}){5}",
        "auto or a unicast MAC address, as in 00:16:3e:12:34:56 (quote it)",
    ),
]
Url = Annotated[
    str,
    _matching(
        r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%+:@-]+)*/?",
        "a URL without user, query and blanks, as in http://mirror.example.org/debian",
        longest=500,
    ),
]
AbsolutePath = Annotated[
    str,
    _matching(
        r"/(?:[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*(?:/[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*)*)?",
        "an absolute path of plain names, as in /srv/data",
        longest=500,
    ),
]
SitePath = Annotated[
    str,
    _matching(
        r"/?[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*(?:/[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*)*",
        "a path of plain names, absolute or within the site folder",
        longest=500,
    ),
]
SshKey = Annotated[
    str,
    AfterValidator(one_line),
    _matching(
        r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com"
        r"|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]{32,}={0,3}(?: [A-Za-z0-9._@+:/ -]*)?",
        "an OpenSSH public key, as in: ssh-ed25519 AAAAC3... you@example.org",
        longest=2000,
    ),
]
Question = Annotated[
    str, _matching(r"[A-Za-z0-9][A-Za-z0-9.+_-]*(?:/[A-Za-z0-9.+_-]+)+", "a debconf question, as in tasksel/first")
]
Sha256 = Annotated[str, _matching(r"[0-9a-f]{64}", "a SHA-256: 64 hexadecimal digits")]


def _parse_size(value: Any) -> Size:
    if isinstance(value, Size):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("is not a size; write a number with a unit: 1024M or 10G")
    return Size.parse(str(value))


_SIZE_SCHEMA = {
    "type": "string",
    "pattern": r"^[0-9]+(\.[0-9]+)? ?(B|[KMGT](iB)?|[kMGT]B)$",
    "description": "A size with its unit: 1024M, 10G (1024-based), 10GB (1000-based)",
}
SizeField = Annotated[Size, PlainValidator(_parse_size), PlainSerializer(str), WithJsonSchema(_SIZE_SCHEMA)]


@dataclass(frozen=True, slots=True)
class Percent:
    """A share in whole percent: of the guest's memory (partitions) or of a size (headroom)."""

    percent: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """`20%`; raises ValueError."""
        match = re.fullmatch(r"([0-9]{1,4})%", text.strip(), re.ASCII)
        if match is None:
            raise ValueError(f"{text!r} is not a percentage; write it as 20%")
        return cls(int(match[1]))

    def __str__(self) -> str:
        return f"{self.percent}%"


def _parse_size_or_percent(value: Any) -> Size | Percent:
    if isinstance(value, Percent):
        return value
    return Percent.parse(value) if isinstance(value, str) and value.rstrip().endswith("%") else _parse_size(value)


SizeOrPercent = Annotated[
    Size | Percent,
    PlainValidator(_parse_size_or_percent),
    PlainSerializer(str),
    WithJsonSchema({"anyOf": [_SIZE_SCHEMA, {"type": "string", "pattern": "^[0-9]{1,4}%$"}]}),
]

Interface4 = Annotated[
    IPv4Interface, PlainSerializer(str), WithJsonSchema({"type": "string", "examples": ["192.0.2.10/24"]})
]
Interface6 = Annotated[
    IPv6Interface, PlainSerializer(str), WithJsonSchema({"type": "string", "examples": ["2001:db8::10/64"]})
]


def with_prefix(value: Any) -> Any:
    """An address without a prefix would silently mean /32 or /128; ask for it."""
    if isinstance(value, str) and "/" not in value:
        raise ValueError("has no prefix length; write address/prefix, as in 192.0.2.10/24 or 203.0.113.7/32")
    return value
