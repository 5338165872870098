"""Facts of Xen: what runs below, what is installed, how the machine starts, which daemons run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from builder.host.dom0.reading import below, names_in, said, text_or_none
from builder.host.run import Runner
from builder.host.xl import look_for_xen
from builder.xen.doctor.fact import Fact, Known, Unknown
from builder.xen.doctor.facts import AutoStart, Role, Unit
from builder.xen.doctor.grub import GrubMenu, parse_grub, parse_grubenv
from builder.xen.doctor.shellvars import parse_variables

_DAEMONS = frozenset({"oxenstored", "xenstored", "xenconsoled"})
_AUTO = "/etc/xen/auto"
_NAME = re.compile(r"^name\s*=\s*(['\"])(?P<name>.+?)\1", re.MULTILINE)


def role(root: Path) -> Fact[Role]:
    """Domain-0, guest, or no Xen."""
    seen = look_for_xen(root)
    if seen.why.startswith("neither"):
        return Unknown(seen.why)
    return Known(Role(xen=seen.xen, dom0=seen.dom0, why=seen.why))


def images(root: Path) -> Fact[tuple[str, ...]]:
    """Xen's own images in /boot."""
    return names_in(root, "/boot").then(
        lambda names: tuple(name for name in names or () if re.fullmatch(r"xen-[0-9].*(?<!\.config)", name))
    )


def utils(root: Path) -> Fact[tuple[str, ...]]:
    """Releases of xen-utils, oldest first, by the folders in /usr/lib."""
    return names_in(root, "/usr/lib").then(lambda names: tuple(sorted(_releases(root, names or ()), key=_by_number)))


def _releases(root: Path, names: tuple[str, ...]) -> list[str]:
    found = (re.fullmatch(r"xen-([0-9.]+)", name) for name in names)
    return [match[1] for match in found if match and below(root, f"/usr/lib/{match[0]}/bin/xl").is_file()]


def _by_number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part)


def grub(root: Path) -> Fact[GrubMenu | None]:
    """The menu of /boot/grub/grub.cfg with the variables of grubenv; None where there is none."""
    text, block = text_or_none(root, "/boot/grub/grub.cfg"), text_or_none(root, "/boot/grub/grubenv")
    if isinstance(block, Unknown):
        return block
    environment = parse_grubenv(block.value or "")
    return text.then(lambda config: None if config is None else parse_grub(config, environment))


def grub_settings(root: Path) -> Fact[Mapping[str, str]]:
    """/etc/default/grub, then grub.d/*.cfg by name, as grub-mkconfig reads them."""
    names = names_in(root, "/etc/default/grub.d")
    if isinstance(names, Unknown):
        return names
    parts = [f"/etc/default/grub.d/{name}" for name in names.value or () if name.endswith(".cfg")]
    found: dict[str, str] = {}
    for path in ("/etc/default/grub", *parts):
        text = text_or_none(root, path)
        if isinstance(text, Unknown):
            return text
        found |= parse_variables(text.value or "")
    return Known(found)


def settings(root: Path, path: str) -> Fact[Mapping[str, str] | None]:
    """A file of shell assignments; None where it is not there."""
    return text_or_none(root, path).then(lambda text: None if text is None else parse_variables(text))


def init_reads(root: Path) -> Fact[frozenset[str]]:
    """Variables that whatever starts xenconsoled here looks at: Debian's init script, or upstream's unit."""
    found: set[str] = set()
    for path in (
        "/etc/init.d/xen",
        "/lib/systemd/system/xenconsoled.service",
        "/etc/systemd/system/xenconsoled.service",
    ):
        text = text_or_none(root, path)
        if isinstance(text, Unknown):
            return text
        found |= set(re.findall(r"\$\{?(XENCONSOLED_(?:ARGS|TRACE))\b", text.value or ""))
    return Known(frozenset(found))


def daemons(root: Path) -> Fact[Mapping[str, tuple[str, ...]]]:
    """Xen's daemons that run, by name, with their arguments."""
    names = names_in(root, "/proc")
    if isinstance(names, Unknown):
        return names
    found: dict[str, tuple[str, ...]] = {}
    for number in filter(str.isdecimal, names.value or ()):
        process = below(root, f"/proc/{number}")
        try:
            name = (process / "comm").read_text().strip()
            if name in _DAEMONS:
                words = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                found[name] = tuple(word.decode(errors="replace") for word in words)
        except OSError:
            continue  # it has ended meanwhile
    return Known(found)


def unit(runner: Runner, name: str) -> Fact[Unit]:
    """A systemd unit as `systemctl show` tells it."""
    wanted = "--property=LoadState,UnitFileState,ActiveState,After"
    return said(runner, ["systemctl", "show", wanted, name]).then(_unit)


def _unit(text: str) -> Unit:
    pairs = dict(line.partition("=")[::2] for line in text.splitlines())
    loaded = pairs.get("LoadState") == "loaded" or pairs.get("UnitFileState") == "masked"
    after = tuple(pairs.get("After", "").split())
    return Unit(loaded, pairs.get("UnitFileState", ""), pairs.get("ActiveState", ""), after)


def auto(root: Path) -> Fact[tuple[AutoStart, ...] | None]:
    """What xendomains starts, in its order; None where the folder is not there."""
    return names_in(root, _AUTO).then(
        lambda names: None if names is None else tuple(_auto_start(root, name) for name in names)
    )


def _auto_start(root: Path, name: str) -> AutoStart:
    path = below(root, f"{_AUTO}/{name}")
    target = str(path.readlink()) if path.is_symlink() else name
    # An absolute link means the root that the facts are read of.
    real = below(root, target) if target.startswith("/") else path
    try:
        match = _NAME.search(real.read_text(errors="replace"))
    except OSError:
        match = None
    return AutoStart(name, target, match["name"] if match else None)
