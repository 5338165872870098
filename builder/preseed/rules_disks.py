"""Rules about disks: devices that are none, or that the guest does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.findings import Severity
from builder.preseed.given import Given, Hardware
from builder.preseed.rule import Failing, Problem, Rule, Subject
from builder.preseed.rules_values import is_placeholder, value_of
from builder.preseed.syntax import Entry

_DEVICE = re.compile(r"/dev/(?P<disk>(?:sd|vd|hd|xvd)[a-z]{1,2}|nvme[0-9]+n[0-9]+|mmcblk[0-9]+)(?P<part>p?[0-9]+)?")
_XVDA_ONLY = frozenset({"pv", "pvh"})  # an HVM guest without PV drivers may see emulated disks
_OTHER_NAMES = re.compile(r"/dev/(?:sd|vd|hd|nvme)")  # of disks that Xen's own are not


def _disks(subject: Subject) -> Iterator[tuple[Entry, str]]:
    for entry in subject.by_question.get("partman-auto/disk", ()):
        yield from ((entry, word) for word in value_of(entry).split()[:64] if not is_placeholder(word))


def _bootdevs(subject: Subject) -> Iterator[tuple[Entry, str]]:
    for entry in subject.by_question.get("grub-installer/bootdev", ()):
        yield from ((entry, word) for word in value_of(entry).split()[:64] if not is_placeholder(word))


def _no_disk(subject: Subject) -> Iterator[Problem]:
    for entry, word in _disks(subject):
        match = _DEVICE.fullmatch(word)
        if "," in word or ";" in word:
            message = f"{word!r} is not one device: partman-auto/disk takes several separated by blanks"
            yield Problem(entry.value.start, message, f"write {' '.join(re.split('[,;]+', word.strip(',;')))}")
        elif not word.startswith("/"):
            yield Problem(entry.value.start, f"{word!r} is no path of a device", f"write /dev/{word}")
        elif match and match["part"] and not match["disk"].startswith("xvd"):
            message = f"{word} is a partition; partman-auto/disk takes whole disks"
            yield Problem(entry.value.start, message, f"write /dev/{match['disk']}")


def _absent(subject: Subject) -> Iterator[Problem]:
    hardware = subject.given.hardware
    for entry, word in (*_disks(subject), *_bootdevs(subject)) if hardware else ():
        match = _DEVICE.fullmatch(word)
        if not hardware or not match:
            continue
        if hardware.disks:
            absent = f"/dev/{match['disk']}" not in hardware.disks and word not in hardware.disks
        else:
            absent = hardware.type in _XVDA_ONLY and not match["disk"].startswith("xvd")
        if absent:
            message = f"a {hardware.type or 'Xen'} guest has no {word} while the installer runs"
            yield Problem(entry.value.start, message, f"write {' '.join(hardware.disks) or '/dev/xvda'}")


def _elsewhere(subject: Subject) -> Iterator[Problem]:
    if subject.given.hardware and (subject.given.hardware.disks or subject.given.hardware.type):
        return
    for entry, word in (*_disks(subject), *_bootdevs(subject)):
        if _OTHER_NAMES.match(word):
            message = f"{word} is no disk of every machine: in a Xen guest they are /dev/xvda and on"
            hint = "with a single disk, leave out partman-auto/disk, and write bootdev default"
            yield Problem(entry.value.start, message, hint)


_PV = Given(hardware=Hardware("pv", ("/dev/xvda",)))

RULES = (
    Rule(
        "L501",
        Severity.ERROR,
        "A disk that the guest does not have",
        _absent,
        "A Xen guest's disks are /dev/xvda and on. partman asks when it finds none of the disks named, and "
        "grub-installer asks when the device is not there.",
        "Write the device as the guest sees it.",
        failing=(
            Failing(b"d-i partman-auto/disk string /dev/sda\n", 1),
            Failing(b"d-i grub-installer/bootdev string /dev/vda\n", 1),
        ),
        passing=(
            b"d-i partman-auto/disk string /dev/xvda\n",
            b"d-i grub-installer/bootdev string default\n",
            b"d-i grub-installer/bootdev string /dev/xvda1\n",
        ),
        given=_PV,
    ),
    Rule(
        "L502",
        Severity.ERROR,
        "A disk that is none",
        _no_disk,
        "partman-auto/disk takes paths of whole disks, separated by blanks. What it does not find it passes over, and "
        "asks when nothing is left.",
        "Write whole disks, as in /dev/xvda.",
        failing=(
            Failing(b"d-i partman-auto/disk string sda\n", 1),
            Failing(b"d-i partman-auto/disk string /dev/sda,/dev/sdb\n", 1),
            Failing(b"d-i partman-auto/disk string /dev/vda1\n", 1),
        ),
        passing=(b"d-i partman-auto/disk string /dev/sda /dev/sdb\n",),
    ),
    Rule(
        "L503",
        Severity.NOTE,
        "A disk's name that depends on the machine",
        _elsewhere,
        "Disks are /dev/xvda under Xen, /dev/vda under KVM, /dev/nvme0n1 or /dev/sda on iron, where the order of "
        "several may change. With one disk partman needs no name, and grub-installer takes `default`.",
        "Leave it out where there is one disk, or tell the linter about the guest.",
        failing=(Failing(b"d-i partman-auto/disk string /dev/sda\n", 1),),
        passing=(b"d-i partman-auto/disk string /dev/xvda\n",),
    ),
)
