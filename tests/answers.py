"""The answer of a guest that is all as its profile says, and its domain; tests change one thing in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from builder.plan.verify.answer import read_facts
from builder.plan.verify.facts import GuestFacts
from builder.plan.verify.script import BEGIN, END, SECTIONS
from builder.profile.model import Guest
from builder.profile.private_key import PublicKey
from builder.units import Size
from builder.xen.domain_config import DomainConfig, DomainDisk, DomainNic
from builder.xen.readings import Domain, DomainState
from tests.guests import HASH

# Public halves that ssh-keygen made, and their fingerprints by it.
ADMIN_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfW8EuEKb2VCqmubrN/ACJB7LqwB5FhML94uNY4n39i nobody@example.org"
ADMIN = "SHA256:FaKYc2LHBeUnBTXPIFvF+64DsGqED+R9FpuyWn1FxmA"
OTHER = "SHA256:VB7lJkRAqu6fcGZsCxpty46M8ka1xa3d3u5kmVAF2yt"
HOST_KEY = PublicKey("ed25519", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDgAdfC0NJ6496qIKrZTx3uLa+MDVLzhRseHJ/W6Gm+V")
KERNEL = "6.12.48+deb13-amd64"
PROFILE: Mapping[str, Any] = {
    "name": "web1",
    "suite": "trixie",
    "type": "pv",
    "memory": "1G",
    "vcpus": 2,
    "volume_group": "vg0",
    "domain": "example.org",
    "dns": ["192.0.2.53"],
    "nics": [
        {
            "bridge": "xenbr0",
            "mac": "00:16:3e:00:00:01",
            "ipv4": {"address": "192.0.2.10/24", "gateway": "192.0.2.1"},
            "ipv6": {"address": "2001:db8::10/64", "gateway": "fe80::1"},
        }
    ],
    "disk": {
        "size": "4G",
        "partitions": [
            {"mount": "/", "minimum": "2G", "maximum": "unlimited"},
            {"mount": "swap", "minimum": "256M", "maximum": "512M"},
        ],
    },
    "volumes": [{"name": "srv", "size": "10G", "mount": "/srv", "filesystem": "ext4"}],
    "timezone": "Europe/Berlin",
    "locale": "de_DE.UTF-8",
    "packages": ["nginx"],
    "ssh_keys": [ADMIN_KEY],
    "users": [{"name": "alex", "sudo": True, "password": HASH}],
    "kernel_args": ["elevator=noop"],
}


def same_guest(**more: Any) -> Guest:
    """The guest that these answers are of."""
    return Guest.model_validate({**PROFILE, **more})


ADDRESS: list[dict[str, Any]] = [
    {"ifname": "lo", "address": "00:00:00:00:00:00", "addr_info": []},
    {
        "ifname": "enX0",
        "address": "00:16:3e:00:00:01",
        "addr_info": [
            {"family": "inet", "local": "192.0.2.10", "prefixlen": 24, "scope": "global"},
            {"family": "inet6", "local": "2001:db8::10", "prefixlen": 64, "scope": "global"},
            {"family": "inet6", "local": "fe80::216:3eff:fe00:1", "prefixlen": 64, "scope": "link"},
        ],
    },
]
SAME: Mapping[str, str] = {
    "kernel": f"Linux {KERNEL} x86_64",
    "system": "suite=trixie\narch=amd64",
    "hypervisor": f"type=xen\nguest_type=PV\nuuid={same_guest().domain_uuid}",
    "drivers": "enX0 vif\nxvda vbd\nxvdb vbd",
    "memory": "983040",
    "vcpus": "0-1",
    "disks": "disk xvda 8388608 dos\npart xvda1 7800000 xvda\npart xvda5 500000 xvda\ndisk xvdb 20971520 -",
    "mounts": "1 0 202:1 / / rw,relatime - ext4 /dev/xvda1 rw\n2 1 202:16 / /srv rw,relatime - ext4 /dev/xvdb rw",
    "swaps": "Filename\tType\tSize\tUsed\tPriority\n/dev/xvda5 partition 249996 0 -2",
    "entries": "20 /\n3 /srv",
    "addresses": json.dumps(ADDRESS),
    "routes4": json.dumps([{"dst": "default", "gateway": "192.0.2.1", "dev": "enX0", "flags": ["onlink"]}]),
    "routes6": json.dumps([{"dst": "default", "gateway": "fe80::1", "dev": "enX0", "metric": 1024}]),
    "resolver": "192.0.2.53",
    "names": "host=web1\nfqdn=web1.example.org",
    "timezone": "/usr/share/zoneinfo/Europe/Berlin",
    "locale": "de_DE.UTF-8",
    "accounts": "root:0:/root:/bin/bash\nalex:1000:/home/alex:/bin/bash",
    "passwords": "root:locked\nbin:locked\nalex:set",
    "sudoers": "alex",
    "keys": f"root {ADMIN}\nalex {ADMIN}",
    "packages": "\n".join(
        f"ii {name} 1.0" for name in ("dpkg", "nginx", "openssh-server", "sudo", "zstd", "grub-xen", "libc6")
    ),
    "arguments": f"BOOT_IMAGE=/boot/xen/vmlinuz-{KERNEL} root=/dev/xvda1 ro console=hvc0 elevator=noop quiet",
    "boot": f"kernel {KERNEL}\nready {KERNEL}\nmenu {KERNEL}\nhook /etc/kernel/postinst.d/domu-pv-kernel\n"
    "hook /etc/kernel/postrm.d/domu-pv-kernel\nhook /etc/grub.d/09_domu_pv\ncore pvboot-x86_64.elf",
    "hostkeys": f"600 0 {HOST_KEY.fingerprint} used /etc/ssh/ssh_host_ed25519_key",
    "late": "steps 9",
    "units": "state running",
}


def answer(changes: Mapping[str, str | None] | None = None, status: Mapping[str, int] | None = None) -> bytes:
    """What the guest prints, with some sections changed; None leaves one out."""
    texts = {**SAME, **(changes or {})}
    lines = [BEGIN]
    for name in SECTIONS:
        if (text := texts[name]) is not None:
            lines += [f"[{name} {(status or {}).get(name, 0)}", *(f" {line}" for line in text.splitlines())]
    return "\n".join([*lines, END, ""]).encode("utf-8", "surrogateescape")


def facts(changes: Mapping[str, str | None] | None = None) -> GuestFacts:
    return read_facts(answer(changes))


def same_domain(**changes: Any) -> Domain:
    """The guest's domain; changes of what `xl list` shows in its table are the domain's, all others its config's."""
    guest = same_guest()
    config = DomainConfig(
        name="web1",
        uuid=guest.domain_uuid,
        kind="pv",
        memory=Size.parse("1G"),
        max_memory=Size.parse("1G"),
        vcpus=2,
        kernel="/usr/lib/grub-xen/grub-x86_64-xen.bin",
        ramdisk="",
        command_line="",
        bootloader="",
        disks=(
            DomainDisk("xvda", "/dev/vg0/web1-disk", writable=True),
            DomainDisk("xvdb", "/dev/vg0/web1-srv", writable=True),
        ),
        nics=(DomainNic("00:16:3e:00:00:01", bridge="xenbr0", vif="web1.0"),),
        on_poweroff="destroy",
        on_reboot="restart",
        on_crash="restart",
    )
    domain = Domain("web1", 5, Size.parse("1G"), 2, DomainState(blocked=True), 10.0, guest.domain_uuid, config)
    own = {name: changes.pop(name) for name in ("name", "uuid", "memory", "state", "config") if name in changes}
    return replace(domain, **{"config": replace(config, **changes), **own})
