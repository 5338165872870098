"""Made-up dom0s: a folder of files and recorded outputs, read by the very code that reads a real one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from builder.errors import BuilderError
from builder.host.dom0 import read_dom0
from builder.host.run import LIMIT, Completed, as_line
from builder.xen.doctor.facts import Dom0Facts
from builder.xen.doctor.needs import DEBIAN_KEYRING, Needs
from tests.lvm_reports import report, text
from tests.xl import DOM0, INFO, LONG_HEAD

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GIB = 1 << 30
BOTH = ("oxenstored", "xenconsoled")
LOGGING = 'XENCONSOLED_ARGS="--log=guest --log-dir=/var/log/xen/console"\n'

# As 10_linux and 20_linux_xen of grub-common 2.06 write it, shortened.
GRUB_CFG = """\
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="DEFAULT"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  fi
}
menuentry 'Debian GNU/Linux' --class debian --class os $menuentry_id_option 'gnulinux-simple-0123' {
\tload_video
\tif [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
\tlinux\t/vmlinuz-6.1.0-30-amd64 root=UUID=0123 ro  quiet
\tinitrd\t/initrd.img-6.1.0-30-amd64
}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-0123' {
\tmenuentry 'Debian GNU/Linux, with Linux 6.1.0-30-amd64' --class debian $menuentry_id_option 'gnulinux-6.1.0-30-amd64-advanced-0123' {
\t\tlinux\t/vmlinuz-6.1.0-30-amd64 root=UUID=0123 ro  quiet
\t\tinitrd\t/initrd.img-6.1.0-30-amd64
\t}
}
menuentry 'Debian GNU/Linux, with Xen hypervisor' --class debian --class xen $menuentry_id_option 'xen-gnulinux-simple-0123' {
\techo\t'Loading Xen 4.17-amd64 ...'
        if [ "$grub_platform" = "pc" -o "$grub_platform" = "" ]; then
            xen_rm_opts=
        else
            xen_rm_opts="no-real-mode edd=off"
        fi
\tmultiboot2\t/xen-4.17-amd64.gz placeholder dom0_mem=2G,max:2G ${xen_rm_opts}
\tmodule2\t/vmlinuz-6.1.0-30-amd64 placeholder root=UUID=0123 ro  quiet
\tmodule2\t--nounzip   /initrd.img-6.1.0-30-amd64
}
submenu 'Advanced options for Debian GNU/Linux (with Xen hypervisor)' $menuentry_id_option 'gnulinux-advanced-0123' {
\tsubmenu 'Xen hypervisor, version 4.17-amd64' $menuentry_id_option 'xen-hypervisor-4.17-amd64-0123' {
\t\tmenuentry 'Debian GNU/Linux, with Xen 4.17-amd64 and Linux 6.1.0-30-amd64' --class xen $menuentry_id_option 'xen-gnulinux-6.1.0-30-amd64-advanced-0123' {
\t\t\tmultiboot2\t/xen-4.17-amd64.gz placeholder ${xen_rm_opts}
\t\t\tmodule2\t/vmlinuz-6.1.0-30-amd64 placeholder root=UUID=0123 ro  quiet
\t\t}
\t}
}
"""
WITH_XEN = GRUB_CFG.replace("DEFAULT", "Debian GNU/Linux, with Xen hypervisor")
WITHOUT_XEN = GRUB_CFG.replace("DEFAULT", "0")
XEN_CFG = """\
# Make booting into Xen the default.
#
#XEN_OVERRIDE_GRUB_DEFAULT=
#
if [ "$XEN_OVERRIDE_GRUB_DEFAULT" = "" ]; then
\tXEN_OVERRIDE_GRUB_DEFAULT=1
fi
if [ "$XEN_OVERRIDE_GRUB_DEFAULT" = "1" ]; then
\tGRUB_DEFAULT=$(printf "%s, with Xen hypervisor" "$GRUB_DISTRIBUTOR GNU/Linux")
fi
"""
OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n'
XENDOMAINS = """\
LoadState=loaded
ActiveState=active
UnitFileState=generated
After=systemd-journald.socket network-online.target xen.service remote-fs.target system.slice
"""


def keyring(*names: str, ends: datetime | None = None, made: datetime = datetime(2023, 1, 1, tzinfo=UTC)) -> bytes:
    """OpenPGP packets of a key for each name, with a self-signature that nobody verifies; RFC 9580, 4 and 5."""
    return b"".join(_key(name, made, ends) for name in names)


def _key(name: str, made: datetime, ends: datetime | None) -> bytes:
    born = int(made.timestamp())
    body = b"\x04" + born.to_bytes(4) + b"\x01" + name.encode()
    issuer = hashlib.sha1(b"\x99" + len(body).to_bytes(2) + body, usedforsecurity=False).digest()[-8:]
    life = int(ends.timestamp()) - born if ends else 0
    hashed = b"\x05\x02" + born.to_bytes(4) + (b"\x05\x09" + life.to_bytes(4) if ends else b"")
    loose = b"\x09\x10" + issuer
    signature = b"\x04\x13\x01\x08" + len(hashed).to_bytes(2) + hashed + len(loose).to_bytes(2) + loose + b"\0\0"
    return b"".join(
        bytes([0xC0 | tag, 0xFF]) + len(packet).to_bytes(4) + packet
        for tag, packet in ((6, body), (13, name.encode()), (2, signature))
    )


def archive_key(suite: str) -> str:
    number = {"bookworm": 12, "trixie": 13}[suite]
    return f"Debian Archive Automatic Signing Key ({number}/{suite}) <ftpmaster@debian.org>"


def guest_config(name: str) -> str:
    return f'name = "{name}"\ntype = "pv"\n'


@dataclass
class MadeUp:
    """A dom0 in a folder; `outputs`: command line -> (status, what it prints, what it complains of)."""

    root: Path
    outputs: dict[str, tuple[int, str, str]] = field(default_factory=dict)

    def __call__(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        """Its programs; what was said last of a command counts."""
        assert stdin == b""
        assert limit <= 900
        assert set(env or {}) <= {"DEBIAN_FRONTEND"}
        line = as_line(argv).replace(str(self.root), "")
        for begin, (status, out, err) in reversed(self.outputs.items()):
            if line.startswith(begin):
                return Completed(tuple(argv), status, out.encode(), err.encode())
        raise BuilderError(f"the program {argv[0]!r} is not installed")

    def write(self, path: str, text: str | bytes = "") -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, str):
            text = text.encode()
        place.write_bytes(text)

    def link(self, path: str, target: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def remove(self, path: str) -> None:
        (self.root / path.lstrip("/")).unlink()

    def says(self, command: str, out: str = "", *, status: int = 0, err: str = "") -> None:
        """From now on, command lines that begin so print this."""
        self.outputs.pop(command, None)
        self.outputs[command] = (status, out, err)

    def fails(self, command: str, err: str) -> None:
        self.says(command, status=1, err=err)

    def runs(self, *daemons: str, arguments: Sequence[str] = ("--log=guest",)) -> None:
        """These processes run, and no others of Xen's."""
        for number, name in enumerate(BOTH, 100):
            comm = self.root / f"proc/{number}/comm"
            comm.unlink(missing_ok=True)
            if name in daemons:
                self.write(f"/proc/{number}/comm", f"{name}\n")
                words = [f"/usr/lib/xen-4.17/bin/{name}", *(arguments if name == "xenconsoled" else ())]
                self.write(f"/proc/{number}/cmdline", "\0".join(words) + "\0")

    def bridge(self, name: str, *ports: str, flags: str = "0x1003") -> None:
        self.write(f"/sys/class/net/{name}/flags", flags)
        (self.root / f"sys/class/net/{name}/bridge").mkdir()
        (self.root / f"sys/class/net/{name}/brif").mkdir()
        for port in ports:
            self.write(f"/sys/class/net/{name}/brif/{port}")

    def memory(self, total: int, free: int, *, line: str = "dom0_mem=2G,max:2G") -> None:
        """`xl info` with these MiB and Xen's command line."""
        self.says("xl info", info(total_memory=str(total), free_memory=str(free), xen_commandline=line))

    def room(self, *, total: int = 40 * GIB, free: int = 20 * GIB) -> None:
        """Of every file system, in bytes."""
        self.says("df", f"   1B-blocks       Avail Mounted on\n{total} {free} /\n")

    def facts(self, needs: Needs) -> Dom0Facts:
        return read_dom0(needs, now=NOW, runner=self, root=self.root)


