"""What the installer was answered of the system that it installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, get_args

from builder.findings import Finding, Severity
from builder.preseed.installer_log import SEEN_ONLY, is_secret
from builder.profile.model import Suite
from builder.xen.adopt.evidence import Evidence, Ledger, fits
from builder.xen.adopt.machine import KERNEL_ARGUMENT

_PACKAGE = r"[a-z0-9][a-z0-9+.-]+(?:/[a-z0-9-]+|=[A-Za-z0-9.+~:-]+)?"
_TASK = r"[a-z0-9][a-z0-9+.-]+"


def adopt_installed(ledger: Ledger) -> None:
    """Rows of what stands in the answers; nothing where there are none."""
    evidence = ledger.evidence
    if evidence.suite:
        ledger.know("suite", evidence.suite, "--suite")
    if evidence.answers is None:
        return
    for name, question, read in _READ:
        if (value := evidence.answers.get(question)) is not None:
            made = read(value)
            if made is not None:
                ledger.know(name, made, question)
    _suite(ledger, evidence)
    _components(ledger, evidence)
    _users(ledger, evidence)
    _kernel_arguments(ledger, evidence)
    _carried(ledger, evidence)


def _fitting(pattern: str) -> Callable[[str], str | None]:
    return lambda value: value if fits(pattern, value) else None


def _list_of(pattern: str, ends: str) -> Callable[[str], list[str] | None]:
    """The words of a list; None where one of them is none that a profile can have."""

    def read(value: str) -> list[str] | None:
        words = [word for word in re.split(ends, value.strip()) if word]
        return words if all(fits(pattern, word, 200) for word in words) else None

    return read


def _words(value: str) -> list[str]:
    return [word for word in re.split(r"[,\s]+", value) if word]


def _flag(value: str) -> bool | None:
    return {"true": True, "false": False}.get(value)


_READ: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    ("locale", "debian-installer/locale", _fitting(r"[a-z]{2,3}_[A-Z]{2}(?:\.UTF-8)?(?:@[a-z]+)?|C(?:\.UTF-8)?")),
    ("keyboard", "keyboard-configuration/xkb-keymap", _fitting(r"[a-z]{2,12}(?:\([a-zA-Z0-9_-]+\))?")),
    ("timezone", "time/zone", _fitting(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")),
    ("ntp", "clock-setup/ntp", _flag),
    ("tasks", "tasksel/first", _list_of(_TASK, r", *")),
    ("packages", "pkgsel/include", _list_of(_PACKAGE, r"[,\s]+")),
    ("security", "apt-setup/services-select", lambda value: "security" in _words(value)),
)


def _suite(ledger: Ledger, evidence: Evidence) -> None:
    for question in ("mirror/suite", "mirror/codename", "cdrom/suite", "cdrom/codename"):
        seen = (evidence.answers or {}).get(question, "")
        if seen in get_args(Suite) and not evidence.suite:
            ledger.know("suite", seen, question)
            return


def _components(ledger: Ledger, evidence: Evidence) -> None:
    answers = evidence.answers or {}
    extra = ("contrib", "non-free", "non-free-firmware")
    if any(f"apt-setup/{one}" in answers for one in extra):
        chosen = [one for one in extra if answers.get(f"apt-setup/{one}") == "true"]
        ledger.know("components", ["main", *chosen], "apt-setup/non-free and others")


def _users(ledger: Ledger, evidence: Evidence) -> None:
    answers = evidence.answers or {}
    if answers.get("passwd/make-user") == "false":
        ledger.guess("users", [], "passwd/make-user", gaps=("users made after the installation are not seen",))
    elif fits(r"[a-z][-a-z0-9_]*", name := answers.get("passwd/username", ""), 32):
        user: dict[str, Any] = {"name": name}
        full_name = answers.get("passwd/user-fullname", "")
        if full_name != name and re.fullmatch(r"(?! )[^:,\\]{1,200}(?<! )", full_name) and full_name.isprintable():
            user["full_name"] = full_name
        if answers.get("passwd/root-login") == "false":
            user["sudo"] = True  # user-setup: without root, the first user may do all
        gaps = ("its password is not copied: give password:, or ssh_keys:", "later users are not seen")
        ledger.guess("users", [user], "passwd/username", gaps=gaps)


def _kernel_arguments(ledger: Ledger, evidence: Evidence) -> None:
    line = (evidence.answers or {}).get("debian-installer/add-kernel-opts")
    if line is not None and "kernel_args" not in ledger.rows:
        words = [word for word in line.split() if word not in {"console=hvc0", "console=ttyS0"}]
        words = [word for word in words if fits(KERNEL_ARGUMENT, word, 200) and not is_secret(word)]
        ledger.know("kernel_args", words, "debian-installer/add-kernel-opts")


def _carried(ledger: Ledger, evidence: Evidence) -> None:
    """What may hold a secret is told of and not repeated."""
    for question in sorted(SEEN_ONLY & (evidence.answers or {}).keys()):
        if question in {"preseed/url", "preseed/file"}:
            continue
        message = f"{question} was answered; it is not copied, as it may hold a secret"
        hint = "look at it yourself, and write early_commands or late_commands"
        ledger.findings.add(Finding("A107", message, hint, severity=Severity.NOTE, guest=evidence.name))
    called = (evidence.answers or {}).get("netcfg/get_hostname", "")
    if called and called.partition(".")[0] != evidence.name:
        message = f"the answers are those of a guest called {called!a}"
        hint = "give this guest's own /var/log/installer"
        ledger.findings.add(Finding("A108", message, hint, severity=Severity.WARNING, guest=evidence.name))
