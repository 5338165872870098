"""Xen and a Debian dom0 in QEMU, without KVM: started, asked over ssh, ended.

Nothing leaves the machine: QEMU's network is closed but for the apt-cacher, which dom0 and guests see at
10.0.2.100:3142. One guest at a time: dom0 has the first CPU for itself, guests say cpus: "1".
"""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.lab.image import ADDRESS, CACHER, Dom0Image

VOLUME_GROUP = "vg0"
_VG_SIZE = 24 << 30  # sparse
MEMORY = "6144"
_LAST_WORDS = 30.0  # seconds; Xen mostly halts without the machine going off
_PATIENCE = 600.0  # seconds for dom0 to answer; it takes about 75 on two idle cores
# Off under TCG: smap (a bug in IRET before QEMU 9.1 kills dom0), la57, xsave (AVX state was mixed up between vCPUs),
# rdtscp (Xen cannot emulate it: a PVH guest dies by "SVM Insn len emulation failed"). Measured with QEMU 7.2.
CPU = "max,-smap,-la57,-xsave,-rdtscp"
_XEN = (
    "dom0_mem=2048M,max:2048M dom0_max_vcpus=1 dom0_vcpus_pin com1=115200,8n1 console=com1 loglvl=info "
    "guest_loglvl=info spec-ctrl=no,eager-fpu xpti=no smt=off noreboot ucode=no watchdog=0"
)
_LINUX = "root=/dev/vda ro console=hvc0 net.ifnames=0 mitigations=off quiet loglevel=4"


class LabError(Exception):
    """The lab did not do what was asked of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command in dom0 left."""

    command: str
    status: int
    out: str
    err: str

    def checked(self) -> str:
        """Its output; LabError when it failed."""
        if self.status:
            raise LabError(f"in dom0: {self.command}\nstatus {self.status}\n{self.out[-2000:]}{self.err[-2000:]}")
        return self.out


@dataclass(frozen=True)
class Lab:
    """A dom0 that runs, as seen over ssh; any number of processes may have one."""

    image: Dom0Image
    port: int

    def run(self, command: str, *, stdin: bytes = b"", limit: float = 300.0) -> str:
        """The output of a shell command in dom0; LabError when it fails or does not end in time."""
        return self.ask(command, stdin=stdin, limit=limit).checked()

    def ask(self, command: str, *, stdin: bytes = b"", limit: float = 300.0) -> Answer:
        """As run, whatever its exit status."""
        argv = [*self._ssh(), "root@127.0.0.1", command]
        try:
            done = subprocess.run(argv, input=stdin, capture_output=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"in dom0: {command}\nno end within {limit:.0f} s") from error
        return Answer(
            command, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )

    def write(self, path: str, data: bytes | str) -> None:
        """A file of dom0, and its folder."""
        place = shlex.quote(path)
        text = data.encode() if isinstance(data, str) else data
        self.run(f"mkdir -p $(dirname {place}) && cat >{place}", stdin=text)

    def read(self, path: str) -> str:
        """A text file of dom0."""
        return self.run(f"cat {shlex.quote(path)}")

    def copy(self, source: Path, folder: str, names: Sequence[str] = (".",)) -> None:
        """Files and folders of `source` into a folder of dom0, by tar."""
        packed = subprocess.run(
            ["tar", "--create", "--owner=0", "--group=0", "-C", source, *names], capture_output=True, check=True
        )
        place = shlex.quote(folder)
        self.run(f"mkdir -p {place} && tar -x -C {place}", stdin=packed.stdout, limit=900)

    def guest(self, address: str, command: str, *, limit: float = 300.0) -> str:
        """The output of a shell command in a guest of the lab."""
        inner = f"ssh -o ConnectTimeout=30 -o BatchMode=yes root@{address} {shlex.quote(command)}"
        return self.run(inner, limit=limit)

    def close(self) -> None:
        """End the shared connection."""
        subprocess.run([*self._ssh(), "-O", "exit", "root@127.0.0.1"], capture_output=True, check=False)

    def _ssh(self) -> list[str]:
        """One connection for all: a handshake takes seconds without KVM."""
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "BatchMode": "yes",
            "ConnectTimeout": "20",
            "ControlMaster": "auto",
            "ControlPersist": "600",
            "ControlPath": str(self.image.folder / "ssh"),
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-i", str(self.image.key), "-p", str(self.port), *words]


