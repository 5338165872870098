"""Every check, right, wrong and unknown: a made-up dom0 with one thing changed, read and judged as a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builder.host.network.journal import Phase, Trial
from builder.profile.dom0 import Dom0
from builder.profile.model import Guest
from builder.units import Size
from builder.xen.change import Applied, Seen
from builder.xen.doctor.check import Diagnosis, examine
from builder.xen.doctor.checks import CHECKS
from builder.xen.doctor.fact import Fact, Known, Unknown
from builder.xen.doctor.facts import Cacher, Dom0Facts, Hoard, Skew
from builder.xen.doctor.needs import DEBIAN_KEYRING, Needs, needs_of
from builder.xen.live import Live
from builder.xen.network.plan import plan_network
from tests.dom0s import (
    BOTH,
    GIB,
    NOW,
    WITHOUT_XEN,
    XENDOMAINS,
    MadeUp,
    archive_key,
    good_dom0,
    guest_config,
    info,
    keyring,
    ruleset,
)
from tests.guests import SMALL
from tests.lvm_reports import lv, pool, pv, report, text, vg
from tests.xl import DOM0, LONG_HEAD, row

Change = Callable[[MadeUp], object]


def guest(name: str = "web1", **more: object) -> Guest:
    return Guest.model_validate({**SMALL, "name": name, "disk": {"size": "10G"}, **more})


def needs(*guests: Guest, unsound: tuple[str, ...] = (), **dom0: object) -> Needs:
    """As of a site with these guests, each with a disk of 10 GiB, and with this dom0.yaml."""
    return needs_of("/srv/site", guests, unsound, Dom0.model_validate(dom0))


WEB1 = needs(guest())
PVH = needs(guest(type="pvh"))
ROUTED = {"mode": "routed", "ipv4": {"address": "192.0.2.10/32", "gateway": "192.0.2.1"}}
ROUTED_NEEDS = needs(guest(nics=[ROUTED]))
NAT_NEEDS = needs(guest(nics=[{"mode": "nat", "bridge": "xenbr0"}]))
OURS = lv("web1-disk", 2560, lv_tags="domu,domu.disk,domu.guest=web1")
SMALLER = {"lv_size": str(1000 << 22)}
AUTO1 = needs(guest(autostart=True))
AUTO2 = needs(guest(autostart=True, start_after=["db1"]), guest("db1", autostart=True))
OWN_KEYS = needs(guest(keyring="keys/lab.gpg"))
TWO = needs(guest(), guest("db1"))


def planned(**network: object) -> Needs:
    """As of a site whose dom0.yaml has one network, with web1 on it."""
    mode = str(network.get("mode", "bridge"))
    nic = {"mode": mode, "bridge": "xenbr0"} if mode != "nat" else NAT_NIC
    one = guest(nics=[nic])
    plan = plan_network(Dom0.model_validate({"networks": [{"name": "xenbr0", **network}]}), [one])
    return replace(needs(one), network=plan)


def as_planned(wanted: Needs) -> Change:
    """The plan's files and kernel settings are there."""

    def change(made: MadeUp) -> None:
        for path, content in wanted.network_files.items():
            made.write(path, content)
        for one in wanted.sysctls:
            if not one.optional:
                made.write(f"/proc/sys/{one.name}", f"{one.value}\n")

    return change


def trial(phase: Phase, boot: str) -> Change:
    """`domu network` has begun a change, and this boot is 1-2."""
    nothing = Seen(Live({}, frozenset()), {}, {})
    begun = Trial("ab12", phase, boot, 60, frozenset(), nothing, "", Applied())

    def change(made: MadeUp) -> None:
        made.write("/proc/sys/kernel/random/boot_id", "1-2\n")
        made.write(TRIAL, json.dumps(begun.to_data()))

    return change


TRIAL = "/var/lib/domu/network/trial.json"
NAT_NIC = {"mode": "nat", "bridge": "xenbr0", "ipv4": {"address": "10.0.0.2/24", "gateway": "10.0.0.1"}}
NAT_PLAN = planned(mode="nat", addresses=["10.0.0.1/24"])
SWITCH = planned(kind="openvswitch", ports=["eth0"])


def unreadable(made: MadeUp) -> None:
    made.remove("/proc/sys/net/ipv6/conf/all/forwarding")
    (made.root / "proc/sys/net/ipv6/conf/all/forwarding").mkdir()


