"""Rules about answers that scripts of the installer look into: what they take, and what they make of the rest."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from builder.findings import Severity
from builder.preseed.rule import Failing, Problem, Rule, Subject
from builder.preseed.rules_values import is_placeholder, value_of
from builder.preseed.syntax import Entry
from builder.profile.rules import RESERVED_USERS


@dataclass(frozen=True, slots=True)
class _Taken:
    """What an answer must look like, and what the installer does with any other."""

    pattern: str
    shown: str
    otherwise: str


_LABELS = "msdos|gpt|mac|sun|bsd|amiga|atari|dvh|dasd|pc98|loop|aix"
_TAKEN = {
    "base-installer/initramfs-tools/driver-policy": _Taken(
        "most|dep", "most or dep", "it is written into initramfs-tools' configuration as it is (library.sh)"
    ),
    "debian-installer/locale": _Taken(
        r"(C|POSIX|[a-z]{2,3})([_.@][^\s,;]*)?",
        "a locale, as en_US.UTF-8",
        "localechooser asks for the language",
    ),
    "partman-auto-lvm/guided_size": _Taken(
        r"max|[1-9][0-9]* *%|[0-9]+([.,][0-9]+)? ?[kKmMgGtTpPeE]?i?[bB]?",
        "max, 80% or a size as 20 GB",
        "partman shows partman-auto-lvm/bad_guided_size again and again (perform_recipe_by_lvm)",
    ),
    "partman-auto/method": _Taken(
        "regular|lvm|crypto|raid", "regular, lvm, crypto or raid", "partman logs `Unsupported method` and asks"
    ),
    "partman-partitioning/default_label": _Taken(
        _LABELS, "msdos or gpt", "parted has no label of that name, and partman asks or fails (disk-label.sh)"
    ),
    "passwd/user-uid": _Taken("[0-9]+", "a number", "useradd refuses it"),
    "pkgsel/upgrade": _Taken(
        "none|safe-upgrade|full-upgrade", "none, safe-upgrade or full-upgrade", "apt-get is called with it and fails"
    ),
}
_HOST_NAMES = ("netcfg/get_hostname", "netcfg/hostname")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_DOMAIN = re.compile(r"(?![-.])(?:(?!\.\.)[A-Za-z0-9.-])+(?<![-.])")
_USER_NAME = re.compile(r"[a-z][-a-z0-9_]{0,31}")
_ADDRESSES = ("netcfg/get_ipaddress", "netcfg/get_netmask", "netcfg/get_gateway", "netcfg/get_nameservers")
# partman-base, base.sh human2longint: 500 is 500 MB to 226 (bookworm) and 500 GB to 237 (trixie).
_SIZES = ("partman-auto-lvm/guided_size", "partman-partitioning/new_partition_size")
_LOCAL = re.compile(r"apt-setup/local([0-9]{1,3})/")
_LONGEST = 300  # signs of a value that a message repeats


def _given(subject: Subject, *names: str) -> Iterator[tuple[Entry, str]]:
    """Settings of these questions that have a value one can judge."""
    for name in names:
        for entry in subject.by_question.get(name, ()):
            if (value := value_of(entry)) and not is_placeholder(value):
                yield entry, value[:_LONGEST]


def _not_taken(subject: Subject) -> Iterator[Problem]:
    for name, taken in _TAKEN.items():
        for entry, value in _given(subject, name):
            if not re.fullmatch(taken.pattern, value):
                yield Problem(entry.value.start, f"{name} is {value!r}: {taken.otherwise}", f"write {taken.shown}")


def _host_name(subject: Subject) -> Iterator[Problem]:
    for entry, value in _given(subject, *_HOST_NAMES):
        first, _dot, domain = value.partition(".")
        if not _HOST_NAME.fullmatch(first) or (domain and not _DOMAIN.fullmatch(domain)):
            message = f"{value!r} is no host name: the installer stops at netcfg/invalid_hostname"
            yield Problem(entry.value.start, message, "use letters, digits and hyphens, none of these at an end")


def _user_name(subject: Subject) -> Iterator[Problem]:
    for entry, value in _given(subject, "passwd/username"):
        if not _USER_NAME.fullmatch(value):
            message = f"{value!r} is no user name for the installer, which stops at passwd/username-bad"
            hint = "begin with a small letter, then small letters, digits, - and _; 32 signs at most"
            yield Problem(entry.value.start, message, hint)
        elif value in RESERVED_USERS:
            message = f"the user name {value} is reserved: the installer stops at passwd/username-reserved"
            yield Problem(entry.value.start, message, "choose another name")


def _address(subject: Subject) -> Iterator[Problem]:
    for entry, value in _given(subject, *_ADDRESSES):
        name = entry.question.text
        words = value.split() if name == "netcfg/get_nameservers" else [value]
        for word in words:
            if not _is_address(name, word):
                message = f"{word!r} is no {'netmask' if name.endswith('mask') else 'IP address'}"
                stops = "the installer stops at netcfg/bad_ipaddress"
                yield Problem(entry.value.start, f"{message}: {stops}", _address_hint(name))
                break


def _is_address(name: str, word: str) -> bool:
    with suppress(ValueError):
        if name == "netcfg/get_ipaddress":
            ipaddress.ip_interface(word)
        elif not (name == "netcfg/get_gateway" and word == "none"):
            ipaddress.ip_address(word)
        return True
    return False


def _address_hint(name: str) -> str:
    return {
        "netcfg/get_ipaddress": "write it as 192.0.2.10 or 192.0.2.10/24",
        "netcfg/get_netmask": "write it as 255.255.255.0",
        "netcfg/get_gateway": "write it as 192.0.2.1, or none",
    }.get(name, "write IP addresses separated by blanks")


def _size(subject: Subject) -> Iterator[Problem]:
    for entry, value in _given(subject, *_SIZES):
        if re.fullmatch(r"[0-9]+([.,][0-9]+)?", value):
            message = f"{value} without a unit is {value} MB to bookworm's partman, and {value} GB to trixie's"
            yield Problem(entry.value.start, message, f"write {value} MB or {value} GB")


def _local_gap(subject: Subject) -> Iterator[Problem]:
    numbers: dict[int, Entry] = {}
    for name, entries in subject.by_question.items():
        if (match := _LOCAL.match(name)) and name.endswith("/repository"):
            numbers[int(match[1])] = entries[0]
    gap = next(number for number in range(len(numbers) + 1) if number not in numbers)
    for number in sorted(numbers):
        if number > gap:
            message = f"local{number} is not read: the installer stops counting at local{gap}, which is not there"
            yield Problem(numbers[number].question.start, message, f"number the archives from 0; local{gap} is free")


def _unrooted_url(subject: Subject) -> Iterator[Problem]:
    for entry, value in _given(subject, "mirror/http/hostname", "mirror/https/hostname"):
        if "/" in value:
            message = f"{value!r} is more than a host: scheme and path have questions of their own"
            hint = "write the host, with :port if need be; the path goes into mirror/http/directory"
            yield Problem(entry.value.start, message, hint)
    for entry, value in _given(subject, "mirror/http/directory", "mirror/https/directory"):
        if not value.startswith("/"):
            yield Problem(entry.value.start, f"{value!r} does not begin with a slash", f"write /{value}")


RULES = (
    Rule(
        "L320",
        Severity.ERROR,
        "An answer that the installer cannot use",
        _not_taken,
        "The installer's scripts take a few words here. The message says what they do with another.",
        "Write one of the words named.",
        failing=(
            Failing(b"d-i partman-auto/method string standard\n", 1),
            Failing(b"d-i pkgsel/upgrade select safe\n", 1),
            Failing(b"d-i partman-partitioning/default_label string GPT\n", 1),
            Failing(b"d-i debian-installer/locale string English\n", 1),
            Failing(b"d-i base-installer/initramfs-tools/driver-policy select all\n", 1),
            Failing(b"d-i passwd/user-uid string admin\n", 1),
        ),
        passing=(
            b"d-i partman-auto/method string lvm\nd-i partman-partitioning/default_label string gpt\n",
            b"d-i debian-installer/locale string de_AT.UTF-8\n",
        ),
    ),
    Rule(
        "L321",
        Severity.ERROR,
        "A host name that the installer refuses",
        _host_name,
        "netcfg allows letters, digits and hyphens (RFC 1123), 63 at most, and dots before a domain. For anything else "
        "it shows netcfg/invalid_hostname, an error, and asks with `debian` for a default.",
        "Leave out underscores and blanks.",
        failing=(
            Failing(b"d-i netcfg/get_hostname string web_1\n", 1),
            Failing(b"d-i netcfg/hostname string -web\n", 1),
        ),
        passing=(b"d-i netcfg/get_hostname string web-1.example.org\n",),
    ),
    Rule(
        "L322",
        Severity.ERROR,
        "A user name that the installer refuses",
        _user_name,
        "user-setup shows passwd/username-bad or passwd/username-reserved, which are errors, and asks.",
        "Choose a name of small letters that Debian's packages do not use.",
        failing=(
            Failing(b"d-i passwd/username string Alice\n", 1),
            Failing(b"d-i passwd/username string admin\n", 1),
        ),
        passing=(b"d-i passwd/username string alice\n",),
    ),
    Rule(
        "L323",
        Severity.ERROR,
        "Something else than an IP address",
        _address,
        "netcfg shows netcfg/bad_ipaddress and asks.",
        "Write addresses, not names; several name servers are separated by blanks.",
        failing=(
            Failing(b"d-i netcfg/get_ipaddress string 192.0.2.300\n", 1),
            Failing(b"d-i netcfg/get_nameservers string 192.0.2.1, 192.0.2.2\n", 1),
        ),
        passing=(
            b"d-i netcfg/get_ipaddress string 192.0.2.10/24\nd-i netcfg/get_gateway string none\n",
            b"d-i netcfg/get_nameservers string 192.0.2.1 2001:db8::1\n",
        ),
    ),
    Rule(
        "L324",
        Severity.WARNING,
        "A size without a unit",
        _size,
        "human2longint of partman-base takes 500 for 500 MB in bookworm and for 500 GB in trixie.",
        "Write the unit: `20 GB`, `500 MB`, a percentage, or max.",
        failing=(Failing(b"d-i partman-auto-lvm/guided_size string 500\n", 1),),
        passing=(
            b"d-i partman-auto-lvm/guided_size string 20 GB\n",
            b"d-i partman-auto-lvm/guided_size string 80%\n",
            b"d-i partman-auto-lvm/guided_size string max\n",
        ),
    ),
    Rule(
        "L325",
        Severity.WARNING,
        "A gap in the numbers of further archives",
        _local_gap,
        "apt-setup (generators/60local) counts local0, local1 and on, and stops at the first that has no repository.",
        "Number them from 0 without a gap.",
        failing=(Failing(b"d-i apt-setup/local1/repository string http://a.example.org/debian ./\n", 1),),
        passing=(
            b"d-i apt-setup/local0/repository string http://a.example.org ./\n",
            b"\n".join(
                b"d-i apt-setup/local%d/repository string http://a.example.org ./" % number for number in (1, 0)
            ),
        ),
    ),
    Rule(
        "L326",
        Severity.WARNING,
        "A mirror's host or folder in the wrong form",
        _unrooted_url,
        "The installer makes PROTOCOL://HOST/DIRECTORY of three answers.",
        "Write the host alone, and the folder with a slash in front.",
        failing=(
            Failing(b"d-i mirror/http/hostname string http://mirror.example.org\n", 1),
            Failing(b"d-i mirror/http/directory string debian\n", 1),
        ),
        passing=(
            b"d-i mirror/http/hostname string mirror.example.org:3142\nd-i mirror/http/directory string /debian\n",
        ),
    ),
)
