"""Adoption: all that is known of a guest, field by field in the order of the model, and the profile that it makes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from builder.findings import Finding, Findings, Place, Severity
from builder.profile.model import Guest
from builder.xen.adopt.disks import adopt_disks
from builder.xen.adopt.evidence import Certainty, Evidence, Ledger, Row
from builder.xen.adopt.installed import adopt_installed
from builder.xen.adopt.machine import adopt_machine
from builder.xen.adopt.nics import adopt_nics

_LOG = "only the installer's log tells: --installer-log"
_OURS = "it is about the next installation, not about this one"
_INSIDE = "it is inside the guest"
_SITE = "it is this site's and this dom0's to say"
# Why a field has no value, where nothing of the evidence has it.
_WHY = {
    "description": "nothing says it",
    "suite": _LOG,
    "install_memory": _OURS,
    "media": _OURS,
    "media_sources": _OURS,
    "iso": _OURS,
    "iso_sha256": _OURS,
    "iso_mirror": _OURS,
    "iso_keyring": _OURS,
    "uuid": "the config gives none: xl made one up at each start",
    "autostart": "/etc/xen/auto was not looked at",
    "start_after": "the names in /etc/xen/auto are an order, not a reason",
    "domain": _LOG,
    "dns": _LOG,
    "thin_pool": "LVM was not asked",
    "thin_watermark": _SITE,
    "wipe": _OURS,
    "dom0_path": _SITE,
    "locale": _LOG,
    "keyboard": _LOG,
    "timezone": _LOG,
    "ntp": _LOG,
    "mirror": _SITE,
    "keyring": _SITE,
    "components": _LOG,
    "security": _LOG,
    "proxy": _SITE,
    "keep_proxy": _INSIDE,
    "packages": _LOG,
    "tasks": _LOG,
    "root": f"{_INSIDE}; passwords are never copied",
    "users": f"{_INSIDE}; {_LOG}",
    "ssh_keys": _INSIDE,
    "bootloader": "the config names none that is known",
    "kernel_args": _LOG,
    "early_commands": "they may hold secrets, and are not copied",
    "late_commands": "they may hold secrets, and are not copied",
    "initrd_files": _OURS,
    "debconf": "every other answer may be the installer's own default",
    "template": _OURS,
    "lint": _OURS,
}


# A profile's own values -> the guest that they make on this site; None where they make none.
Resolve = Callable[[Mapping[str, Any]], Guest | None]


@dataclass(frozen=True, slots=True)
class Adoption:
    """One row for each field of a guest, in the model's order, and what could not be kept."""

    name: str
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]

    def values(self) -> dict[str, Any]:
        """What is known or likely, as plain data; the name is the file's."""
        known = [row for row in self.rows if row.certainty is not Certainty.UNKNOWN and row.field != "name"]
        return {row.field: row.value for row in known if row.value is not None}

    def unsaid(self, guest: Guest) -> Iterator[Finding]:
        """What this guest has from the site, while it is known to have none: no profile can say so."""
        for row in self.rows:
            if row.certainty is Certainty.KNOWN and row.value is None and getattr(guest, row.field) is not None:
                message = f"site.yaml gives every guest {row.field}, and this one has none"
                hint = "move it from site.yaml into a layer for those who have it"
                yield Finding("A110", message, hint, severity=Severity.WARNING, guest=self.name)

    def by_reason(self) -> dict[str, list[str]]:
        """Why nothing is known -> the fields."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for row in self.rows:
            if row.certainty is Certainty.UNKNOWN:
                found[row.source].append(row.field)
        return found

    def profile(self, resolve: Resolve) -> dict[str, Any]:
        """What the guest's own file has to say: the values without which it would be another guest on this site."""
        values = self.values()
        whole = resolve(values)
        for name in list(values):
            rest = {key: value for key, value in values.items() if key != name}
            if whole is not None and resolve(rest) == whole:
                values = rest
        return values


def adopt(evidence: Evidence) -> Adoption:
    """All that the evidence tells. BuilderError where it is not enough for a guest, with what to give."""
    ledger = Ledger(evidence)
    for step in (adopt_machine, adopt_nics, adopt_installed, adopt_disks):
        step(ledger)
    _rest(ledger)
    rows = tuple(ledger.rows.get(name) or _unknown(name, evidence) for name in Guest.model_fields)
    return Adoption(evidence.name, rows, tuple(ledger.findings))


def _unknown(name: str, evidence: Evidence) -> Row:
    why = _WHY.get(name, "nothing that is looked at tells")
    if evidence.answers is not None:
        why = why.replace(_LOG, "the installer's log does not tell it")
    return Row(name, None, why, Certainty.UNKNOWN)


def _rest(ledger: Ledger) -> None:
    """Settings that nobody asked for, and those that were overruled."""
    config, findings = ledger.evidence.config, Findings()
    ledger.used |= {"serial", "vncconsole", "acpi", "apic", "pae"}  # as xl has them anyway, or domu writes them
    for setting in config.settings.values():
        if setting.name not in ledger.used:
            ledger.lose(setting, f"{setting.name} has no field in a profile")
    for setting in config.overruled:
        message = f"{setting.name} is set again further down, and xl takes the last"
        place = Place(config.file, setting.line)
        findings.add(Finding("A109", message, "", place, Severity.NOTE, ledger.evidence.name))
    ledger.findings.extend(findings)
