"""What `xl list --verbose`, `xl list --long` and `xl info` print, as values; texts in, no hands.

Read from xl's source (tools/xl/xl_info.c of Xen 4.17 and 4.20, which print the same) and from recorded texts. A state,
a type or a shape that is not known raises BuilderError: what acts on domains must not guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from builder.errors import BuilderError
from builder.units import Size
from builder.xen.domain_config import DomainConfig, read_domain_configs

ShutdownReason = Literal["poweroff", "reboot", "suspend", "crash", "watchdog", "soft reset"]
# xl_info.c, shutdown_reason_letters, beside libxl's numbers of the reasons.
_REASONS: Mapping[str, ShutdownReason] = dict(zip("-rscwS", get_args(ShutdownReason), strict=True))
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# printf("%-40s %5d %5lu %5d     %c%c%c%c%c%c  %8.1f"), and with --verbose " UUID %8s %16s". A name may hold blanks.
_ROW = re.compile(
    r"(?P<name>.*?) +(?P<domid>[0-9]+) +(?P<memory>[0-9]+) +(?P<vcpus>[0-9]+) {5}(?P<state>[^ ]{6}) "
    r" +(?P<time>[0-9]+\.[0-9])"
    rf"(?: (?P<uuid>{_UUID}) +(?P<code>-|[0-9a-f]+) +(?P<label>[^ ].*))?",
    re.ASCII,
)
_HEAD = re.compile(r"Name +ID +Mem +VCPUs\tState\tTime\(s\)(?: +UUID +Reason-Code\tSecurity Label)?")
# libxl_domid_to_name finds no name: the domain is dead, and pages of it are still held (a zombie).
_NO_NAME = "(null)"
# xl_vmcontrol.c, preserve_domain: a domain kept by on_crash = "preserve" gets another name and another UUID.
_PRESERVED = re.compile(r"(?P<name>.+)-[0-9]{8}T[0-9]{4}Z", re.ASCII)
_AGAIN = "run it again; if it stays so, please report it with the output of: xl list --verbose; xl info"


@dataclass(frozen=True, slots=True)
class DomainState:
    """What Xen says of a domain. With no flag at all it waits for a CPU; `shutdown` is why it stopped, else None.

    `dying`: dead, and not yet taken apart; what is then left of it holds memory.
    """

    running: bool = False
    blocked: bool = False
    paused: bool = False
    shutdown: ShutdownReason | None = None
    dying: bool = False

    @classmethod
    def parse(cls, letters: str) -> DomainState:
        """Six letters as `xl list` has them: `-b----`, `---sc-`. BuilderError for any other."""
        flags = letters[:4] + letters[5:]
        known = len(letters) == 6 and all(seen in (flag, "-") for seen, flag in zip(flags, "rbpsd", strict=True))
        reason = _REASONS.get(letters[4]) if known else None
        # A reason without a shutdown is never printed.
        if reason is None or (letters[3] == "-" and letters[4] != "-"):
            raise BuilderError(f"xl list shows a state that is not known: {letters!a}", _AGAIN)
        running, blocked, paused, shut, dying = (sign != "-" for sign in flags)
        return cls(running, blocked, paused, reason if shut else None, dying)

    @property
    def is_alive(self) -> bool:
        """Its system runs, or is paused and could go on."""
        return self.shutdown is None and not self.dying

    @property
    def word(self) -> str:
        """The state in a word or two, for people."""
        if self.dying:
            return "dying"
        if self.shutdown:
            return {"poweroff": "powered off", "crash": "crashed"}.get(self.shutdown, f"stopped ({self.shutdown})")
        return (
            "paused" if self.paused else "running" if self.running else "idle" if self.blocked else "waiting for a CPU"
        )


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of this host. `name` is empty when xenstore has none any more.

    `config` is None where xl tells none: of a domain that is dead, and of one that it is still making, which is paused.
    """

    name: str
    domid: int
    memory: Size
    vcpus: int
    state: DomainState
    seconds: float
    uuid: str = ""
    config: DomainConfig | None = None

    @property
    def is_dom0(self) -> bool:
        """Whether it is the domain that all others are started from."""
        return self.domid == 0

    @property
    def preserved(self) -> str:
        """The name that the domain had before a crash, if it was kept afterwards and so renamed; else empty."""
        match = _PRESERVED.fullmatch(self.name)
        return match["name"] if match and self.state.shutdown else ""


