"""Rules about answers that get into each other's way: given twice, given too late, or passed over for another."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.findings import Severity
from builder.preseed.given import Given
from builder.preseed.rule import INSTALLER, Failing, Problem, Rule, Subject
from builder.preseed.rules_values import is_placeholder, shown, value_of
from builder.preseed.syntax import Entry

# Of these the first of two is what somebody misses.
_ONCE = frozenset({
    "partman/early_command", "preseed/early_command", "preseed/include", "preseed/include_command",
    "preseed/late_command", "preseed/run",
})  # fmt: skip
# Read when the installer ends, or not before the network is there.
_NETWORK_LATER = frozenset({"netcfg/target_network_config"})
_LANGUAGE = re.compile(r"debian-installer/(locale|language|country)|keyboard-configuration/.*|localechooser/.*")


def _same_side(one: Entry, other: Entry) -> bool:
    """Whether both are the installer's or both a package's: the two have databases of their own."""
    return (one.owner.text == INSTALLER) == (other.owner.text == INSTALLER)


def _repeated(subject: Subject) -> Iterator[tuple[Entry, Entry]]:
    """Each setting but the first of its question, with the one before it."""
    for entries in subject.by_question.values():
        if len(entries) > 1:
            yield from zip(entries[1:], entries, strict=False)


def _identical(subject: Subject) -> Iterator[Problem]:
    for entry, before in _repeated(subject):
        if value_of(entry) == value_of(before) and _same_side(entry, before):
            message = f"{entry.question.text} stands in line {before.line} already, with the same value"
            yield Problem(entry.question.start, message, "remove one of the two")


def _different(subject: Subject) -> Iterator[Problem]:
    for entry, before in _repeated(subject):
        if value_of(entry) != value_of(before) and entry.question.text not in _ONCE:
            message = f"{entry.question.text} is set in line {before.line}, too; this value wins"
            yield Problem(entry.question.start, message, "keep the one that is meant")


def _lost_command(subject: Subject) -> Iterator[Problem]:
    for entry, before in _repeated(subject):
        if value_of(entry) != value_of(before) and entry.question.text in _ONCE:
            message = f"only this {entry.question.text} counts; the one of line {before.line} is lost"
            yield Problem(entry.question.start, message, "make one entry of both, with ; between commands")


def _late_network(subject: Subject) -> Iterator[Problem]:
    if subject.given.loading != "network":
        return
    for name, entries in subject.by_question.items():
        if name.startswith("netcfg/") and name not in _NETWORK_LATER:
            message = f"{name} comes too late: the network is up before this file is fetched over it"
            yield Problem(entries[-1].question.start, message, "give it on the kernel command line or in the initrd")


def _late_language(subject: Subject) -> Iterator[Problem]:
    if subject.given.loading in {None, "initrd"}:
        return
    for name, entries in subject.by_question.items():
        if _LANGUAGE.fullmatch(name):
            message = f"{name} comes too late, unless auto=true stands on the kernel command line"
            yield Problem(entries[-1].question.start, message, "give auto=true, or locale= and keymap=, at boot")


def _runs_twice(subject: Subject) -> Iterator[Problem]:
    entry = subject.last("preseed/early_command")
    if entry is None or subject.given.loading != "initrd" or not value_of(entry):
        return
    if follow := next((name for name in ("preseed/url", "preseed/file") if subject.value(name)), None):
        message = f"this command runs twice: when the installer starts, and again when {follow} has been loaded"
        yield Problem(entry.question.start, message, "let it note that it ran: [ -e /tmp/ran ] || { ...; >/tmp/ran; }")


def _ignored_mirror(subject: Subject) -> Iterator[Problem]:
    country, host = subject.value("mirror/country"), subject.last("mirror/http/hostname")
    if not country or country == "manual" or is_placeholder(country) or not host or subject.last("mirror/http/mirror"):
        return
    if re.fullmatch("[A-Z]{2}", country):
        message = f"with mirror/country {country} the mirror is chosen from that country's list, not taken from here"
    else:  # has_mirror() of choose-mirror 2.123 looks for the code
        message = (
            f"mirror/country {shown(country)} is no country's code: the installer asks, and takes nothing from here"
        )
    yield Problem(host.question.start, message, "write: d-i mirror/country string manual")


def _other_protocol(subject: Subject) -> Iterator[Problem]:
    protocol = subject.value("mirror/protocol")
    entry = subject.last("mirror/protocol")
    if entry is None or protocol not in {"http", "https", "ftp"} or subject.last(f"mirror/{protocol}/hostname"):
        return
    for other in ("http", "https", "ftp"):
        if other != protocol and subject.last(f"mirror/{other}/hostname"):
            message = f"mirror/protocol is {protocol}, but the host is given for {other}"
            yield Problem(
                entry.value.start, message, f"write mirror/{protocol}/hostname and mirror/{protocol}/directory"
            )


def _dynamic_and_static(subject: Subject) -> Iterator[Problem]:
    address = subject.last("netcfg/get_ipaddress")
    if address and "true" not in (subject.value(f"netcfg/{name}") for name in ("disable_autoconfig", "disable_dhcp")):
        if subject.last("netcfg/dhcp_options") or subject.last("netcfg/dhcp_failed"):
            return  # meant for when DHCP fails, as in Debian's example
        message = "the address is taken only when there is no DHCP, which is tried first"
        yield Problem(address.question.start, message, "add: d-i netcfg/disable_autoconfig boolean true")


def _passed_over_partition(subject: Subject) -> Iterator[Problem]:
    entry = subject.last("partman-auto/init_automatically_partition")
    if entry and subject.value("partman-auto/method"):
        message = "partman-auto/method is given, so this is not looked at"
        yield Problem(entry.question.start, message, "remove one of the two")


_NETWORK = Given(loading="network")
_BIGGEST = b"d-i partman-auto/init_automatically_partition select biggest_free"

RULES = (
    Rule(
        "L330",
        Severity.NOTE,
        "The same answer twice",
        _identical,
        "It does no harm until one of the two is changed.",
        "Remove one; `domu lint --fix` does.",
        failing=(Failing(b"d-i partman/confirm boolean true\nd-i partman/confirm boolean true\n", 2),),
        passing=(
            b"d-i clock-setup/utc boolean true\nd-i clock-setup/ntp boolean true\n",
            b"d-i passwd/make-user boolean true\npasswd passwd/make-user boolean true\n",
        ),
    ),
    Rule(
        "L331",
        Severity.WARNING,
        "Two answers to one question",
        _different,
        "The later line wins.",
        "Keep the one that is meant.",
        failing=(Failing(b"d-i time/zone select Etc/UTC\nd-i time/zone select Europe/Paris\n", 2),),
        passing=(b"d-i time/zone select Etc/UTC\nd-i time/zone seen false\n",),
    ),
    Rule(
        "L332",
        Severity.ERROR,
        "Two commands where one counts",
        _lost_command,
        "There is one preseed/late_command, one preseed/early_command, one preseed/include and so on. The last one in "
        "the file wins; the others never run.",
        "Put all into one entry, separated by `;` or `&&`, or into a script.",
        failing=(Failing(b"d-i preseed/late_command string one\nd-i preseed/late_command string two\n", 2),),
        passing=(b"d-i preseed/late_command string one; two\n",),
    ),
    Rule(
        "L333",
        Severity.WARNING,
        "An answer about the network in a file that comes over the network",
        _late_network,
        "The file is fetched when netcfg has asked all it wants to know and the network is up.",
        "Give these on the kernel command line, as `hostname=web1`, or put the preseed into the initrd.",
        failing=(Failing(b"d-i netcfg/get_hostname string web1\n", 1),),
        passing=(b"d-i netcfg/target_network_config select ifupdown\n",),
        given=_NETWORK,
    ),
    Rule(
        "L334",
        Severity.NOTE,
        "An answer about language or keyboard in a file that comes after these",
        _late_language,
        "The installer asks for language and keyboard before it loads a file from a medium or the network; with "
        "auto=true it waits with these questions until the file is there.",
        "Give auto=true (or `auto url=...`) on the kernel command line.",
        failing=(Failing(b"d-i debian-installer/locale select de_DE.UTF-8\n", 1),),
        passing=(b"d-i time/zone select Europe/Berlin\n",),
        given=_NETWORK,
    ),
    Rule(
        "L335",
        Severity.WARNING,
        "An early command that runs twice",
        _runs_twice,
        "The command runs when the installer starts. When it then loads a file from a medium or the network it runs "
        "preseed/early_command once more (network-preseed.postinst), this one unless the file has another.",
        "Let the command see whether it ran, or set another one in the file that is loaded later.",
        failing=(
            Failing(
                b"d-i preseed/url string http://a.example.org/p.cfg\nd-i preseed/early_command string anna-install x\n",
                2,
            ),
        ),
        passing=(b"d-i preseed/early_command string anna-install x\n",),
        given=Given(loading="initrd"),
    ),
    Rule(
        "L336",
        Severity.WARNING,
        "A mirror that is passed over for a country's list",
        _ignored_mirror,
        "choose-mirror takes host and directory as they are only when mirror/country is `manual`. With a country's "
        "code it overwrites them by mirror/http/mirror, which it asks for; with another word it asks for the country.",
        "Write `d-i mirror/country string manual`.",
        failing=(
            Failing(b"d-i mirror/country string AT\nd-i mirror/http/hostname string mirror.example.org\n", 2),
            Failing(b"d-i mirror/country string Netherlands\nd-i mirror/http/hostname string mirror.example.org\n", 2),
        ),
        passing=(b"d-i mirror/country string manual\nd-i mirror/http/hostname string mirror.example.org\n",),
    ),
    Rule(
        "L337",
        Severity.WARNING,
        "A mirror's host for another protocol",
        _other_protocol,
        "Host and directory are read from mirror/PROTOCOL/hostname and mirror/PROTOCOL/directory.",
        "Name host and directory for the protocol in use.",
        failing=(Failing(b"d-i mirror/protocol select https\nd-i mirror/http/hostname string m.example.org\n", 1),),
        passing=(b"d-i mirror/protocol select http\nd-i mirror/http/hostname string m.example.org\n",),
    ),
    Rule(
        "L338",
        Severity.WARNING,
        "A fixed address that DHCP overrules",
        _dynamic_and_static,
        "netcfg tries DHCP first and comes to the fixed address when that fails.",
        "Add netcfg/disable_autoconfig true.",
        failing=(Failing(b"d-i netcfg/get_ipaddress string 192.0.2.10\n", 1),),
        passing=(
            b"d-i netcfg/disable_autoconfig boolean true\nd-i netcfg/get_ipaddress string 192.0.2.10\n",
            b"d-i netcfg/dhcp_failed note\nd-i netcfg/get_ipaddress string 192.0.2.10\n",
        ),
    ),
    Rule(
        "L339",
        Severity.NOTE,
        "An answer that partman-auto/method makes void",
        _passed_over_partition,
        "partman-auto/init_automatically_partition is asked only where no method is given.",
        "Remove one of the two.",
        failing=(Failing(b"%s\nd-i partman-auto/method string lvm\n" % _BIGGEST, 1),),
        passing=(_BIGGEST + b"\n",),
    ),
)