def no_bridge_to_the_kernel(made: MadeUp) -> None:
    (made.root / "sys/class/net/xenbr0/bridge").rmdir()


def diagnose(
    made: MadeUp, wanted: Needs = WEB1, more: Callable[[Dom0Facts], Dom0Facts] | None = None
) -> list[Diagnosis]:
    facts = replace(
        made.facts(wanted),
        cachers=Known(()),
        skew=Known(Skew(0.4, "mirror.example.org")),
        newest_release=Known(NOW - timedelta(days=1)),
    )
    return list(examine(more(facts) if more else facts, wanted, CHECKS))


def without_xen(made: MadeUp) -> None:
    made.remove("/sys/hypervisor/type")
    made.remove("/proc/xen/capabilities")


def plain(made: MadeUp) -> None:
    without_xen(made)
    made.remove("/boot/xen-4.17-amd64.gz")


def no_daemon_log(made: MadeUp) -> None:
    made.write("/etc/default/xen", "XENCONSOLED_TRACE=guest\n")
    made.runs(*BOTH, arguments=())


def all_of(*changes: Change) -> Change:
    def change(made: MadeUp) -> None:
        for one in changes:
            one(made)

    return change


def no_consoles(made: MadeUp) -> None:
    made.remove("/var/log/xen/console/guest-web1.log")
    (made.root / "var/log/xen/console").rmdir()


def twice_linked(made: MadeUp) -> None:
    made.link("/etc/xen/auto/020-web1.cfg", "../web1.cfg")


def db1_last(made: MadeUp) -> None:
    made.write("/etc/xen/db1.cfg", guest_config("db1"))
    made.link("/etc/xen/auto/020-db1.cfg", "../db1.cfg")


def auto_is_closed(made: MadeUp) -> None:
    made.remove("/etc/xen/auto/010-web1.cfg")
    (made.root / "etc/xen/auto").rmdir()
    made.link("/etc/xen/auto", "auto")  # round and round


def hostile_names(made: MadeUp) -> None:
    made.link("/etc/xen/auto/\x1b[31m.cfg", "/etc/xen/gone.cfg")


def saves(made: MadeUp) -> None:
    made.write("/etc/default/xendomains", "XENDOMAINS_SAVE=/var/lib/xen/save\n")