def info(**more: str) -> str:
    """`xl info` with some lines changed."""
    lines = []
    for line in INFO.splitlines():
        name = line.partition(":")[0].strip()
        lines.append(f"{name:<23}: {more[name]}" if name in more else line)
    return "\n".join(lines) + "\n"


def ruleset(*tables: tuple[str, str], drops: bool = False) -> str:
    """`nft --json list ruleset` with tables that have a rule each."""
    parts: list[dict[str, Any]] = [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}]
    for family, name in tables:
        chain = {"family": family, "table": name, "name": "forward", "hook": "forward", "policy": "drop"}
        parts.append({"table": {"family": family, "name": name, "handle": 1}})
        parts += [{"chain": chain}] if drops else []
        parts.append({"rule": {"family": family, "table": name, "chain": "forward", "expr": []}})
    return json.dumps({"nftables": parts})


def good_dom0(root: Path) -> MadeUp:
    """A Debian 12 dom0 with nothing to mend, for guests of vg0 on xenbr0."""
    made = MadeUp(root)
    made.write("/sys/hypervisor/type", "xen\n")
    made.write("/proc/xen/capabilities", "control_d\n")
    made.write("/etc/os-release", OS_RELEASE)
    made.write("/boot/xen-4.17-amd64.gz")
    made.write("/boot/xen-4.17-amd64.config")
    made.write("/boot/grub/grub.cfg", WITH_XEN)
    made.write("/etc/default/grub", "GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\n")
    made.write("/etc/default/grub.d/xen.cfg", XEN_CFG)
    made.write("/usr/lib/xen-4.17/bin/xl")
    made.write("/etc/default/xen", f"# Xen's defaults\nXENSTORED_ARGS=\n{LOGGING}")
    made.write("/etc/init.d/xen", "start-stop-daemon -- $XENCONSOLED_ARGS --pid-file x\n")
    made.write("/etc/xen/xl.conf", '#autoballoon="auto"\n')
    made.write("/etc/default/xendomains", "XENDOMAINS_SAVE=\nXENDOMAINS_AUTO=/etc/xen/auto\n")
    made.write("/etc/logrotate.d/consoles", "/var/log/xen/console/*.log {\n}\n")
    made.write("/var/log/xen/console/guest-web1.log", "hello\n")
    made.write("/etc/xen/web1.cfg", guest_config("web1"))
    made.link("/etc/xen/auto/010-web1.cfg", "/etc/xen/web1.cfg")
    for script in ("vif-bridge", "vif-route", "vif-openvswitch"):
        made.write(f"/etc/xen/scripts/{script}", "#!/bin/sh\n")
    for image in ("grub-x86_64-xen.bin", "grub-i386-xen_pvh.bin"):
        made.write(f"/usr/lib/grub-xen/{image}")
    for program in ("gpgv", "logrotate", "lvs", "nft", "ip", "ifconfig", "pygrub", "ovs-vsctl"):
        made.write(f"/usr/bin/{program}")
        (root / f"usr/bin/{program}").chmod(0o755)
    made.write(DEBIAN_KEYRING, keyring(archive_key("bookworm"), archive_key("trixie"), ends=NOW + timedelta(days=900)))
    made.runs(*BOTH)
    made.bridge("xenbr0", "eth0")
    made.write("/proc/sys/net/ipv4/ip_forward", "0\n")
    made.write("/proc/sys/net/ipv6/conf/all/forwarding", "0\n")
    made.memory(8192, 5000)
    made.says("xl list --verbose", LONG_HEAD + DOM0)
    made.says("xl list --long", "[]")
    made.says("lvm fullreport", text(report()))
    made.says("nft --json list ruleset", ruleset())
    made.says("systemctl show", XENDOMAINS)
    made.says("timedatectl show", "CanNTP=yes\nNTPSynchronized=yes\n")
    made.says("dpkg-query", "ii |debian-archive-keyring|2023.3+deb12u2\n", status=1)
    made.room()
    return made
