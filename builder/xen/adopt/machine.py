"""What an xl config says of the machine: type, memory, CPUs, screen, how it is started and what becomes of it."""

from __future__ import annotations

import re
from typing import get_args

from builder.preseed.installer_log import is_secret
from builder.profile.fields import HOST_LABEL
from builder.profile.model import CrashAction, GuestType, ShutdownAction, Suite, TscMode, derived_uuid
from builder.xen.adopt.evidence import Ledger, fits, require
from builder.xen.boot_matrix import AUTO, METHODS

_CONFIG = "the xl config"
# xl takes any beginning of these words for the whole (xl_parse.c, strncmp).
_BUILDERS: dict[str, GuestType] = {"hvm": "hvm", "generic": "pv"}
KERNEL_ARGUMENT = r"[A-Za-z0-9_.,:=/@%+~-]+"
_OWN_HEADER = re.compile(r"Run config of \S+ \(Debian (\w+), \w+\)\.(?: (.*))?")
_LOADERS = (("grub-x86_64-xen.bin", "pvgrub"), ("pv-grub", "pvgrub"), ("grub-i386-xen_pvh.bin", "pvhgrub"))


def adopt_machine(ledger: Ledger) -> None:
    """Rows of everything but devices. BuilderError where the domain's type is none that xl knows."""
    _name(ledger)
    _header(ledger)
    kind = _type(ledger)
    _sizes(ledger)
    _cpus(ledger)
    _tsc_mode(ledger)
    _screen(ledger, kind)
    _boot(ledger, kind, _arch(ledger, kind))
    _actions(ledger)
    if ledger.evidence.dom0_path:
        ledger.know("dom0_path", ledger.evidence.dom0_path, "where the config lies")
    if ledger.evidence.autostart is not None:
        ledger.know("autostart", ledger.evidence.autostart, "/etc/xen/auto")


def _name(ledger: Ledger) -> None:
    name, called = ledger.evidence.name, ledger.text("name")
    ledger.know("name", name, "the name asked for" if called != name else _CONFIG)
    host, _dot, domain = called.partition(".")
    if called != name and (setting := ledger.setting("name")):
        hint = "stop the domain before the guest runs under its new name; volumes and files keep theirs"
        ledger.lose(setting, f"the domain is called {called!a} and will be {name}", hint, code="A101")
    if host == name and fits(rf"{HOST_LABEL}(?:\.{HOST_LABEL})*", domain, 253):
        ledger.guess("domain", domain, "the domain's name in the xl config")
    if given := ledger.text("uuid"):
        uuid = given.replace("-", "").lower()
        uuid = "-".join([uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]])
        if fits(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", uuid):
            ledger.know("uuid", "auto" if uuid == derived_uuid(name) else uuid, _CONFIG)
        elif setting := ledger.setting("uuid"):
            ledger.lose(setting, f"uuid = {given!a} is none")


def _header(ledger: Ledger) -> None:
    """Domu's own configs say in their first line what they are."""
    found = next(filter(None, map(_OWN_HEADER.fullmatch, ledger.evidence.config.comments[:1])), None)
    if found and found[1] in get_args(Suite):
        ledger.guess("suite", found[1], "the config's first line")
        if found[2]:
            ledger.guess("description", found[2], "the config's first line")


def _type(ledger: Ledger) -> GuestType:
    given, builder = ledger.text("type"), ledger.text("builder")
    kinds: dict[str, GuestType] = {one: one for one in get_args(GuestType)}
    kind = kinds.get(given) or (None if given else _BUILDERS.get(builder))
    if given or builder:
        require(kind or "", f"{given or builder!a} is no type of guest", "write type = one of pv, pvh, hvm")
    if kind is None:
        kind = "pv" if ledger.evidence.arch == "amd64" else "pvh"  # xl_parse.c: without a word
        ledger.know("type", kind, "xl's own choice, as the config names none")
    else:
        ledger.know("type", kind, _CONFIG)
    return kind


def _arch(ledger: Ledger, kind: GuestType) -> str:
    if kind != "pvh":
        ledger.know("arch", "amd64", f"Xen has {kind} guests there only")
        return "amd64"
    ledger.know("arch", ledger.evidence.arch, "this dom0's")
    return ledger.evidence.arch


def _sizes(ledger: Ledger) -> None:
    for name, key, unit in (("memory", "memory", "M"), ("max_memory", "maxmem", "M"), ("vcpus", "vcpus", "")):
        number = ledger.number(key)
        if number and number > 0:
            ledger.know(name, f"{number}{unit}" if unit else number, _CONFIG)
        elif key == "vcpus":
            ledger.know(name, 1, "xl's own choice, as the config names none")
    most, memory = ledger.rows.get("max_memory"), ledger.rows.get("memory")
    if most is None or (memory and most.value == memory.value):
        ledger.know("max_memory", None, f"{_CONFIG}, which names no other than memory")
    if not most and not memory:
        require("", "the config says nothing of memory", "write memory = 1024 into it, as it is meant")
    if not memory and most:
        ledger.know("memory", most.value, "maxmem of the xl config")


def _cpus(ledger: Ledger) -> None:
    most = ledger.number("maxvcpus")
    more = most if most != ledger.rows["vcpus"].value else None
    ledger.know("max_vcpus", more, _CONFIG if more else f"{_CONFIG}, which names no other than vcpus")
    for name, key in (("cpu_weight", "cpu_weight"), ("cpu_cap", "cap")):
        number = ledger.number(key) or None
        ledger.know(name, number, _CONFIG if number else f"{_CONFIG}, which has none")
    setting = ledger.setting("cpus")
    if setting is None:
        ledger.know("cpus", "", f"{_CONFIG}, which has none")
        return
    pinned = setting.text if setting.text is not None else ",".join(dict.fromkeys(setting.texts))
    if not fits(r"all|[0-9^][0-9^,-]*", pinned):
        ledger.lose(setting, f"cpus = {pinned!a} has no field", "write cpus: with numbers and ranges")
    elif setting.text is not None or len(set(setting.texts)) == 1:
        ledger.know("cpus", pinned, _CONFIG)
    else:
        gap = "each virtual CPU had a list of its own; these are all of them together"
        ledger.guess("cpus", pinned, _CONFIG, gaps=(gap,))


def _screen(ledger: Ledger, kind: GuestType) -> None:
    on, listen, display = ledger.number("vnc"), ledger.text("vnclisten"), ledger.number("vncdisplay")
    unused = ledger.number("vncunused")
    if setting := ledger.setting("vncpasswd"):
        hint = "the guest's screen has no password now: leave it on dom0's loopback"
        ledger.lose(setting, "vncpasswd is not kept: it would stand in the profile for all to read", hint)
    if kind != "hvm" or on == 0:
        ledger.know("vnc", None, _CONFIG if on == 0 else f"a {kind} guest has no screen")
        return
    address = listen.partition(":")[0] or "127.0.0.1"
    if not fits(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?!$)|$)){4}", address):
        if setting := ledger.setting("vnclisten"):
            ledger.lose(setting, f"vnclisten = {listen!a} is no IPv4 address", "it listens on dom0's loopback now")
        address = "127.0.0.1"
    screen: dict[str, str | int] = {"listen": address}
    if display is not None and unused == 0 and 0 <= display <= 999:
        screen["display"] = display
    ledger.know("vnc", screen, _CONFIG if on else "xl's own choice, as the config names none")