Row = tuple[str, str, Change, Needs, str]
ROWS: list[Row] = [
    # code, verdict, what is changed, needs, what the answer says
    ("D101", "ok", lambda _: None, WEB1, "this is Domain-0"),
    ("D101", "wrong", without_xen, WEB1, "Xen is installed (xen-4.17-amd64.gz) and does not run"),
    ("D101", "wrong", lambda d: d.write("/proc/xen/capabilities", ""), WEB1, "a guest of Xen, not its Domain-0"),
    ("D101", "warn", plain, WEB1, "this is no dom0"),
    ("D101", "warn", all_of(plain, lambda d: d.write("/sys/hypervisor/type", "kvm\n")), WEB1, "this is no dom0"),
    ("D101", "unknown", lambda d: d.remove("/proc/xen/capabilities"), WEB1, "neither /proc/xen/capabilities nor"),
    ("D102", "ok", lambda _: None, WEB1, "GRUB starts 'Debian GNU/Linux, with Xen hypervisor' by default"),
    ("D102", "wrong", lambda d: d.write("/boot/grub/grub.cfg", WITHOUT_XEN), WEB1, "'Debian GNU/Linux' by default, without"),
    ("D102", "wrong", lambda d: d.write("/boot/grub/grub.cfg", "set default=0\n"), WEB1, "has no entry"),
    ("D102", "wrong", lambda d: d.write("/boot/grub/grub.cfg", WITHOUT_XEN.replace("/xen-", "/tool-")), WEB1, "no entry with Xen"),
    ("D102", "warn", lambda d: d.write("/boot/grub/grubenv", "next_entry=0\n####"), WEB1, "the next start alone is set to '0'"),
    ("D102", "warn", lambda d: d.write("/etc/default/grub.d/xen.cfg", "XEN_OVERRIDE_GRUB_DEFAULT=0\n"), WEB1, "the next update-grub"),
    ("D102", "unknown", lambda d: d.remove("/boot/grub/grub.cfg"), WEB1, "there is no /boot/grub/grub.cfg"),
    ("D102", "unknown", lambda d: d.write("/boot/grub/grub.cfg", "menuentry 'x' {\n"), WEB1, "ends within a menu entry"),
    ("D103", "ok", lambda _: None, WEB1, "Xen 4.17.5 and xl of 4.17"),
    ("D103", "wrong", lambda d: d.remove("/usr/lib/xen-4.17/bin/xl"), WEB1, "the tools of none are installed"),
    ("D103", "warn", lambda d: d.write("/usr/lib/xen-4.20/bin/xl"), WEB1, "Xen 4.20 is installed and 4.17 still runs"),
    ("D103", "ok", lambda _: None, needs(guest(), xen="4.17"), "Xen 4.17.5 and xl of 4.17"),
    ("D103", "warn", lambda _: None, needs(guest(), xen="4.20"), "Xen 4.17 runs, and dom0.yaml says 4.20"),
    ("D103", "unknown", lambda d: d.fails("xl info", "libxl: error: odd"), WEB1, "libxl: error: odd"),
    ("D103", "unknown", without_xen, WEB1, "it says nothing where no Xen runs"),
    ("D104", "ok", lambda _: None, WEB1, "oxenstored and xenconsoled run, and xl lists 1 domain"),
    ("D104", "wrong", all_of(lambda d: d.runs("xenconsoled"), lambda d: d.fails("xl list --verbose", "xenstore: no")), WEB1, "no xenstored runs"),
    ("D104", "wrong", lambda d: d.runs("oxenstored"), WEB1, "xenconsoled does not run"),
    ("D104", "ok", lambda d: d.runs("xenconsoled"), WEB1, "xenstore in a domain of its own"),
    ("D104", "unknown", lambda d: d.fails("xl list --verbose", "permission denied"), WEB1, "root only"),
    ("D105", "ok", lambda _: None, WEB1, "the toolstack is xl"),
    ("D105", "wrong", lambda d: d.write("/etc/default/xen", "TOOLSTACK=xm\n"), WEB1, "TOOLSTACK is 'xm'"),
    ("D105", "unknown", lambda d: d.remove("/etc/default/xen"), WEB1, "there is no /etc/default/xen"),
    ("D106", "ok", lambda _: None, WEB1, "1 guest of 1.0 GiB in all, and 4.9 GiB for them"),
    ("D106", "ok", all_of(lambda d: d.memory(4096, 1000), lambda d: d.says("xl list --verbose", LONG_HEAD + DOM0 + row("web1"))), WEB1, "1.5 GiB for them"),
    ("D106", "wrong", lambda d: d.memory(4096, 700), WEB1, "326.0 MiB are missing to run all at once"),
    ("D106", "warn", lambda d: d.memory(4096, 1100), WEB1, "nothing is left for the memory of an installation"),
    ("D106", "ok", lambda _: None, Needs(), "4.9 GiB of 8.0 GiB are free for guests"),
    ("D106", "unknown", lambda d: d.says("xl info", "garbage\n"), WEB1, "not understood"),
    ("D107", "ok", lambda _: None, WEB1, "dom0_mem=2G,max:2G"),
    ("D107", "warn", lambda d: d.memory(8192, 5000, line="placeholder"), WEB1, "no dom0_mem= on Xen's command line"),
    ("D107", "warn", lambda d: d.memory(8192, 5000, line="dom0_mem=2G"), WEB1, "has no max:"),
    ("D107", "warn", lambda d: d.write("/etc/xen/xl.conf", "autoballoon=on\n"), WEB1, "autoballoon in xl.conf takes memory"),
    ("D107", "ok", lambda _: None, needs(guest(), memory="2G"), "dom0_mem=2G,max:2G"),
    ("D107", "ok", lambda d: d.memory(8192, 5000, line="dom0_mem=2097152,max:2g"), needs(guest(), memory="2G"), "memory of its own"),
    ("D107", "warn", lambda _: None, needs(guest(), memory="4G"), "dom0 has dom0_mem=2G,max:2G, and dom0.yaml says 4G"),
    ("D107", "unknown", lambda d: d.fails("xl info", "Permission denied"), WEB1, "root only"),
    ("D108", "ok", lambda _: None, PVH, "gnttab-v1 gnttab-v2 hap hvm pv shadow"),
    ("D108", "wrong", lambda d: d.says("xl info", info(virt_caps="pv")), PVH, "no pvh guests, as are web1 (pvh)"),
    ("D108", "unknown", lambda d: d.fails("xl info", "Permission denied"), PVH, "root only"),
    ("D109", "ok", lambda _: None, PVH, "guests can be started: web1 by pvhgrub"),
    ("D109", "ok", lambda _: None, WEB1, "guests can be started: web1 by pvgrub"),
    ("D109", "ok", lambda _: None, Needs(), "here for starting guests: pvgrub, pvhgrub, pygrub, hvm"),
    ("D109", "wrong", lambda d: d.remove("/usr/lib/grub-xen/grub-i386-xen_pvh.bin"), PVH, "dom0 has no GRUB for PVH guests"),
    ("D109", "wrong", lambda d: d.remove("/usr/bin/pygrub"), needs(guest(bootloader="pygrub", dom0_reads_disk=True)), "dom0 has no pygrub"),
    ("D109", "wrong", lambda _: None, needs(guest(type="hvm")), "dom0 has no QEMU"),
    ("D109", "wrong", lambda _: None, needs(guest(type="pvh", arch="arm64")), "auto knows no way"),
    ("D109", "unknown", without_xen, WEB1, "no Xen runs here"),
    ("D110", "ok", lambda _: None, WEB1, "15.6 GiB of 19.5 GiB free (4000 extents), 10.0 GiB for 1 volumes to make and 0 to grow"),
    ("D110", "ok", lambda d: d.says("lvm", text(report([OURS]))), WEB1, "0 B for 0 volumes to make and 0 to grow"),
    ("D110", "ok", lambda d: d.says("lvm", text(report([{**OURS, **SMALLER}]))), WEB1, "6.1 GiB for 0 volumes to make and 1 to grow"),
    ("D110", "wrong", lambda d: d.says("lvm", text(report([lv("web1-disk", 2560)]))), WEB1, "web1-disk"),
    ("D110", "wrong", lambda d: d.says("lvm", text(report(pvs=[pv(pv_pe_alloc_count="4000")]))), WEB1, "and this run needs 2560"),
    ("D110", "wrong", lambda d: d.says("lvm", text(report(group=vg("data")))), WEB1, "no volume group vg0 (for web1); the groups here are: data"),
    ("D110", "wrong", lambda d: d.says("lvm", text(report(), report())), WEB1, "two volume groups vg0"),
    ("D110", "wrong", lambda d: d.says("lvm", text(report(group=vg(vg_attr="rz--n-")))), WEB1, "is read-only"),
    ("D110", "wrong", lambda _: None, needs(guest(), guest("db1", disk={"size": "10G", "volume": "web1-disk"})), "wished for twice"),
    ("D110", "warn", lambda d: d.says("lvm", text(report([pool(data_percent="91.2")]))), WEB1, "vg0/thin is 91 % full"),
    ("D110", "warn", lambda d: d.says("lvm", text()), Needs(), "there is no volume group"),
    ("D110", "ok", lambda _: None, Needs(), "volume group vg0: 15.6 GiB free (4000 extents)"),
    ("D110", "unknown", lambda _: None, needs(guest(disk={"size": "1G"})), "the volumes of web1 cannot be sized"),
    ("D110", "unknown", lambda d: d.fails("lvm", "Permission denied"), WEB1, "LVM could not be read"),
    ("D111", "ok", lambda _: None, WEB1, "bridges are up: xenbr0"),
    ("D111", "wrong", lambda _: None, needs(guest(nics=[{"bridge": "xenbr7"}])), "there is no bridge xenbr7"),
    ("D111", "wrong", lambda d: d.write("/sys/class/net/eth1/flags", "0x1003"), needs(guest(nics=[{"bridge": "eth1"}])), "eth1 is an interface, not a bridge"),
    ("D111", "wrong", lambda d: d.write("/sys/class/net/xenbr0/flags", "0x1002"), WEB1, "the bridge xenbr0 is down"),
    ("D111", "warn", lambda d: d.bridge("br1", "vif1.0"), needs(guest(nics=[{"bridge": "br1"}])), "br1 has no port outwards"),
    ("D111", "ok", lambda d: d.bridge("br1", "vif1.0"), needs(guest(nics=[{"mode": "nat", "bridge": "br1"}])), "br1"),
    ("D112", "ok", lambda _: None, WEB1, "no guest needs dom0 to forward"),
    ("D112", "wrong", lambda _: None, ROUTED_NEEDS, "IPv4 is not forwarded, and routed guests need it"),
    ("D112", "warn", lambda d: d.write("/proc/sys/net/ipv4/ip_forward", "1\n"), ROUTED_NEEDS, "IPv6 is not"),
    ("D111", "ok", no_bridge_to_the_kernel, SWITCH, "bridges are up: xenbr0"),
    ("D112", "wrong", lambda _: None, NAT_PLAN, "net/ipv4/ip_forward is 0, not 1"),
    ("D112", "ok", as_planned(NAT_PLAN), NAT_PLAN, "kernel settings are as the network plan has them"),
    ("D112", "unknown", unreadable, WEB1, "cannot be read"),
    ("D122", "ok", as_planned(NAT_PLAN), NAT_PLAN, "files of the network plan are installed"),
    ("D122", "ok", lambda _: None, WEB1, "profiles/dom0.yaml plans no networks"),
    ("D122", "wrong", lambda _: None, NAT_PLAN, "nothing of the plan in profiles/dom0.yaml is installed"),
    ("D122", "warn", all_of(as_planned(NAT_PLAN), lambda d: d.write("/etc/domu/network.nft", "")), NAT_PLAN, "not as planned: /etc/domu/network.nft"),
    ("D122", "warn", all_of(as_planned(NAT_PLAN), lambda d: d.remove("/etc/domu/network.nft")), NAT_PLAN, "missing: /etc/domu/network.nft"),
    ("D122", "warn", trial("waiting", "1-2"), WEB1, "change ab12 waits for its confirmation"),
    ("D122", "warn", trial("waiting", "another"), WEB1, "change ab12 of the network was interrupted"),
    ("D122", "warn", trial("applying", "1-2"), WEB1, "change ab12 of the network was interrupted"),
    ("D122", "unknown", lambda d: d.write(TRIAL, "{}"), WEB1, "is not what this version of domu writes"),
    ("D113", "ok", lambda d: d.says("nft", ruleset(("ip", "docker"))), WEB1, "tables of others: ip docker"),
    ("D113", "wrong", lambda _: None, NAT_NEEDS, "need a table of nftables that is not there"),
    ("D113", "ok", lambda d: d.says("nft", ruleset(("inet", "domu"))), NAT_NEEDS, "no tables of others"),
    ("D113", "warn", lambda d: d.says("nft", ruleset(("ip", "filter"), drops=True)), ROUTED_NEEDS, "ip filter drops what is forwarded"),
    ("D113", "unknown", lambda d: d.fails("nft", "Operation not permitted (you must be root)"), WEB1, "root only"),
    ("D113", "unknown", lambda d: d.says("nft", "{}"), WEB1, "something else than its JSON"),
    ("D114", "ok", lambda _: None, WEB1, "pass no rules"),
    ("D114", "ok", lambda d: d.write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0\n"), WEB1, "pass no rules"),
    ("D114", "warn", lambda d: d.write("/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n"), WEB1, "br_netfilter"),
    ("D115", "ok", lambda _: None, ROUTED_NEEDS, "vif-route"),
    ("D115", "wrong", lambda d: d.remove("/etc/xen/scripts/vif-bridge"), WEB1, "missing: /etc/xen/scripts/vif-bridge"),
    ("D115", "ok", lambda _: None, SWITCH, "vif scripts are here: vif-openvswitch"),
    ("D115", "wrong", lambda d: d.remove("/etc/xen/scripts/vif-openvswitch"), SWITCH, "missing: /etc/xen/scripts/vif-openvswitch"),
    ("D115", "unknown", lambda _: None, Needs(), "no guest has a vif"),
    ("D116", "ok", lambda _: None, WEB1, "starts after Xen's daemons and the network"),
    ("D116", "warn", lambda d: d.says("systemctl", XENDOMAINS.replace("generated", "disabled")), WEB1, "dom0's next stop kills"),
    ("D116", "warn", lambda d: d.says("systemctl", XENDOMAINS.replace("network-online.target ", "")), WEB1, "does not wait for network-online.target"),
    ("D116", "wrong", lambda d: d.says("systemctl", "LoadState=not-found\n"), WEB1, "there is no service xendomains"),
    ("D116", "unknown", lambda d: d.fails("systemctl", "Failed to connect to bus"), WEB1, "Failed to connect to bus"),
    ("D117", "ok", lambda _: None, AUTO1, "in this order: web1"),
    ("D117", "ok", lambda d: d.remove("/etc/xen/auto/010-web1.cfg"), WEB1, "in this order: none"),
    ("D117", "warn", lambda _: None, AUTO2, "db1 does not start with dom0, as autostart: true says (not installed yet: db1)"),
    ("D117", "warn", lambda _: None, WEB1, "web1: started with dom0, though autostart is false"),
    ("D117", "warn", db1_last, AUTO2, "which is db1, web1"),
    ("D117", "wrong", lambda d: d.remove("/etc/xen/web1.cfg"), WEB1, "010-web1.cfg leads to /etc/xen/web1.cfg"),
    ("D117", "wrong", hostile_names, WEB1, "which is no config"),
    ("D117", "warn", twice_linked, AUTO1, "web1 started twice"),
    ("D117", "unknown", auto_is_closed, WEB1, "/etc/xen/auto cannot be read"),
    ("D118", "ok", lambda _: None, WEB1, "shut down with dom0, not saved"),
    ("D118", "ok", saves, WEB1, "saved to /var/lib/xen/save"),
    ("D118", "warn", all_of(saves, lambda d: d.write("/var/lib/xen/save/web1")), WEB1, "woken after a rebuild"),
    ("D118", "warn", all_of(saves, lambda d: d.room(free=GIB // 2)), WEB1, "512.0 MiB are free there"),
    ("D119", "ok", lambda _: None, WEB1, "xenconsoled keeps guests' consoles in /var/log/xen/console"),
    ("D119", "ok", lambda d: d.runs(*BOTH, arguments=["--log", "all", "--log-dir=/srv/logs"]), WEB1, "/srv/logs"),
    ("D119", "warn", no_daemon_log, WEB1, "not kept in a log (XENCONSOLED_TRACE=guest is not read here)"),
    ("D119", "warn", lambda d: d.runs(*BOTH, arguments=()), WEB1, "after xenconsoled's next start only"),
    ("D119", "warn", lambda d: d.write("/etc/default/xen", ""), WEB1, "but not after its next start"),
    ("D120", "ok", lambda _: None, WEB1, "consoles' logs are rotated; 4.0 KiB in 1 file"),
    ("D120", "warn", lambda d: d.remove("/etc/logrotate.d/consoles"), WEB1, "nothing rotates /var/log/xen/console"),
    ("D120", "ok", no_consoles, WEB1, "there is no /var/log/xen/console"),
    ("D121", "ok", lambda _: None, WEB1, "no core of a crashed guest"),
    ("D121", "warn", lambda d: d.write("/var/lib/xen/dump/web1.core", b"x" * 5000), WEB1, "1 cores of crashed guests"),
    ("D123", "ok", lambda _: None, WEB1, "this is Debian GNU/Linux 12 (bookworm)"),
    ("D123", "ok", lambda _: None, needs(guest(), suite="bookworm"), "this is Debian GNU/Linux 12 (bookworm)"),
    ("D123", "warn", lambda _: None, needs(guest(), suite="trixie"), "this is Debian GNU/Linux 12 (bookworm), and dom0.yaml says trixie"),
    ("D123", "warn", lambda d: d.write("/etc/os-release", "ID=ubuntu\nVERSION_CODENAME=noble\n"), WEB1, "this is noble, no Debian"),
    ("D123", "unknown", lambda d: d.write("/etc/os-release", "ID=arch\n"), WEB1, "names no release"),
    ("D123", "unknown", lambda d: d.remove("/etc/os-release"), WEB1, "there is no /etc/os-release"),
    ("D130", "ok", lambda _: None, TWO, "2 guests in /srv/site"),
    ("D130", "wrong", lambda _: None, needs(guest(), unsound=("db1",)), "left out, as their profiles have errors: db1"),
    ("D130", "unknown", lambda _: None, Needs(), "no site was named"),
    ("D131", "ok", lambda _: None, WEB1, "gpgv, ip, lvs, nft"),
    ("D131", "wrong", lambda d: d.remove("/usr/bin/nft"), WEB1, "of the packages nftables"),
    ("D131", "ok", lambda _: None, ROUTED_NEEDS, "gpgv, ifconfig, ip, lvs, nft"),
    ("D131", "wrong", lambda d: d.remove("/usr/bin/ovs-vsctl"), SWITCH, "of the packages openvswitch-switch"),
    ("D131", "wrong", lambda d: d.remove("/usr/bin/ifconfig"), ROUTED_NEEDS, "of the packages net-tools"),
    ("D132", "ok", lambda _: None, WEB1, "debian-archive-keyring (2023.3+deb12u2) has trixie's keys, good until 2029-05-11"),
    ("D132", "ok", lambda _: None, Needs(), "2 keys in debian-archive-keyring"),
    ("D132", "wrong", lambda d: d.remove(DEBIAN_KEYRING), WEB1, "there is no such file"),
    ("D132", "wrong", lambda d: d.write(DEBIAN_KEYRING, "?"), WEB1, "no OpenPGP keyring"),
    ("D132", "wrong", lambda d: d.write(DEBIAN_KEYRING, keyring(archive_key("bookworm"))), WEB1, "has no key of trixie"),
    ("D132", "wrong", lambda d: d.write(DEBIAN_KEYRING, keyring(archive_key("trixie"), ends=NOW)), WEB1, "have ended: 2026-11-23"),
    ("D132", "warn", lambda d: d.write(DEBIAN_KEYRING, keyring(archive_key("trixie"), ends=NOW + timedelta(30))), WEB1, "expires on 2026-12-23"),
    ("D132", "ok", lambda d: d.write(DEBIAN_KEYRING, keyring(archive_key("trixie"))), WEB1, "has trixie's keys, good"),
    ("D132", "ok", lambda d: d.write("/srv/site/keys/lab.gpg", keyring("Lab")), OWN_KEYS, "/srv/site/keys/lab.gpg: 1 of 1 keys are good"),
    ("D132", "wrong", lambda d: d.write("/srv/site/keys/lab.gpg", keyring("Lab", ends=NOW)), OWN_KEYS, "every key has expired"),
    ("D132", "wrong", lambda _: None, OWN_KEYS, "/srv/site/keys/lab.gpg: there is no such file"),
    ("D134", "ok", lambda _: None, WEB1, "the clock is set by NTP"),
    ("D134", "warn", lambda d: d.says("timedatectl", "CanNTP=no\nNTPSynchronized=no\n"), WEB1, "no service for it is here"),
    ("D134", "warn", lambda d: d.says("timedatectl", "CanNTP=yes\nNTPSynchronized=no\n"), WEB1, "though a service for it is here"),
    ("D120", "warn", lambda d: d.remove("/usr/bin/logrotate"), WEB1, "nothing rotates /var/log/xen/console"),
    ("D134", "unknown", lambda d: d.says("timedatectl", "CanNTP=maybe\n"), WEB1, "not understood"),
    ("D134", "unknown", lambda d: d.outputs.pop("timedatectl show"), WEB1, "'timedatectl' is not installed"),
    ("D135", "ok", lambda _: None, WEB1, "cache: 20.0 GiB free for /srv/site/cache (not made yet)"),
    ("D135", "warn", lambda d: d.room(free=GIB), WEB1, "less than 2.0 GiB"),
    ("D135", "unknown", lambda d: d.says("df", "?\n"), WEB1, "df says of"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]} {row[1]}: {row[4][:40]}" for row in ROWS])
def test_a_dom0_with_one_thing_changed(tmp_path: Path, row: Row) -> None:
    code, verdict, change, wanted, says = row
    made = good_dom0(tmp_path)
    change(made)
    seen = [(one.verdict.word, one.message) for one in diagnose(made, wanted) if one.code == code]
    assert any(word == verdict and says in message for word, message in seen), seen


def told(**facts: object) -> Callable[[Dom0Facts], Dom0Facts]:
    return lambda old: replace(old, **facts)  # type: ignore[arg-type]  # the tables below name real fields


CACHER = Cacher("http://127.0.0.1:3142", "Debian Apt-Cacher NG/3.7.4", "fetched 1 MiB", 200, "OK", here=True)
HOARD = Hoard("/var/cache/apt-cacher-ng", 12, Size.parse("3G"), NOW - timedelta(days=90), NOW)


def cachers(*found: Cacher, hoard: Fact[Hoard | None] = Known(HOARD)) -> Callable[[Dom0Facts], Dom0Facts]:  # noqa: B008  # frozen
    return told(cachers=Known(found), cacher_hoard=hoard)


@pytest.mark.parametrize(
    ("code", "verdict", "change", "says"),
    [
        ("D133", "ok", told(cachers=Known(()), no_cacher="the profiles say proxy: none"), "proxy: none"),
        ("D133", "ok", cachers(CACHER), "fetches from the mirror; http://127.0.0.1:3142/acng-report.html: fetched 1 MiB"),
        ("D133", "ok", cachers(CACHER), "keeps 3.0 GiB in 12 files of 2026-08-25 to 2026-11-23"),
        ("D133", "wrong", cachers(replace(CACHER, server="")), "nothing answers at http://127.0.0.1:3142"),
        ("D133", "warn", cachers(replace(CACHER, server="nginx")), "answers nginx, no apt-cacher"),
        ("D133", "ok", cachers(replace(CACHER, report="")), "its report page is off"),
        ("D133", "wrong", cachers(replace(CACHER, status=503, said="DNS error")), "does not fetch from the mirror: 503 DNS error"),
        ("D133", "ok", cachers(replace(CACHER, status=None)), "the mirror is https"),
        ("D133", "unknown", told(cachers=Unknown("no mirror")), "no mirror"),
        ("D133", "unknown", cachers(CACHER, hoard=Unknown("cannot be read")), "cannot be read"),
        ("D134", "ok", told(), "agrees with mirror.example.org (0 s)"),
        ("D134", "warn", told(skew=Known(Skew(45.0, "mirror.example.org"))), "45 s ahead"),
        ("D134", "wrong", told(skew=Known(Skew(-90_000.0, "mirror.example.org"))), "90000 s behind"),
        ("D134", "unknown", told(skew=Unknown("no web address")), "whether the clock is right: no web address"),
        ("D134", "wrong", told(newest_release=Known(NOW + timedelta(days=2))), "a Release of 2026-11-25 was seen"),
    ],
)  # fmt: skip
def test_facts_that_the_network_told(
    tmp_path: Path, code: str, verdict: str, change: Callable[[Dom0Facts], Dom0Facts], says: str
) -> None:
    seen = [(one.verdict.word, one.message) for one in diagnose(good_dom0(tmp_path), more=change) if one.code == code]
    assert any(word == verdict and says in message for word, message in seen), seen


def test_the_good_dom0_has_nothing_to_mend(tmp_path: Path) -> None:
    seen = [one for one in diagnose(good_dom0(tmp_path), AUTO1) if one.verdict.word != "ok"]
    assert seen == []


def test_every_check_has_rows_that_are_right_and_not_right() -> None:
    tested = {(row[0], row[1]) for row in ROWS} | {("D133", "ok"), ("D133", "wrong")}
    for check in CHECKS:
        assert (check.code, "ok") in tested
        assert {(check.code, "wrong"), (check.code, "warn")} & tested


def test_without_xen_only_what_building_needs_is_judged(tmp_path: Path) -> None:
    made = good_dom0(tmp_path)
    plain(made)
    for one in diagnose(made):
        assert one.verdict.word == "unknown" if "D102" <= one.code <= "D122" else True
    assert not [one for one in diagnose(made) if one.verdict.word == "wrong"]


def test_whoever_is_not_root_is_told_to_be(tmp_path: Path) -> None:
    made = good_dom0(tmp_path)
    made.fails("xl list --verbose", "libxl: Permission denied")
    (one,) = [one for one in diagnose(made, more=told(is_root=False)) if one.code == "D104"]
    assert one.mend == ("sudo domu doctor",)


def test_links_that_start_guests_are_read_below_the_root(tmp_path: Path) -> None:
    made = good_dom0(tmp_path)
    made.write("/etc/xen/db1.cfg", guest_config("db1"))
    made.link("/etc/xen/auto/005-db1.cfg", "../db1.cfg")
    (one,) = [one for one in diagnose(made, AUTO2) if one.code == "D117"]
    assert one.message.endswith("in this order: db1, web1")


def test_a_link_that_is_missing_is_made_by_the_line_to_paste(tmp_path: Path) -> None:
    made = good_dom0(tmp_path)
    made.write("/var/lib/domu/db1/db1.cfg", guest_config("db1"))
    (one,) = [one for one in diagnose(made, AUTO2) if one.code == "D117" and one.mend]
    assert one.mend == ("mkdir -p /etc/xen/auto; ln -s /var/lib/domu/db1/db1.cfg /etc/xen/auto/010-db1.cfg",)
