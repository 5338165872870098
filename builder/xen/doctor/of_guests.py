"""Checks of what guests need to run: memory, what the processor can, boot loaders, and starting with dom0."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import PurePosixPath

from builder.profile.model import Guest
from builder.units import Size
from builder.xen.autostart import AUTO, AutoLink, plan_autostart
from builder.xen.boot import choose
from builder.xen.boot_matrix import Verdict as BootVerdict
from builder.xen.doctor.check import Diagnosis, ok, warn, wrong
from builder.xen.doctor.fact import Known
from builder.xen.doctor.facts import Dom0Facts
from builder.xen.doctor.fixes import Fix
from builder.xen.doctor.needs import Needs
from builder.xen.memory import memory_needed

_TIGHT = 256 << 20


def judge_memory(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """Free memory beside that of our guests that run, against the sum of all of them."""
    xen, domains = facts.hypervisor.get(), facts.domains.get()
    if not needs.guests:
        yield ok(f"{xen.unclaimed.human} of {xen.total.human} are free for guests")
        return
    ours = {guest.name for guest in needs.guests}
    held = sum(domain.memory.bytes for domain in domains if domain.name in ours)
    there = xen.unclaimed.bytes + held
    wanted = sum(memory_needed(guest, guest.memory).bytes for guest in needs.guests)
    said = f"{_guests(len(needs.guests))} of {Size(wanted).human} in all, and {Size(there).human} for them"
    if wanted > there:
        missing = Size(wanted - there).human
        yield wrong(f"{said}: {missing} are missing to run all at once")
    elif wanted + _TIGHT > there:
        yield warn(f"{said}: all run, and nothing is left for the memory of an installation")
    else:
        yield ok(said)


def judge_dom0_memory(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """A dom0 without dom0_mem= has all memory and gives it up guest by guest, until it lacks some itself."""
    line = facts.hypervisor.get().command_line
    given = re.findall(r"(?:^|\s)dom0_mem=(\S+)", line)
    balloon = facts.xl_settings.get().get("autoballoon", "auto")
    if not given:
        yield warn(
            "dom0 has no memory of its own (no dom0_mem= on Xen's command line): it shrinks for each guest",
            f'editor /etc/default/grub.d/xen.cfg   # GRUB_CMDLINE_XEN_DEFAULT="{_dom0_mem(needs)}"',
            "update-grub   # and reboot",
        )
    elif "max:" not in given[-1]:
        yield warn(
            f"dom0_mem={given[-1]} has no max:, so dom0's page tables are made for all memory",
            f"editor /etc/default/grub.d/xen.cfg   # {_dom0_mem(needs)}",
            "update-grub   # and reboot",
        )
    elif needs.dom0.memory != "auto" and _size(given[-1].split(",")[0]) != needs.dom0.memory:
        yield warn(
            f"dom0 has dom0_mem={given[-1]}, and dom0.yaml says {needs.dom0.memory}",
            f"editor /etc/default/grub.d/xen.cfg   # {_dom0_mem(needs)}",
            "update-grub   # and reboot",
        )
    elif balloon in {"on", "1"}:
        yield warn(
            f"dom0_mem={given[-1]} is given, and autoballoon in xl.conf takes memory from dom0 all the same",
            "editor /etc/xen/xl.conf   # autoballoon=auto",
        )
    else:
        yield ok(f"dom0 has memory of its own (dom0_mem={given[-1]}, autoballoon={balloon})")


def _dom0_mem(needs: Needs) -> str:
    size = f"{needs.dom0.memory.mebibytes()}M" if isinstance(needs.dom0.memory, Size) else "2G"
    return f"dom0_mem={size},max:{size}"


def _size(text: str) -> Size | None:
    """A size as Xen takes it: a bare number is KiB (docs/misc/xen-command-line.pandoc, <size>)."""
    try:
        return Size.parse(f"{text}K" if text.isdecimal() else text.upper())
    except ValueError:
        return None


def judge_abilities(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """PVH and HVM guests need the processor's help, which BIOS setups can turn off."""
    xen = facts.hypervisor.get()
    lacking = sorted(kind for kind in needs.types if ("pv" if kind == "pv" else "hvm") not in xen.capabilities)
    able = " ".join(sorted(xen.capabilities))
    if lacking:
        named = ", ".join(f"{one.name} ({one.type})" for one in needs.guests if one.type in lacking)
        yield wrong(
            f"this Xen runs no {' or '.join(lacking)} guests, as are {named}: its abilities are {able}",
            "xl dmesg | grep -i -e vmx -e svm -e hvm   # and turn on VT-x or AMD-V in the BIOS, or write type: pv",
        )
    else:
        yield ok(f"Xen's abilities here: {able}")