def read_domains(table: str, details: str = "") -> tuple[Domain, ...]:
    """`xl list`, with --verbose or not, and the JSON of `xl list --long`; by domid.

    A domain that began or ended between the two calls has no config, as have those of which xl knows none.
    """
    head, *rows = whole_lines(table, "xl list")
    if not _HEAD.fullmatch(head):
        raise BuilderError(f"xl list begins otherwise than with its headings: {head!a}", _AGAIN)
    configs = read_domain_configs(details) if details else {}
    domains = [_domain(row, configs) for row in rows]
    if not any(domain.is_dom0 for domain in domains):
        raise BuilderError("xl list shows no Domain-0", _AGAIN)
    return tuple(sorted(domains, key=lambda domain: domain.domid))


def _domain(row: str, configs: Mapping[int, DomainConfig]) -> Domain:
    match = _ROW.fullmatch(row)
    if match is None:
        raise BuilderError(f"xl list has a line that is not understood: {row!a}", _AGAIN)
    domid, name = int(match["domid"]), match["name"] if match["name"] != _NO_NAME else ""
    config = configs.get(domid)
    if config and config.name and config.name != name:
        config = None  # the number was given to another domain in between
    memory = Size(int(match["memory"]) << 20)
    state = DomainState.parse(match["state"])
    uuid = match["uuid"] or (config.uuid if config else "")
    return Domain(name, domid, memory, int(match["vcpus"]), state, float(match["time"]), uuid, config)


@dataclass(frozen=True, slots=True)
class XenInfo:
    """`xl info`: the hypervisor and what it has. Sizes are rounded down to MiB by xl.

    `version` is as `4.17.5`, `release` the part by which packages and folders go (`4.17`). `capabilities` are the words
    of virt_caps: pv, hvm, hap ... `unclaimed`: what is free, less what guests being built have claimed.
    """

    version: str
    release: str
    host: str
    kernel: str
    cpus: int
    total: Size
    unclaimed: Size
    capabilities: frozenset[str]
    command_line: str

    @property
    def can_hvm(self) -> bool:
        """Whether the processor lets HVM and PVH guests run."""
        return "hvm" in self.capabilities


def read_info(text: str) -> XenInfo:
    """`xl info` without options. BuilderError when a line is missing, the last one (xend_config_format) included."""
    entries: dict[str, str] = {}
    for line in whole_lines(text, "xl info"):
        name, colon, value = line.partition(":")
        if not colon or name.strip() in entries:
            raise BuilderError(f"xl info has a line that is not understood: {line!a}", _AGAIN)
        entries[name.strip()] = value.strip()
    try:
        if "xend_config_format" not in entries:  # xl prints it last, whatever happened to the rest
            raise BuilderError("xl info ends in the middle", _AGAIN)
        return XenInfo(
            version=entries["xen_version"].partition("-")[0],
            release=f"{int(entries['xen_major'])}.{int(entries['xen_minor'])}",
            host=entries["host"],
            kernel=entries["release"],
            cpus=int(entries["nr_cpus"]),
            total=Size(int(entries["total_memory"]) << 20),
            unclaimed=Size(int(entries["free_memory"]) << 20),
            capabilities=frozenset(entries["virt_caps"].split()),
            command_line=entries["xen_commandline"],
        )
    except KeyError as error:
        raise BuilderError(f"xl info says nothing of {error.args[0]}", _AGAIN) from error
    except ValueError as error:
        raise BuilderError(f"xl info has a number that is none: {error}", _AGAIN) from error


def whole_lines(text: str, program: str) -> list[str]:
    """The lines of a text that ends as it should; BuilderError for nothing, or a last line that was cut."""
    if not text.endswith("\n"):
        raise BuilderError(f"{program} {'ends in the middle of a line' if text else 'printed nothing'}", _AGAIN)
    return text.removesuffix("\n").split("\n")
