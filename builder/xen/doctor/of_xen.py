"""Checks of Xen itself: is this Domain-0, does it start with Xen, do versions agree, do the daemons run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from builder.errors import BuilderError
from builder.xen.consoles import CONSOLES, log_folder, logs_guests
from builder.xen.doctor.check import Diagnosis, ok, unknown, warn, wrong
from builder.xen.doctor.fact import Known
from builder.xen.doctor.facts import Dom0Facts
from builder.xen.doctor.fixes import Edit, Fix, edit_undo
from builder.xen.doctor.grub import GrubMenu
from builder.xen.doctor.needs import Needs
from builder.xen.doctor.shellvars import set_variable

XEN_DEFAULTS = "/etc/default/xen"
XEN_CFG = "/etc/default/grub.d/xen.cfg"
XL_CONF = "/etc/xen/xl.conf"
OS_RELEASE = "/etc/os-release"


def judge_role(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """Domain-0, a guest, or a machine without Xen: the last is no fault, as building needs no Xen."""
    role = facts.role.get()
    installed = facts.images.value if isinstance(facts.images, Known) else ()
    if role.dom0:
        yield ok(f"this is Domain-0 ({role.why})")
    elif role.xen:
        yield wrong(f"this is a guest of Xen, not its Domain-0 ({role.why})")
    elif installed:
        yield wrong(f"Xen is installed ({', '.join(installed)}) and does not run: {role.why}", "reboot")
    else:
        yield warn(
            "this is no dom0: guests can be checked and built here, not run",
            "apt-get install xen-system-amd64   # and reboot; only if this machine is to run guests",
        )


def judge_grub(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """What the next start loads, as grub.cfg says, and what update-grub would make of it next time."""
    menu = facts.grub.get()
    if menu is None:
        yield unknown("there is no /boot/grub/grub.cfg, so something else than this system's GRUB starts it")
        return
    try:
        chosen = menu.chosen
    except BuilderError as error:
        yield wrong(error.message, "update-grub")
        return
    if menu.next_entry and not _loads_xen(menu, menu.next_entry):
        yield warn(
            f"the next start alone is set to {menu.next_entry!r}, which has no Xen",
            "grub-editenv - unset next_entry",
        )
    if chosen.is_xen:
        yield ok(f"GRUB starts {chosen.title!r} by default")
        yield from _settings_agree(facts)
    elif menu.has_xen:
        fix = _start_with_xen(facts)
        yield wrong(f"GRUB starts {chosen.title!r} by default, without Xen", *_grub_lines(fix), fix=fix)
    else:
        yield wrong("GRUB's menu has no entry with Xen", "apt-get install xen-system-amd64", "update-grub")


def _settings_agree(facts: Dom0Facts) -> Iterator[Diagnosis]:
    if not isinstance(facts.grub_settings, Known):
        return
    settings = facts.grub_settings.value
    if settings.get("XEN_OVERRIDE_GRUB_DEFAULT") == "0" and settings.get("GRUB_DEFAULT", "0") == "0":
        # 10_linux comes before 20_linux_xen, so entry 0 of a new menu is Linux alone.
        fix = _start_with_xen(facts)
        why = "XEN_OVERRIDE_GRUB_DEFAULT and GRUB_DEFAULT are 0"
        yield warn(f"the next update-grub will start Linux without Xen: {why}", *_grub_lines(fix), fix=fix)


def _start_with_xen(facts: Dom0Facts) -> Fix | None:
    """XEN_OVERRIDE_GRUB_DEFAULT has to be set before the `if` of xen.cfg that looks at it."""
    text = facts.text(XEN_CFG)
    if not isinstance(text, Known) or text.value is None:
        return None
    edit = Edit(XEN_CFG, text.value, set_variable(text.value, "XEN_OVERRIDE_GRUB_DEFAULT", "1", missing="first"))
    return Fix(
        "grub",
        "start with Xen by default",
        edits=(edit,),
        commands=(("update-grub",),),
        undo=(edit_undo(edit), "update-grub"),
        left="it counts from the next reboot",
    )


def _grub_lines(fix: Fix | None) -> tuple[str, ...]:
    return () if fix else ("editor /etc/default/grub   # GRUB_DEFAULT", "update-grub")


def _loads_xen(menu: GrubMenu, wanted: str) -> bool:
    try:
        return menu.find(wanted).is_xen
    except BuilderError:
        return False


def judge_versions(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """Debian's xl is a wrapper that runs /usr/lib/xen-VERSION/bin/xl of the running Xen, or nothing."""
    role = facts.role.get()
    utils = facts.utils.get()
    if not role.xen:
        if utils:
            yield unknown(f"xl of Xen {', '.join(utils)} is installed; it says nothing where no Xen runs")
        else:
            yield unknown("neither Xen nor xl is here")
        return
    running = facts.hypervisor.get()
    if running.release not in utils:
        yield wrong(
            f"Xen {running.version} runs, and the tools of {', '.join(utils) or 'none'} are installed",
            f"apt-get install xen-utils-{running.release}",
        )
        return
    if needs.dom0.xen not in {"auto", running.release}:
        yield warn(
            f"Xen {running.release} runs, and dom0.yaml says {needs.dom0.xen}", "editor profiles/dom0.yaml   # xen:"
        )
    else:
        yield ok(f"Xen {running.version} and xl of {running.release}")
    newer = [release for release in utils if _number(release) > _number(running.release)]
    if newer:
        yield warn(f"Xen {newer[-1]} is installed and {running.release} still runs: a reboot is due", "reboot")


