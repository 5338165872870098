"""The two xl configs of a guest (xl.cfg(5)): one boots the installer once, the other runs what it installed."""

from __future__ import annotations

from collections.abc import Sequence

from builder.profile.dom0 import NO_DOM0, Dom0
from builder.profile.model import Guest
from builder.xen.boot import boot_of, console_of
from builder.xen.domain_config import DomainConfig
from builder.xen.network.vif import Vif, vifs_of, xl_words

# No question below critical, and prompts as plain lines. Everything else is answered by /preseed.cfg in the initrd;
# what stands here can be read by every user of dom0 and of the guest.
INSTALLER_ARGUMENTS = ("priority=critical", "DEBIAN_FRONTEND=text", "TERM=dumb")
# Xen's own console for HVM guests, too: xenconsoled keeps that in a log, and the serial port is their emulator's.
# libxl gives each of them one (libxl_create.c, domcreate_launch_dm), Linux finds it (hvc_xen.c, xen_hvm_console_init).
INSTALLER_CONSOLE = "console=hvc0"
Value = str | int | Sequence[str]


def render_install_config(guest: Guest, dom0: Dom0 = NO_DOM0) -> str:
    """Boots the installer from files in dom0, with no disk but the system disk: data volumes cannot be touched.

    However the guest ends, it is not started again; after a crash it is kept, to be looked at.
    """
    folder = folder_of(guest)
    disks = [_disk("hda" if guest.type == "hvm" else "xvda", guest, guest.disk_volume)]
    if guest.media == "iso":
        vdev = "hdc" if guest.type == "hvm" else "xvdz"
        disks.append(f"vdev={vdev},format=raw,access=ro,devtype=cdrom,target={folder}/installer.iso")
    return _document(
        _header(guest, "Install config", "It boots the Debian installer once, which powers off at the end."),
        _machine(guest, [("memory", guest.memory_for_install.mebibytes()), ("vcpus", guest.vcpus)]),
        _start_installer(guest),
        [("disk", disks), ("vif", _vifs(guest, dom0))],
        [("on_poweroff", "destroy"), ("on_reboot", "destroy"), ("on_crash", "preserve")],
    )


def render_run_config(guest: Guest, dom0: Dom0 = NO_DOM0) -> str:
    """Runs the installed guest with all its volumes. The guest is one that check_boot finds nothing against."""
    boot, why = boot_of(guest)
    disks = [_disk("hda" if guest.type == "hvm" else "xvda", guest, guest.disk_volume)]
    disks += [
        _disk(guest.volume_device(volume).removeprefix("/dev/"), guest, guest.volume_name(volume))
        for volume in guest.volumes
    ]
    start: list[tuple[str, Value]] = []
    if boot.kernel:
        start = [("kernel", boot.kernel)]
    elif boot.bootloader:
        start = [("bootloader", boot.bootloader)]
    elif boot.method == "direct":
        installed = f"{folder_of(guest)}/installed"
        extra = " ".join([f"console={console_of(guest)}", *guest.kernel_args])
        start = [("kernel", f"{installed}/vmlinuz"), ("ramdisk", f"{installed}/initrd.img"), ("extra", extra)]
    elif guest.type == "hvm":
        start = [("boot", "c")]
    return _document(
        _header(guest, "Run config", "It runs the installed guest."),
        _machine(guest, _run_sizes(guest)),
        [*_comment(f"Boot method {boot.method}: {boot.reason}."), *_comment(f"Chosen because: {why}."), *start],
        [("disk", disks), ("vif", _vifs(guest, dom0))],
        [("on_poweroff", guest.on_poweroff), ("on_reboot", guest.on_reboot), ("on_crash", guest.on_crash)],
    )


def _start_installer(guest: Guest) -> list[tuple[str, Value]]:
    """An HVM guest boots its ISO, which has the preseed and the command line in it; all others the files beside."""
    if guest.type == "hvm" and guest.media == "iso":
        return [("boot", "d")]
    folder = folder_of(guest)
    return [
        ("kernel", f"{folder}/vmlinuz"),
        ("ramdisk", f"{folder}/initrd.gz"),
        ("extra", installer_line()),
    ]


def boots_installer(guest: Guest, config: DomainConfig) -> bool:
    """Whether a domain of this config boots the guest's installer, as told by the file in dom0 that it starts from."""
    folder = folder_of(guest)
    if guest.type == "hvm" and guest.media == "iso":
        return any(disk.cdrom and disk.target == f"{folder}/installer.iso" for disk in config.disks)
    return config.kernel == f"{folder}/vmlinuz"


def installer_line() -> str:
    """The installer's kernel command line, the same for every guest."""
    return " ".join([*INSTALLER_ARGUMENTS, INSTALLER_CONSOLE])