def _boot(ledger: Ledger, kind: GuestType, arch: str) -> None:
    kernel, loader = ledger.text("kernel"), ledger.text("bootloader")
    method = next((method for end, method in _LOADERS if end in kernel), "")
    ledger.know("dom0_reads_disk", "pygrub" in loader, _CONFIG)
    for name in ("ramdisk", "extra", "cmdline", "root", "boot", "bootloader_args"):
        ledger.setting(name)
    if "pygrub" in loader:
        method = "pygrub"
    elif not method and kernel.endswith("/installed/vmlinuz"):
        method = "direct"
        _direct(ledger)
    elif not method and kernel:
        gap = f"now it starts {kernel} of dom0; rebuilt, it starts the kernel that it installs"
        ledger.guess("bootloader", "auto", _CONFIG, gaps=(gap,))
        return
    elif not method and kind == "hvm":
        method = "firmware"
    if method not in METHODS or (loader and method != "pygrub"):
        if setting := ledger.setting("bootloader"):
            ledger.lose(setting, f"bootloader {loader!a} is not known", "bootloader: auto chooses one")
        return
    usual = AUTO.get(("arm64" if arch == "arm64" else "amd64", kind))
    ledger.know("bootloader", "auto" if method == usual else method, _CONFIG)


def _direct(ledger: Ledger) -> None:
    """Started as domu starts it, from files of dom0: the kernel's command line is the config's."""
    words = [word for word in ledger.text("extra").split() if word not in {"console=hvc0", "console=ttyS0"}]
    words = [word for word in words if fits(KERNEL_ARGUMENT, word, 200) and not is_secret(word)]
    ledger.know("kernel_args", words, _CONFIG)


def _tsc_mode(ledger: Ledger) -> None:
    """By xl's words, or its old numbers (xl.cfg(5))."""
    setting = ledger.setting("tsc_mode")
    if setting is None:
        ledger.know("tsc_mode", None, f"{_CONFIG}, which has none")
        return
    seen = setting.text if setting.text is not None else str(setting.number)
    mode = dict(zip("0123", ("default", *get_args(TscMode)), strict=True)).get(seen, seen)
    if mode in {"default", *get_args(TscMode)}:
        ledger.know("tsc_mode", None if mode == "default" else mode, _CONFIG)
    else:
        ledger.lose(setting, f"tsc_mode = {mode!a} has no field", f"a profile has {', '.join(get_args(TscMode))}")


def _actions(ledger: Ledger) -> None:
    xls_own = {"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}
    for name, own in xls_own.items():
        action = ledger.text(name)
        known = get_args(CrashAction if name == "on_crash" else ShutdownAction)
        if not action:
            ledger.know(name, own, "xl's own choice, as the config names none")
        elif action in known:
            ledger.know(name, action, _CONFIG)
        elif setting := ledger.setting(name):
            ledger.lose(setting, f"{name} = {action!a} has no field", f"a profile has {', '.join(known)}")
