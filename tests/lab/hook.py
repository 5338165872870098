"""domu's kernel hook in a guest that runs: laid, and watched while kernels come and go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.host.site import Site
from builder.workflows.render import render
from tests.lab.boots import Case, write_profile
from tests.lab.dom0 import Lab
from tests.lab.guest import ADDRESS

_APT = "DEBIAN_FRONTEND=noninteractive apt-get -q -y"
_READY = "cd /boot/xen && ls -1 --time-style=+%s -l vmlinuz-* 2>/dev/null | awk '{print $6, $7, $5}'"


def hook_files(folder: Path) -> dict[str, str]:
    """domu's kernel hook for PV guests, as its preseed lays it into an installed guest: path to text."""
    case = Case("pv", "trixie", "pvgrub")
    write_profile(case, folder, ["console=hvc0"])
    scripts = render(Site(folder), case.name, "scripts", reveal=False)[0]
    parts = re.split(r"^==> (.*) <==\n", scripts, flags=re.MULTILINE)
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    hook, menu = files["/domu/pv-kernel/hook"], files["/domu/pv-kernel/menu"]
    return {
        "etc/kernel/postinst.d/domu-pv-kernel": hook,
        "etc/kernel/postrm.d/domu-pv-kernel": hook,
        "etc/grub.d/09_domu_pv": menu,
    }


def lay_hook(lab: Lab, files: Mapping[str, str]) -> str:
    """Put domu's kernel hook into the running guest and run it as its late command does; what it printed."""
    for path, text in files.items():
        lab.write(f"/root/hook/{path}", text)
    lab.run(f"tar -c -C /root/hook . | ssh root@{ADDRESS} tar -x --no-same-owner -C /")
    modes = " ".join(f"/{path}" for path in files)
    hook = "/etc/kernel/postinst.d/domu-pv-kernel $(uname -r) /boot/vmlinuz-$(uname -r)"
    return lab.guest(ADDRESS, f"chmod 755 {modes} && {hook} && update-grub 2>&1; ls -l /boot/xen", limit=900)


@dataclass(frozen=True, slots=True)
class Kernels:
    """The kernels that the hook has made ready, by name: when, and how many bytes."""

    ready: dict[str, tuple[int, int]]
    entries: tuple[str, ...]  # the files that GRUB's menu for PV guests loads, in its order

    @classmethod
    def read(cls, lab: Lab) -> Kernels:
        lines = lab.guest(ADDRESS, _READY).splitlines()
        ready = {name: (int(when), int(size)) for when, name, size in map(str.split, lines)}
        menu = lab.guest(
            ADDRESS,
            "sed -n '/BEGIN.*09_domu_pv/,/END.*09_domu_pv/s/^[[:space:]]*linux[[:space:]]*//p' /boot/grub/grub.cfg",
        )
        return cls(ready, tuple(line.split()[0] for line in menu.splitlines()))


def quicken_initramfs(lab: Lab) -> None:
    """Only the modules that are in use, lightly packed: with all of them an initrd takes five minutes here."""
    lab.guest(ADDRESS, "printf 'MODULES=dep\\nCOMPRESS=gzip\\nCOMPRESSLEVEL=1\\n' >/etc/initramfs-tools/conf.d/lab")


def reinstall_kernel(lab: Lab) -> str:
    """As an upgrade runs the hook; what apt and the hook print."""
    return lab.guest(
        ADDRESS, f"{_APT} update >/dev/null; {_APT} install --reinstall linux-image-$(uname -r) 2>&1", limit=1800
    )


def install_other_kernel(lab: Lab) -> str:
    """Debian's kernel for clouds, of the same version, without an initrd: it is not booted. Its version."""
    name = lab.guest(
        ADDRESS, "apt-cache depends --important linux-image-cloud-amd64 | awk '/Depends: linux-image/{print $2}'"
    ).strip()
    lab.guest(ADDRESS, f"INITRD=No {_APT} install --no-install-recommends {name} 2>&1", limit=1800)
    return name.removeprefix("linux-image-")


def remove_kernel(lab: Lab, version: str) -> str:
    """Purged, as autoremove does it."""
    return lab.guest(ADDRESS, f"{_APT} purge linux-image-{version} 2>&1", limit=900)
