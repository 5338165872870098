"""Real texts of a dom0's tools, recorded for the tests of what reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.lab.dom0 import VOLUME_GROUP, Lab, LabError
from tests.lab.guest import ARGUMENTS, GuestDisk

HOST: dict[str, str] = {
    "xl-info": "xl info",
    "xl-info-n": "xl info -n",
    "xl-uptime": "xl uptime",
    "xl-cpupool-list": "xl cpupool-list",
    "vgs": "vgs --reportformat json -a",
    "lvs": "lvs --reportformat json -a",
    "pvs": "pvs --reportformat json -a",
    "vgs-all": "vgs --reportformat json --units b --nosuffix -o vg_all",
    "lvs-all": "lvs --reportformat json --units b --nosuffix -a -o lv_all,seg_all",
    "pvs-all": "pvs --reportformat json --units b --nosuffix -a -o pv_all",
}
DOMAINS: dict[str, str] = {
    "xl-list": "xl list",
    "xl-list-v": "xl list -v",
    "xl-list-l": "xl list -l",
    "xl-vcpu-list": "xl vcpu-list",
}
GUEST: dict[str, str] = {
    "xl-network-list": "xl network-list {guest}",
    "xl-block-list": "xl block-list {guest}",
    "xl-list-l-one": "xl list -l {guest}",
    "xl-domid": "xl domid {guest}",
    "xenstore": "xenstore-ls -f /local/domain/$(xl domid {guest})",
}


class Recorder:
    """Writes each text into a folder, `STATE.NAME.txt`; a command that fails has its status and error in the text."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._lab, self._folder = lab, folder
        folder.mkdir(parents=True, exist_ok=True)

    def record(self, state: str, commands: Mapping[str, str], guest: str = "") -> None:
        for name, command in commands.items():
            answer = self._lab.ask(command.format(guest=guest))
            text = answer.out
            if answer.status:
                text += f"{answer.err}(exit status {answer.status})\n"
            (self._folder / f"{state}.{name}.txt").write_text(text)


@contextmanager
def volumes_of_all_kinds(lab: Lab) -> Iterator[None]:
    """Thin pool, thin volume, snapshot, tags, an open and a mounted volume; removed again."""
    group = VOLUME_GROUP
    lab.run(
        f"lvcreate -q -y -L 64M -n plain {group}; lvcreate -q -y -L 64M --addtag domu --addtag guest=web1 -n tagged {group};"
        f"lvcreate -q -y --type thin-pool -L 128M -n pool {group}; lvcreate -q -y -V 256M -T {group}/pool -n thin;"
        f"lvcreate -q -y -s -L 32M -n snap {group}/plain; lvcreate -q -y -L 64M -n mounted {group};"
        f"mkfs.ext4 -q /dev/{group}/mounted; mkdir -p /mnt/lab; mount /dev/{group}/mounted /mnt/lab"
    )
    try:
        yield
    finally:
        lab.run(
            f"umount /mnt/lab; lvremove -q -y {group}/snap {group}/plain {group}/tagged {group}/mounted {group}/pool"
        )


def sample_config(name: str, guest: GuestDisk, kind: str, **more: str) -> str:
    """A config of ours for a guest that boots directly; `more` are further settings in xl's syntax."""
    settings = {
        "name": f'"{name}"',
        "type": f'"{kind}"',
        "memory": "512",
        "vcpus": "1",
        "cpus": '"1"',
        "kernel": f'"/root/{guest.suite}/vmlinuz"',
        "ramdisk": f'"/root/{guest.suite}/initrd.img"',
        "extra": f'"root=UUID={guest.uuid} ro {ARGUMENTS}"',
        "disk": f'["vdev=xvda,format=raw,access=rw,target=/dev/{VOLUME_GROUP}/{guest.volume}"]',
        "vif": '["mac=00:16:3e:00:00:50,bridge=xenbr0"]',
        "on_poweroff": '"destroy"',
        "on_reboot": '"destroy"',
        "on_crash": '"destroy"',
        **more,
    }
    return "".join(f"{key} = {value}\n" for key, value in settings.items())


def record_texts(lab: Lab, guest: GuestDisk, folder: Path) -> None:
    """All states: dom0 alone, a guest paused at its creation, running, paused, being created, shut down."""
    recorder = Recorder(lab, folder)
    recorder.record("alone", {**HOST, **DOMAINS})
    with volumes_of_all_kinds(lab):
        recorder.record(
            "volumes", {name: HOST[name] for name in ("vgs", "lvs", "pvs", "vgs-all", "lvs-all", "pvs-all")}
        )
    lab.copy(guest.folder, f"/root/{guest.suite}", ["vmlinuz", "initrd.img"])
    lab.write("/root/texts.cfg", sample_config("web1", guest, "pv"))
    lab.run("xl create -q -p /root/texts.cfg")
    recorder.record("created-paused", DOMAINS | GUEST, "web1")
    lab.run("xl unpause web1; sleep 20")
    recorder.record("running", DOMAINS | GUEST | {"xl-info": "xl info"}, "web1")
    recorder.record("running", {"lvs-all": HOST["lvs-all"]})
    lab.run("xl pause web1")
    recorder.record("paused", DOMAINS, "web1")
    lab.run("xl unpause web1; xl destroy web1")
    recorder.record(
        "refused", {"xl-domid": "xl domid web1", "xl-list-l-one": "xl list -l web1", "xl-list-one": "xl list web1"}
    )
    _while_being_created(lab, guest, recorder)
    _kinds(lab, guest, recorder)


def _while_being_created(lab: Lab, guest: GuestDisk, recorder: Recorder) -> None:
    """xl create waits for the hotplug script of a disk that takes its time."""
    slow = '#!/bin/sh\n[ "$1" = add ] && sleep 25\nexec /etc/xen/scripts/block "$@"\n'
    lab.write("/etc/xen/scripts/block-slow", slow)
    disk = f'["vdev=xvda,format=raw,access=rw,script=block-slow,target=/dev/{VOLUME_GROUP}/{guest.volume}"]'
    lab.write("/root/slow.cfg", sample_config("slow1", guest, "pv", disk=disk))
    lab.run("chmod +x /etc/xen/scripts/block-slow; (xl create -q /root/slow.cfg >/root/slow.out 2>&1 &) ; sleep 6")
    recorder.record("being-created", DOMAINS, "slow1")
    lab.run("sleep 30; xl destroy slow1; true")


def _kinds(lab: Lab, guest: GuestDisk, recorder: Recorder) -> None:
    """PVH beside PV, an own name with odd signs, and a domain that crashed and is kept."""
    lab.write("/root/pvh.cfg", sample_config("pvh-1.example", guest, "pvh", memory="300", maxmem="400", vcpus="1"))
    lab.run("xl create -q -p /root/pvh.cfg")
    recorder.record("pvh-paused", DOMAINS | GUEST, "pvh-1.example")
    lab.run("xl destroy pvh-1.example")
    # Without an initrd its kernel panics for want of a root.
    crash = sample_config("crashed1", guest, "pv", extra='"root=/dev/none console=hvc0"', on_crash='"preserve"')
    crash = "".join(line for line in crash.splitlines(keepends=True) if not line.startswith("ramdisk"))
    lab.write("/root/crash.cfg", crash)
    lab.run("xl create -q /root/crash.cfg")
    for _ in range(60):
        if "c" in lab.run("xl list crashed1").split()[-2]:
            break
        lab.run("sleep 2")
    else:
        raise LabError("the guest that should crash has not")
    recorder.record("crashed", DOMAINS, "crashed1")
    lab.run("xl destroy crashed1")