def folder_of(guest: Guest) -> str:
    """Where dom0 has the guest's kernel, initrd and ISO."""
    return f"{guest.dom0_path}/{guest.name}"


def install_config_path(guest: Guest) -> str:
    """Where dom0 has the guest's install config."""
    return f"{folder_of(guest)}/{guest.name}.install.cfg"


def run_config_path(guest: Guest) -> str:
    """Where dom0 has the guest's run config."""
    return f"{folder_of(guest)}/{guest.name}.cfg"


def quoted(text: str) -> str:
    """A string for an xl config; ValueError for signs that it cannot hold.

    Of its escapes only a backslash before a quote or a backslash is used: libxlu_cfg.c (4.17, xlu__cfgl_dequote)
    drops octal ones and refuses hexadecimal ones. All other bytes are literal.
    """
    if not text.isprintable():
        raise ValueError(f"{text!a} holds signs that are not printable, and an xl config cannot")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _comment(text: str) -> list[tuple[str, Value]]:
    if not text.isprintable():
        raise ValueError(f"{text!a} is no line of a comment")
    return [("#", text)]


def _header(guest: Guest, kind: str, purpose: str) -> list[tuple[str, Value]]:
    about = f" {guest.description}" if guest.description else ""
    return [
        *_comment(f"{kind} of {guest.name} (Debian {guest.suite}, {guest.type}).{about}"),
        *_comment(purpose),
        *_comment(f"Made by `domu build {guest.name}`: change the guest's profile, not this file."),
    ]


def _run_sizes(guest: Guest) -> list[tuple[str, Value]]:
    """What the guest runs with, and how far that can be raised meanwhile."""
    sizes: list[tuple[str, Value]] = [("memory", guest.memory.mebibytes())]
    if guest.max_memory:
        sizes.append(("maxmem", guest.max_memory.mebibytes()))
    sizes.append(("vcpus", guest.vcpus))
    if guest.max_vcpus:
        sizes.append(("maxvcpus", guest.max_vcpus))
    return sizes


def _machine(guest: Guest, sizes: Sequence[tuple[str, Value]]) -> list[tuple[str, Value]]:
    settings: list[tuple[str, Value]] = [
        ("name", guest.name),
        ("uuid", guest.domain_uuid),
        ("type", guest.type),
        *sizes,
    ]
    if guest.cpus:
        settings.append(("cpus", guest.cpus))
    if guest.cpu_weight:
        settings.append(("cpu_weight", guest.cpu_weight))
    if guest.cpu_cap:
        settings.append(("cap", guest.cpu_cap))
    if guest.tsc_mode:
        settings.append(("tsc_mode", guest.tsc_mode))
    if guest.type == "hvm":
        settings += [("serial", "pty"), *_screen(guest)]
    return settings


def _screen(guest: Guest) -> list[tuple[str, Value]]:
    """Without `vnc = 0` libxl would offer the screen on dom0's loopback."""
    if guest.vnc is None:
        return [("vnc", 0)]
    screen: list[tuple[str, Value]] = [("vnc", 1), ("vnclisten", str(guest.vnc.listen))]
    if guest.vnc.display is None:
        return [*screen, ("vncunused", 1)]
    return [*screen, ("vncunused", 0), ("vncdisplay", guest.vnc.display)]


def _disk(vdev: str, guest: Guest, volume: str) -> str:
    """`target` comes last: it takes the rest of the string (libxlu_disk_l.l)."""
    return f"vdev={vdev},format=raw,access=rw,target=/dev/{guest.volume_group}/{volume}"


def _vifs(guest: Guest, dom0: Dom0) -> list[str]:
    return [",".join(_vif(guest, vif)) for vif in vifs_of(guest, dom0)]


def _vif(guest: Guest, vif: Vif) -> list[str]:
    words = [f"mac={vif.mac}"]
    if guest.type == "hvm":
        words.append("type=vif")  # no emulated twin: both suites' kernels have the Xen driver
    words += xl_words(vif)
    if vif.nic.rate:
        words.append(f"rate={vif.nic.rate}")
    return words


def _document(*parts: Sequence[tuple[str, Value]]) -> str:
    return "\n".join("".join(f"{_statement(key, value)}\n" for key, value in part) for part in parts)


def _statement(key: str, value: Value) -> str:
    if key == "#":
        return f"# {value}"
    if isinstance(value, int):
        return f"{key} = {value}"
    if isinstance(value, str):
        return f"{key} = {quoted(value)}"
    if len(value) == 1:
        return f"{key} = [{quoted(value[0])}]"
    items = "".join(f"    {quoted(item)},\n" for item in value)
    return f"{key} = [\n{items}]"