class Machine:
    """One QEMU with Xen and a dom0; ends with the block. `disks` are files that dom0 sees as /dev/vdc and on.

    Fresh, it begins with the image as it was made and an empty volume group; otherwise as the last one ended.
    """

    def __init__(self, image: Dom0Image, cacher_port: int, disks: Sequence[Path] = (), *, fresh: bool = True) -> None:
        self.image, self._cacher, self._disks, self._fresh = image, cacher_port, tuple(disks), fresh
        self.port = _free_port()
        self.lab = Lab(image, self.port)

    def __enter__(self) -> Self:
        if self._fresh:
            self._lay_disks()
        log = (self.image.folder / "qemu.out").open("wb")
        with log:
            self.qemu = subprocess.Popen(
                self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait()
            if self._fresh:
                self.lab.run(f"pvcreate -q /dev/vdb && vgcreate -q {VOLUME_GROUP} /dev/vdb")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.lab.ask("sync; poweroff")
        self.lab.close()
        with suppress(subprocess.TimeoutExpired):
            self.qemu.wait(_LAST_WORDS)
        self._end()

    def _end(self) -> None:
        self.qemu.kill()
        self.qemu.wait()

    def _lay_disks(self) -> None:
        """An overlay on the image, and a disk for the volume group."""
        overlay: list[str | Path] = [
            "qemu-img",
            "create",
            "-q",
            "-f",
            "qcow2",
            "-b",
            self.image.disk,
            "-F",
            "raw",
            self._root,
        ]
        subprocess.run(overlay, check=True)
        with self._volumes.open("wb") as file:
            file.truncate(_VG_SIZE)

    @property
    def _root(self) -> Path:
        return self.image.folder / "root.qcow2"

    @property
    def _volumes(self) -> Path:
        return self.image.folder / "vg.img"

    def argv(self) -> list[str]:
        """QEMU's command line."""
        image = self.image
        relay = f"socat -T 600 STDIO TCP4:127.0.0.1:{self._cacher}"  # a process for each connection
        net = f"user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-{ADDRESS}:22,guestfwd=tcp:{CACHER}-cmd:{relay}"
        # QEMU takes a comma for the end of a module unless it is doubled.
        modules = f"{image.kernel} {_LINUX.replace(',', ',,')},{image.initrd}"
        argv = ["qemu-system-x86_64", "-name", f"dom0-{image.suite}", "-machine", "q35", "-m", MEMORY]
        argv += ["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", CPU, "-smp", "2", "-nodefaults", "-nographic"]
        argv += ["-no-reboot", "-serial", f"file:{image.folder / 'serial.log'}"]
        argv += ["-kernel", str(image.xen), "-append", _XEN, "-initrd", modules]
        argv += ["-netdev", net, "-device", "virtio-net-pci,netdev=n,romfile=", "-device", "virtio-rng-pci"]
        drive = "if=virtio,cache=unsafe"
        argv += ["-drive", f"{drive},format=qcow2,file={self._root}"]
        argv += ["-drive", f"{drive},format=raw,discard=unmap,file={self._volumes}"]
        for disk in self._disks:
            argv += ["-drive", f"{drive},format=raw,readonly=on,file={disk}"]
        return argv

    def _wait(self) -> None:
        begin = time.monotonic()
        while time.monotonic() - begin < _PATIENCE:
            if self.qemu.poll() is not None:
                raise LabError(f"QEMU ended: {(self.image.folder / 'qemu.out').read_text()[-2000:]}")
            if self.lab.ask("true", limit=60).status == 0:
                return
            time.sleep(3)
        serial = (self.image.folder / "serial.log").read_text(errors="replace")
        raise LabError(f"dom0 does not answer after {_PATIENCE:.0f} s; its console ends:\n{serial[-3000:]}")


def missing_programs() -> list[str]:
    """What has to be installed first."""
    wanted = (
        "qemu-system-x86_64",
        "qemu-img",
        "mmdebstrap",
        "mke2fs",
        "sfdisk",
        "ssh",
        "ssh-keygen",
        "socat",
        "tar",
        "ip",
    )
    return [name for name in wanted if not shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