def judge_boot(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """Can each guest be started by its method here; `domu boot GUEST` tells all about it."""
    boot = facts.boot.get()
    good: dict[str, list[str]] = {}
    for guest in needs.guests:
        choice = choose(guest, boot)
        if choice.chosen is None:
            yield wrong(f"{guest.name} cannot be started: {choice.why}", f"domu boot {guest.name}")
        elif choice.chosen.outcome == "cannot":
            yield _cannot(guest, choice.chosen)
        else:
            good.setdefault(choice.chosen.method, []).append(guest.name)
    if good:
        ways = "; ".join(f"{', '.join(names)} by {method}" for method, names in sorted(good.items()))
        yield ok(f"guests can be started: {ways}")
    if not needs.guests:
        there = [need for need, told in boot.has.items() if told.value]
        yield ok(f"here for starting guests: {', '.join(there) or 'nothing'}")


def _cannot(guest: Guest, verdict: BootVerdict) -> Diagnosis:
    """Installing GRUB's images is the one mend that can be done here and now."""
    fix = None
    if "grub-xen-host" in verdict.hint:
        fix = Fix(
            "grub-xen-host",
            "install GRUB for guests",
            commands=(("apt-get", "--yes", "--no-install-recommends", "install", "grub-xen-host"),),
            undo=("apt-get remove grub-xen-host",),
        )
    said = f"{guest.name} cannot be started by {verdict.method}: {verdict.why}"
    return wrong(said, f"domu boot {guest.name}   # {verdict.hint}", fix=fix)


def judge_xendomains(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """The service that starts guests with dom0 and stops them before it."""
    unit = facts.xendomains.get()
    fix = Fix(
        "xendomains",
        "start guests of /etc/xen/auto with dom0",
        commands=(("systemctl", "enable", "xendomains.service"),),
        undo=("systemctl disable xendomains.service",),
        left="it counts from dom0's next start; nothing was started now",
    )
    if not unit.loaded:
        yield wrong("there is no service xendomains", "apt-get install xen-utils-common")
    elif unit.state in {"disabled", "masked"}:
        fixable = fix if unit.state == "disabled" else None
        lines = () if fixable else ("systemctl unmask xendomains.service",)
        yield warn(f"xendomains is {unit.state}: dom0's next stop kills the guests", *lines, fix=fixable)
    else:
        late = [name for name in ("xen.service", "network-online.target") if not _after(name, unit.after)]
        if late:
            yield warn(
                f"xendomains does not wait for {' and '.join(late)}",
                "systemctl edit xendomains.service   # [Unit] After= and Wants=",
            )
        else:
            yield ok("xendomains starts after Xen's daemons and the network")


def _after(name: str, units: tuple[str, ...]) -> bool:
    """xen.service is Debian's; upstream has xenstored.service and xenconsoled.service in its place."""
    same = {"xen.service": {"xen.service", "xenstored.service", "xencommons.service"}}.get(name, {name})
    return bool(same & set(units))


def judge_auto(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """/etc/xen/auto: every file in it is started, in the order of their names; and what the profiles want there."""
    entries = facts.auto.get() or ()
    for entry in entries:
        if entry.guest is None:
            where = f"/etc/xen/auto/{entry.entry}"
            yield wrong(f"{where} leads to {entry.target}, which is no config", f"rm {shlex.quote(where)}")
    started = [entry.guest for entry in entries if entry.guest]
    links = {name_of(link): link for link in plan_autostart(needs.guests)}
    absent = [link for name, link in links.items() if name not in started]
    if absent:
        verb = "do" if len(absent) > 1 else "does"
        unmade = [name_of(link) for link in absent if not facts.has(link.target).get()]
        later = f" (not installed yet: {', '.join(unmade)})" if unmade else ""
        yield warn(
            f"{', '.join(map(name_of, absent))} {verb} not start with dom0, as autostart: true says{later}",
            *(f"mkdir -p {AUTO}; ln -s {link.target} {link.path}" for link in absent if facts.has(link.target).get()),
        )
    ours = [guest.name for guest in needs.guests]
    surplus = [name for name in dict.fromkeys(started) if name in ours and name not in links]
    if surplus:
        yield warn(f"{', '.join(surplus)}: started with dom0, though autostart is false", "ls -l /etc/xen/auto")
    twice = sorted({name for name in started if started.count(name) > 1})
    if twice:
        yield warn(f"{', '.join(twice)} started twice from /etc/xen/auto", "ls -l /etc/xen/auto")
    planned = [name for name in links if name in started]
    if [name for name in dict.fromkeys(started) if name in links] != planned:
        yield warn(f"guests start in another order than planned, which is {', '.join(planned)}", "ls -l /etc/xen/auto")
    if started or not absent:
        yield ok(f"with dom0 start, in this order: {', '.join(started) or 'none'}")


def name_of(link: AutoLink) -> str:
    """The guest whose run config the link leads to."""
    return PurePosixPath(link.target).stem


def judge_saved(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """A saved state is woken at dom0's next start; on volumes that were rebuilt since, it ruins them."""
    settings = facts.xendomains_settings.get() or {}
    folder = settings.get("XENDOMAINS_SAVE", "")
    saved = facts.saved.get()
    ours = sorted({guest.name for guest in needs.guests} & set(saved))
    if ours:
        yield warn(
            f"saved states of {', '.join(ours)} lie in {folder}: woken after a rebuild, they ruin the new volumes",
            *(f"rm {shlex.quote(f'{folder}/{name}')}" for name in ours),
        )
    if not folder:
        yield ok("guests are shut down with dom0, not saved")
        return
    space = facts.space("save")
    wanted = sum(guest.memory.bytes for guest in needs.guests)
    if isinstance(space, Known) and wanted > space.value.free.bytes:
        yield warn(
            f"guests are saved to {folder} when dom0 stops, {Size(wanted).human} in all,"
            f" and {space.value.free.human} are free there",
            'editor /etc/default/xendomains   # XENDOMAINS_SAVE="" shuts them down instead',
        )
    elif not ours:
        yield ok(f"guests are saved to {folder} when dom0 stops")


def _guests(count: int) -> str:
    return f"{count} guest{'s' * (count != 1)}"
