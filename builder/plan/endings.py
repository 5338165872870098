"""What the installer's errors mean for whoever started it: what to do next, and whether trying again may help."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from builder.preseed.catalogue import Question
from builder.preseed.console import Prompt


@dataclass(frozen=True, slots=True)
class Meaning:
    """What to do about an error, and whether it may be gone the next time; None: its syslog tells."""

    hint: str
    transient: bool | None = False


MORE_MEMORY = "give the installation more memory: install_memory in the profile"
_MIRROR = Meaning("does the mirror answer, through the cacher if there is one? domu fetch tells", transient=True)
_DHCP = Meaning(
    "does a DHCP server answer on the guest's bridge? Or give the first NIC a fixed address", transient=True
)
_STEP = Meaning("its syslog names the step that failed, and why", transient=None)
# Questions by which the installer says that a step went wrong; not all are of the type error.
ERRORS: Mapping[str, Meaning] = {
    "anna/install_failed": _MIRROR,
    "apt-setup/mirror/error": _MIRROR,
    "apt-setup/service-failed": _MIRROR,
    "base-installer/debootstrap/error/couldntdl": _MIRROR,
    "base-installer/debootstrap/error/nogetrel": _MIRROR,
    "base-installer/debootstrap/error/nogetrelsig": _MIRROR,
    "mirror/bad": _MIRROR,
    "retriever/net/error": _MIRROR,
    "netcfg/dhcp_failed": _DHCP,
    "netcfg/dhcp_options": _DHCP,
    "netcfg/no_interfaces": Meaning("is the NIC's bridge there, and does the install config name it? domu doctor"),
    "lowmem/insufficient": Meaning(MORE_MEMORY),
    "debian-installer/main-menu": _STEP,
    "debian-installer/main-menu/item-failure": _STEP,
    "disk-detect/cannot_find": Meaning("is the system disk attached? The disk line of the install config tells"),
}
_OF_THE_NETWORK = re.compile(
    r"Temporary failure|Unable to connect|Could not (?:resolve|connect)|Connection (?:timed out|refused|reset|failed)"
    r"|Failed to fetch|bad address|Network is unreachable|No route to host|\b50[0234] ",
)


def looks_transient(log: str) -> bool:
    """Whether the end of the installer's syslog tells of the network, of the mirror or the cacher."""
    return _OF_THE_NETWORK.search(log) is not None


def question_line(question: Question, prompt: Prompt) -> str:
    """The preseed line that answers the question (several where it takes them together), with values of its form."""
    own = [line for line in prompt.answers if line.split()[1] == question.name]
    if own or prompt.answers:
        return "; ".join(own or prompt.answers)
    owner = "d-i" if question.installer else question.package
    return f"{owner} {question.name} {question.type} {_value(question, prompt)}".rstrip()


def _value(question: Question, prompt: Prompt) -> str:
    """The default, or something of the form; a default among choices is shown as its number."""
    match question.type:
        case "note" | "error" | "text":
            return ""
        case "boolean":
            return question.default or "true"
        case "select" | "multiselect":
            number = int(prompt.default) if prompt.default.isdecimal() else 1
            chosen = prompt.choices[number - 1] if 0 < number <= len(prompt.choices) else ""
            return question.default or chosen or "CHOICE"
        case _:
            return prompt.default or question.default or "VALUE"
