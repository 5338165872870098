"""Checks of what guests need to run: memory, what the processor can, boot loaders, and starting with dom0."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.profile.model import Guest
from builder.units import Size
from builder.xen.boot import boot_of
from builder.xen.doctor.check import Diagnosis, ok, unknown, warn, wrong
from builder.xen.doctor.fact import Known
from builder.xen.doctor.facts import AutoStart, Dom0Facts
from builder.xen.doctor.fixes import Fix
from builder.xen.doctor.needs import Needs

GRUB_IMAGES = ("/usr/lib/grub-xen/grub-x86_64-xen.bin", "/usr/lib/grub-xen/grub-i386-xen_pvh.bin")
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
    wanted = sum(_with_overhead(guest) for guest in needs.guests)
    said = f"{_guests(len(needs.guests))} of {Size(wanted).human} in all, and {Size(there).human} for them"
    if wanted > there:
        missing = Size(wanted - there).human
        yield wrong(f"{said}: {missing} are missing to run all at once", "xl list", "editor profiles/   # memory:")
    elif wanted + _TIGHT > there:
        yield warn(f"{said}: all run, and nothing is left for the memory of an installation", "xl list")
    else:
        yield ok(said)


def _with_overhead(guest: Guest) -> int:
    """What libxl asks Xen for: 1 MiB of slack, and for page tables 1 MiB per vCPU and 8 KiB per MiB (libxl_utils.c)."""
    tables = 0 if guest.type == "pv" else (guest.vcpus << 20) + 8 * (guest.memory.mebibytes() << 10)
    return guest.memory.bytes + (1 << 20) + tables


def judge_dom0_memory(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """A dom0 without dom0_mem= has all memory and gives it up guest by guest, until it lacks some itself."""
    line = facts.hypervisor.get().command_line
    given = re.findall(r"(?:^|\s)dom0_mem=(\S+)", line)
    balloon = facts.xl_settings.get().get("autoballoon", "auto")
    if not given:
        yield warn(
            "dom0 has no memory of its own (no dom0_mem= on Xen's command line): it shrinks for each guest",
            """editor /etc/default/grub.d/xen.cfg   # GRUB_CMDLINE_XEN_DEFAULT="dom0_mem=2G,max:2G" """.rstrip(),
            "update-grub   # and reboot",
        )
    elif "max:" not in given[-1]:
        yield warn(
            f"dom0_mem={given[-1]} has no max:, so dom0's page tables are made for all memory",
            "editor /etc/default/grub.d/xen.cfg   # as in dom0_mem=2G,max:2G",
            "update-grub   # and reboot",
        )
    elif balloon in {"on", "1"}:
        yield warn(
            f"dom0_mem={given[-1]} is given, and autoballoon in xl.conf takes memory from dom0 all the same",
            "editor /etc/xen/xl.conf   # autoballoon=auto",
        )
    else:
        yield ok(f"dom0 has memory of its own (dom0_mem={given[-1]}, autoballoon={balloon})")


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
    """The boot loaders that the guests' methods take from dom0."""
    loaders: dict[str, list[str]] = {}
    methods: set[str] = set()
    for guest in needs.guests:
        boot, _why = boot_of(guest)
        methods.add(boot.method)
        if path := boot.kernel or boot.bootloader:
            loaders.setdefault(path, []).append(guest.name)
    missing = [f"{path} ({', '.join(names)})" for path, names in loaders.items() if not facts.has(path).get()]
    if missing:
        fix = (
            _install("grub-xen-host", "install GRUB for guests") if any("grub-xen" in one for one in missing) else None
        )
        lines = ["apt-get install grub-xen-host"] if fix else ["apt-get install xen-system-amd64   # has pygrub"]
        yield wrong(f"guests' boot loaders are missing: {'; '.join(missing)}", *lines, fix=fix)
    elif methods:
        yield ok(f"boot loaders are here for {', '.join(sorted(methods))}")
    else:
        there = [path for path in (*GRUB_IMAGES, "pygrub") if facts.has(path).get()]
        yield ok(f"boot loaders here: {', '.join(there) or 'none'}") if there else unknown("no guest asks for any")


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
    """/etc/xen/auto: every file in it is started, in the order of their names."""
    entries = facts.auto.get()
    names = [guest.name for guest in needs.guests]
    for entry in entries or ():
        if entry.guest is None:
            yield wrong(
                f"/etc/xen/auto/{entry.entry} leads to {entry.target}, which is no config",
                f"rm /etc/xen/auto/{entry.entry}",
            )
    started = [entry for entry in entries or () if entry.guest]
    ours = [entry for entry in started if entry.guest in names]
    left = sorted(set(names) - {entry.guest for entry in ours})
    if not started:
        said = f": {', '.join(left)} stay down" if left else ""
        yield (warn if left else ok)(f"no guest starts with dom0{said}", *_links(left[:1]))
    else:
        order = ", ".join(f"{entry.guest}" for entry in started)
        yield ok(f"with dom0 start, in this order: {order}")
        if left:
            yield warn(f"{', '.join(left)} {'do' if len(left) > 1 else 'does'} not start with dom0", *_links(left))
    twice = _twice(started)
    if twice:
        yield warn(f"{', '.join(twice)} started twice from /etc/xen/auto", "ls -l /etc/xen/auto")


def _links(names: list[str]) -> list[str]:
    return [f"mkdir -p /etc/xen/auto; ln -s ../{name}.cfg /etc/xen/auto/{name}.cfg" for name in names]


def _twice(entries: list[AutoStart]) -> list[str]:
    guests = [entry.guest or "" for entry in entries]
    return sorted({name for name in guests if guests.count(name) > 1})


def judge_saved(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """A saved state is woken at dom0's next start; on volumes that were rebuilt since, it ruins them."""
    settings = facts.xendomains_settings.get() or {}
    folder = settings.get("XENDOMAINS_SAVE", "")
    saved = facts.saved.get()
    ours = sorted({guest.name for guest in needs.guests} & set(saved))
    if ours:
        yield warn(
            f"saved states of {', '.join(ours)} lie in {folder}: woken after a rebuild, they ruin the new volumes",
            *(f"rm {folder}/{name}" for name in ours),
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


def _install(package: str, does: str) -> Fix:
    return Fix(
        package,
        does,
        commands=(("apt-get", "--yes", "--no-install-recommends", "install", package),),
        undo=(f"apt-get remove {package}",),
    )


def _guests(count: int) -> str:
    return f"{count} guest{'s' * (count != 1)}"