def _number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdecimal())


def judge_release(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """os-release(5) names the release; what guests can be started by is worked out from dom0.yaml's word for it."""
    seen = facts.release.get()
    codename = (seen or {}).get("VERSION_CODENAME", "")
    if seen is None or not codename:
        yield unknown(f"{OS_RELEASE} names no release" if seen else f"there is no {OS_RELEASE}")
        return
    name = seen.get("PRETTY_NAME", codename)
    if seen.get("ID") != "debian":
        yield warn(f"this is {name}, no Debian: what domu says of packages and files may not fit")
    elif needs.dom0.suite not in {"auto", codename}:
        yield warn(f"this is {name}, and dom0.yaml says {needs.dom0.suite}", "editor profiles/dom0.yaml   # suite:")
    else:
        yield ok(f"this is {name}")


def judge_daemons(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """Do oxenstored or xenstored and xenconsoled run, and does xl get an answer?"""
    daemons = facts.daemons.get()
    stores = [name for name in ("oxenstored", "xenstored") if name in daemons]
    if not stores and isinstance(facts.domains, Known):
        stores = ["xenstore in a domain of its own"]  # init-xenstore-domain; xl would have had no answer without any
    if not stores:
        yield wrong("no xenstored runs, so xl can start nothing", "service xen start")
    if "xenconsoled" not in daemons:
        yield wrong("xenconsoled does not run: no guest has a console, and PV guests stop early", "service xen start")
    if stores and "xenconsoled" in daemons:
        domains = facts.domains.get()
        yield ok(f"{stores[0]} and xenconsoled run, and xl lists {_count(len(domains), 'domain')}")


def judge_toolstack(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """TOOLSTACK, which Debian has read until Xen 4.11, and libvirt beside xl."""
    settings = facts.xen_settings.get()
    if settings is None:
        yield unknown(f"there is no {XEN_DEFAULTS}", "apt-get install xen-utils-common")
        return
    stack = settings.get("TOOLSTACK", "")
    if stack in {"", "xl"}:
        yield ok("the toolstack is xl" + ("" if stack else ", Debian's only one"))
    else:
        yield wrong(f"TOOLSTACK is {stack!r} in {XEN_DEFAULTS}, and domu works by xl", f"editor {XEN_DEFAULTS}")


def judge_console_log(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """Without a log of the consoles nobody sees why an installation stopped."""
    text, settings, reads = facts.text(XEN_DEFAULTS).get(), facts.xen_settings.get(), facts.init_reads.get()
    fix = _log_consoles(text or "", settings or {}) if "XENCONSOLED_ARGS" in reads and text is not None else None
    running = facts.daemons.value.get("xenconsoled") if isinstance(facts.daemons, Known) else None
    written = logs_guests((settings or {}).get("XENCONSOLED_ARGS", "").split())
    if "XENCONSOLED_TRACE" in reads:  # upstream's xenconsoled.service
        written = written or (settings or {}).get("XENCONSOLED_TRACE", "") in {"guest", "all"}
    restart = "when nobody is at a guest's console: service xen restart"
    if running is not None and logs_guests(running):
        if written:
            yield ok(f"xenconsoled keeps guests' consoles in {log_folder(running)}")
        else:
            yield warn("xenconsoled keeps guests' consoles, but not after its next start", *_lines(fix), fix=fix)
    elif written:
        yield warn("guests' consoles are kept after xenconsoled's next start only", restart.split(": ")[1])
    else:
        trace = (settings or {}).get("XENCONSOLED_TRACE", "")
        unread = f" (XENCONSOLED_TRACE={trace} is not read here)" if trace not in {"", "none"} else ""
        yield warn(f"guests' consoles are not kept in a log{unread}", *_lines(fix), fix=fix)


def _log_consoles(text: str, settings: Mapping[str, str]) -> Fix | None:
    """None where the arguments are the shell's to work out: they are left to a person."""
    old = re.sub(r"--log(?:-dir)?(?:=|\s+)\S+", "", settings.get("XENCONSOLED_ARGS", ""))
    value = " ".join([*old.split(), "--log=guest", f"--log-dir={CONSOLES}"])
    try:
        edit = Edit(XEN_DEFAULTS, text, set_variable(text, "XENCONSOLED_ARGS", value))
    except ValueError:
        return None
    return Fix(
        "consoles",
        "keep guests' consoles in a log",
        folders=(CONSOLES,),
        edits=(edit,),
        undo=(edit_undo(edit),),
        left="it counts from xenconsoled's next start: service xen restart, when nobody is at a guest's console",
    )


def _lines(fix: Fix | None) -> tuple[str, ...]:
    return () if fix else (f"editor {XEN_DEFAULTS}",)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
