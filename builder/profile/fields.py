"""Field types of a profile: each turns a YAML value into one that needs no more checking, or says what to write."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    Strict,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from builder.units import Size

CRYPT_HASH = re.compile(
    r"\$y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}"  # yescrypt, crypt(5)
    r"|\$6\$(?:rounds=[1-9][0-9]{3,8}\$)?[^$:\n\s]{1,16}\$[./A-Za-z0-9]{86}",  # sha512crypt
    re.ASCII,
)


def one_line(text: str) -> str:
    """Refuse what is not printable, blank ends and a trailing backslash; shared by every free text of a profile.

    A newline ends a preseed line and an xl statement, a trailing backslash continues them; of what only looks like
    a blank (U+00A0) or like nothing (U+200B, U+202E), the installer's parser and the reader see different things.
    """
    if bad := next((sign for sign in text if not sign.isprintable()), None):
        raise ValueError(f"contains {bad!a}, which is no printable character; write one line of plain text")
    if text != text.strip():
        raise ValueError("begins or ends with blanks, which the installer drops; remove them")
    if text.endswith("\\"):
        raise ValueError("ends with a backslash, which would continue the line; remove it")
    return text


def no_newline_sign(text: str) -> str:
    """Refuse a backslash and n: cdebconf (0.280, rfc822db) reads them back from its file as a newline."""
    if "\\n" in text:
        raise ValueError(
            "has a backslash and n, which the installer reads back as a newline; put the text in a late command"
        )
    return text


@dataclass(frozen=True, slots=True)
class Matching:
    """Text of this form: `what` says it in words and with an example, the JSON Schema has it as `pattern`."""

    pattern: str
    what: str
    longest: int = 255

    def check(self, text: str) -> str:
        """The text itself; ValueError when it has another form."""
        if len(text) > self.longest:
            raise ValueError(f"is {len(text)} characters long; at most {self.longest} are allowed in {self.what}")
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise ValueError(f"is not {self.what}")
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        return no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            **handler(schema),
            "pattern": f"^(?:{self.pattern})$",
            "maxLength": self.longest,
            "description": self.what[0].upper() + self.what[1:],
        }


Text = Annotated[str, AfterValidator(one_line), Matching(r"[^\n]*", "a text of one line", longest=500)]
AnswerText = Annotated[
    str,
    AfterValidator(no_newline_sign),
    AfterValidator(one_line),
    Matching(r"[^\n]*", "an answer of one line", longest=500),
]
Shell = Annotated[str, AfterValidator(one_line), Matching(r"[^\n]+", "a shell command of one line", longest=20_000)]


def _with_program(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words[0]:
        raise ValueError("begins with nothing; write the program first")
    return words


Command = Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(_with_program)]

HOST_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
GuestName = Annotated[
    str, Matching(HOST_LABEL, "a guest name: small letters, digits and inner hyphens, as in web1", longest=63)
]
Domain = Annotated[
    str, Matching(rf"(?:{HOST_LABEL}(?:\.{HOST_LABEL})*)?", "a domain name, as in example.org", longest=253)
]
UserName = Annotated[
    str,
    Matching(r"[a-z][-a-z0-9_]*", "a user name: a small letter, then small letters, digits, - and _", longest=32),
]
VolumeName = Annotated[
    str,
    Matching(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "a volume name: letters, digits and _ . - (lvm(8), VALID NAMES)", longest=100
    ),
]
BridgeName = Annotated[str, Matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "an interface name, as in xenbr0", longest=15)]
XenVersion = Annotated[str, Matching(r"4\.[1-9][0-9]?", "a version of Xen, as in '4.17' (quote it)")]
PackageName = Annotated[
    str,
    Matching(
        r"[a-z0-9][a-z0-9+.-]+(?:/[a-z0-9-]+|=[A-Za-z0-9.+~:-]+)?", "a package name, as in openssh-server", longest=200
    ),
]
TaskName = Annotated[str, Matching(r"[a-z0-9][a-z0-9+.-]+", "a task name, as in standard or ssh-server")]
Component = Annotated[str, Matching(r"[a-z][a-z-]*", "an archive component: main, contrib, non-free-firmware ...")]
Locale = Annotated[
    str, Matching(r"[a-z]{2,3}_[A-Z]{2}(?:\.UTF-8)?(?:@[a-z]+)?|C(?:\.UTF-8)?", "a locale, as in en_US.UTF-8")
]
Keyboard = Annotated[
    str, Matching(r"[a-z]{2,12}(?:\([a-zA-Z0-9_-]+\))?", "a keyboard layout, as in us, de or fr(latin9)")
]
TimeZone = Annotated[
    str, Matching(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", "a time zone, as in Europe/Berlin or Etc/UTC")
]
KernelArgument = Annotated[
    str, Matching(r"[A-Za-z0-9_.,:=/@%+~-]+", "a kernel argument: no blanks, quotes or shell signs", longest=200)
]
Mac = Annotated[
    str,
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    Matching(
        r"auto|(?:[0-9a-f][02468ace])(?::[0-9a-f]{2}){5}",
        "auto or a unicast MAC address, as in 00:16:3e:12:34:56 (quote it)",
    ),
]
Uuid = Annotated[
    str,
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    Matching(
        r"auto|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "auto or a UUID, as in 0f1e2d3c-4b5a-4697-8812-3d4e5f60718a",
    ),
]
# libxlu_vif.c (4.17) turns rates of a few bits into 0, which is no limit at all: so K is the smallest unit here.
Rate = Annotated[str, Matching(r"[1-9][0-9]{0,3}[KMG][Bb]/s", "a rate, as in 100Mb/s (bits) or 10MB/s (bytes)")]
Url = Annotated[
    str,
    Matching(
        r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~%+:@-]+)*/?",
        "a URL without user, query and blanks, as in http://mirror.example.org/debian",
        longest=500,
    ),
]
AbsolutePath = Annotated[
    str,
    Matching(
        r"/(?:[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*(?:/[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*)*)?",
        "an absolute path of plain names, as in /srv/data",
        longest=500,
    ),
]
SitePath = Annotated[
    str,
    Matching(
        r"/?[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*(?:/[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*)*",
        "a path of plain names, absolute or within the site folder",
        longest=500,
    ),
]
FilePath = Annotated[AbsolutePath, Matching(r"/.+", "a path below /, as in /srv/data", longest=500)]
FullName = Annotated[Text, Matching(r"[^:,\n]*", "a name without : and ,", longest=200)]
VariableName = Annotated[str, Matching(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")]
CpuList = Annotated[str, Matching(r"(?:all|[0-9^][0-9^,-]*)?", "a list of CPUs as xl takes it, as in 0-3,^1")]
LintCode = Annotated[str, Matching(r"[LQ][0-9]{3}", "a code of the linter's, as in L208; docs/rules.md has them")]
TemplateName = Annotated[str, Matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.j2", "a template's name, as in preseed.cfg.j2")]
SshKey = Annotated[
    str,
    AfterValidator(one_line),
    Matching(
        r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com"
        r"|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]{32,}={0,3}(?: [A-Za-z0-9._@+:/ -]*)?",
        "an OpenSSH public key, as in: ssh-ed25519 AAAAC3... you@example.org",
        longest=2000,
    ),
]
Question = Annotated[
    str, Matching(r"[A-Za-z0-9][A-Za-z0-9.+_-]*(?:/[A-Za-z0-9.+_-]+)+", "a debconf question, as in tasksel/first")
]
Sha256 = Annotated[str, Matching(r"[0-9a-f]{64}", "a SHA-256: 64 hexadecimal digits")]


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


@dataclass(frozen=True, slots=True, order=True)
class Ports:
    """One port or a range of them."""

    first: int
    last: int

    @classmethod
    def parse(cls, value: object) -> Self:
        """`443`, `"443"`, `8000-8010`; raises ValueError."""
        text = str(value) if isinstance(value, int | str | cls) and not isinstance(value, bool) else ""
        match = re.fullmatch(r"([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?", text, re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 0 < first <= last <= 65_535:
            raise ValueError("is no port; write 1 to 65535, or a range as in 8000-8010")
        return cls(first, last)

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def overlaps(self, other: Ports) -> bool:
        """Whether they share a port."""
        return self.first <= other.last and other.first <= self.last


PortsField = Annotated[
    Ports,
    PlainValidator(Ports.parse),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65_535},
                {"type": "string", "pattern": "^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?$"},
            ]
        }
    ),
]


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


def _parse_percent100(value: Any) -> Percent:
    share = value if isinstance(value, Percent) else Percent.parse(str(value))
    if share.percent not in range(1, 101):
        raise ValueError("is no share of a whole; write 1% to 100%")
    return share


Percent100 = Annotated[
    Percent,
    PlainValidator(_parse_percent100),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": "^([1-9][0-9]?|100)%$"}),
]


def _address(kind: Callable[[str], Any], what: str, *, prefix: bool = False) -> list[Any]:
    """The parts of an address field. ipaddress takes numbers, netmasks and any text behind a %; this does not."""

    def parse(value: Any) -> Any:
        if not isinstance(value, str):
            value = str(value) if type(value).__module__ == "ipaddress" else ""
        if prefix and "/" not in value:
            raise ValueError(f"has no prefix length; write {what}")
        try:
            return kind(value if re.fullmatch(r"[0-9a-fA-F:.]+(?:/[0-9]{1,3})?", value, re.ASCII) else "")
        except ValueError:
            raise ValueError(f"is not {what}") from None

    return [PlainValidator(parse), PlainSerializer(str), WithJsonSchema({"type": "string", "description": what})]


Address = Annotated[IPv4Address | IPv6Address, *_address(ip_address, "an address, as in 192.0.2.1 or 2001:db8::1")]
Address4 = Annotated[IPv4Address, *_address(IPv4Address, "an IPv4 address, as in 192.0.2.1")]
Address6 = Annotated[IPv6Address, *_address(IPv6Address, "an IPv6 address, as in 2001:db8::1")]
Interface4 = Annotated[
    IPv4Interface,
    *_address(IPv4Interface, "an IPv4 address with its prefix, as in 192.0.2.10/24 or 203.0.113.7/32", prefix=True),
]
Interface6 = Annotated[
    IPv6Interface, *_address(IPv6Interface, "an IPv6 address with its prefix, as in 2001:db8::10/64", prefix=True)
]
Interface = Annotated[
    IPv4Interface | IPv6Interface,
    *_address(ip_interface, "an address with its prefix, as in 192.0.2.2/24 or 2001:db8::2/64", prefix=True),
]
Subnet = Annotated[
    IPv4Network | IPv6Network, *_address(ip_network, "a network, as in 203.0.113.0/28 or 2001:db8:1::/64", prefix=True)
]
Subnet4 = Annotated[IPv4Network, *_address(IPv4Network, "an IPv4 network, as in 10.254.0.0/24", prefix=True)]
# Without Strict, pydantic takes 'yes' for true and '2' for 2.
Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict()]
Port = Annotated[int, Strict(), Field(ge=1, le=65_535)]
