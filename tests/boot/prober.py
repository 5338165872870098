"""Run an installer in QEMU with a preseed, and tell at which question it stops.

The installer's debconf logs its protocol (DEBCONF_DEBUG=5) to syslog, which comes out at a second serial port.
A stop is a GO that is not answered; the INPUTs before it that debconf did not skip are what it waits for.
To be quick, the machine is saved at checkpoints: before each the installer has loaded the answers of the earlier
stages alone, and behind it loads those of this stage, less the one to do without.
"""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from builder.image.initrd import InitrdPayload, segment

GUEST_MIRROR = "10.0.2.100:3142"
STILL = 5.0  # seconds without a word in syslog, with a GO that is not answered, that make a stop
SILENCE = 180.0  # a busy machine is slow, not silent
LIMIT = 1200.0
MEMORY = "1024"
DISK = "12G"
_PROTOCOL = re.compile(r"debconf(?:\[\d+\])?: (-->|<--) ?(.*)$")

# Stages in order, and the number of the menu item before which the machine is saved; the first is no menu item.
STAGES: Mapping[str, int] = {"start": 0, "network": 1750, "mirror": 2200, "accounts": 2350, "partitioning": 3950}

WATCH = """#!/bin/sh
# The log from its beginning, for the other side.
tail -n +1 -f /var/log/syslog </dev/null >/dev/ttyS1 2>&1 &
"""
# Waits for orders: `-QUESTION` leaves an answer out, `+LINE` adds one, `go` goes on.
ORDERS = """#!/bin/sh
stage=$1 kept=$2
exec 4<>/dev/ttyS1
logger "DOMU-CHECKPOINT $stage"
less= more=/tmp/domu-more
: >$more
while read -r order <&4; do
    case $order in
    -*) less="$less ${order#-} " ;;
    +*) echo "${order#+}" >>$more ;;
    go) break ;;
    esac
done
while read -r owner question rest; do
    case $less in
    *" $question "*) ;;
    *) echo "$owner $question $rest" ;;
    esac
done </domu/part-$stage >"$kept"
cat $more >>"$kept"
exit 0
"""
START = """#!/bin/sh
sh /domu/orders start /preseed.cfg
"""
# As file-preseed does it.
POSTINST = """#!/bin/sh
set -e
[ -e /domu/orders ] || exit 0
sh /domu/orders @STAGE@ /tmp/domu-@STAGE@.cfg </dev/null >/dev/null 2>&1
. /usr/share/debconf/confmodule
. /lib/preseed/preseed.sh
preseed_location file:///tmp/domu-@STAGE@.cfg
exit 0
"""
# main-menu's word when all is partitioned, formatted and mounted: the end of what is looked at.
END = "Menu item 'bootstrap-base' selected"


@dataclass(frozen=True, slots=True)
class Stop:
    """How a run ended: `how` is question, marker (END), panic, ended, silence or a checkpoint's name."""

    how: str
    questions: tuple[tuple[str, str], ...]  # (priority, name), those shown together
    seconds: float
    console: str = field(repr=False, default="")

    @property
    def question(self) -> str:
        """The name of the first question that is shown, or how it ended otherwise."""
        return self.questions[0][1] if self.how == "question" else self.how


class Protocol:
    """Follows debconf's protocol: what was put on show, whether it waits, and the last word of ours."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str]] = []
        self.waiting = False
        self.word = ""
        self._command = ""

    def read(self, line: str) -> None:
        """One line of syslog."""
        if END in line:
            self.word = "marker"
        if word := re.search(r"DOMU-CHECKPOINT (\w+)$", line.rstrip()):
            self.word = word[1]
        match = _PROTOCOL.search(line.rstrip())
        if not match:
            return
        way, text = match[1], match[2].strip()
        if way == "-->":
            self._command = text
            self.waiting = text.partition(" ")[0].upper() == "GO"
            return
        words = self._command.split()
        if words and words[0].upper() == "INPUT" and text.startswith("0"):
            self.shown.append((words[1], words[2]))
        if words and words[0].upper() in {"GO", "CLEAR", "STOP"}:
            self.shown = []
        self.waiting = False


@dataclass(frozen=True)
class Installer:
    """One suite's stock kernel and initrd, what is appended to the latter, and where its libraries are."""

    kernel: Path
    initrd: Path
    supplement: Path | None
    library: str
    mirror: str


class Machine:
    """One QEMU; ends with the block. `resume` names a checkpoint of the disk to go on from."""

    def __init__(self, installer: Installer, folder: Path, *, parameters: Mapping[str, str], resume: str = "") -> None:
        self._installer, self._folder, self._resume, self._parameters = installer, folder, resume, parameters
        self._console = folder / "console"
        self._protocol = Protocol()
        self._rest = ""

    def __enter__(self) -> Self:
        serial, monitor = self._folder / "serial", self._folder / "monitor"
        for path in (serial, monitor):
            path.unlink(missing_ok=True)
        self._screen = self._console.open("wb")
        self._log = (self._folder / "syslog").open("w")
        self._begin = time.monotonic()
        self._qemu = subprocess.Popen(
            self._argv(serial, monitor), stdin=subprocess.DEVNULL, stdout=self._screen, stderr=subprocess.STDOUT
        )
        self._serial, self._monitor = self._connect(serial), self._connect(monitor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._qemu.kill()
        self._qemu.wait()
        for resource in (self._serial, self._monitor, self._screen, self._log):
            resource.close()

    def _connect(self, path: Path) -> socket.socket:
        """QEMU's end of a socket, which appears soon after its start."""
        for _ in range(100):
            found = socket.socket(socket.AF_UNIX)
            try:
                found.connect(str(path))
            except OSError:
                found.close()
                time.sleep(0.1)
            else:
                found.settimeout(0.3)
                return found
        raise AssertionError(f"QEMU did not start: {self._console.read_text()}")

    def _argv(self, serial: Path, monitor: Path) -> list[str]:
        pipe = shlex.join(
            [
                sys.executable,
                "-ESs",
                str(Path(__file__).with_name("pipe.py")),
                self._installer.mirror,
                str(self._kept()),
            ]
        )
        parameters = {"console": "ttyS0", "DEBIAN_FRONTEND": "text", "DEBCONF_DEBUG": "5", "TERM": "dumb"}
        append = " ".join(f"{name}={value}" for name, value in (parameters | dict(self._parameters)).items())
        argv = ["qemu-system-x86_64", "-accel", "tcg", "-m", MEMORY, "-nodefaults", "-vga", "none", "-no-reboot"]
        argv += ["-kernel", str(self._installer.kernel), "-initrd", str(self._folder / "initrd"), "-append", append]
        argv += ["-display", "none", "-serial", "stdio", "-serial", f"unix:{serial},server=on,wait=on"]
        argv += ["-monitor", f"unix:{monitor},server=on,wait=off"]
        argv += ["-netdev", f"user,id=n,restrict=on,guestfwd=tcp:{GUEST_MIRROR}-cmd:{pipe}"]
        argv += ["-device", "virtio-net-pci,netdev=n,romfile=,mac=52:54:00:12:34:56"]
        argv += ["-drive", f"file={self._folder / 'disk.qcow2'},if=virtio,format=qcow2,cache=unsafe"]
        return [*argv, "-loadvm", self._resume] if self._resume else argv

    def _kept(self) -> Path:
        kept = self._folder.parent / "http"
        kept.mkdir(exist_ok=True)
        return kept

    def tell(self, orders: Sequence[str]) -> None:
        """Give the waiting checkpoint its orders."""
        self._protocol.word = ""
        self._serial.sendall("".join(f"{order}\n" for order in orders).encode())

    def save(self, name: str) -> None:
        """Keep the machine as it is, in its disk's file."""
        self._monitor.sendall(f"savevm {name}\ninfo status\n".encode())
        heard = ""
        while "VM status" not in heard:
            try:
                heard += self._monitor.recv(4096).decode(errors="replace")
            except TimeoutError:
                continue
        assert "Error" not in heard, heard

    def watch(self) -> Stop:
        """Until it waits for a person, or for us, or ends."""
        protocol, begin = self._protocol, time.monotonic()
        still = begin
        how = ""
        while not how:
            try:
                news = self._serial.recv(1 << 16).decode(errors="replace")
            except TimeoutError:
                news = ""
            now = time.monotonic()
            still = now if news else still
            *lines, self._rest = (self._rest + news).split("\n")
            for line in lines:
                self._log.write(f"{line.rstrip()}\n")
                protocol.read(line)
            if protocol.word:
                how = protocol.word
            elif protocol.waiting and protocol.shown and now - still > STILL:
                how = "question"
            elif self._qemu.poll() is not None:
                how = "ended"
            elif now - still > SILENCE or now - begin > LIMIT:
                panic = b"Kernel panic" in self._console.read_bytes()
                how = "panic" if panic else "silence"
        console = self._console.read_text(errors="replace")
        return Stop(how, tuple(protocol.shown), time.monotonic() - begin, console)


class Prober:
    """Prepares an installer's machine for a complete preseed, given in parts by stage, and runs it with less."""

    def __init__(self, installer: Installer, parts: Mapping[str, str], folder: Path, priority: str = "high") -> None:
        self._installer, self._folder = installer, folder
        self._parameters = {"priority": priority}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "initrd").write_bytes(self._packed(parts, "".join(parts.values()), whole=False))

    def _packed(self, parts: Mapping[str, str], preseed: str, *, whole: bool) -> bytes:
        """Our segment, the installer's initrd, the supplement; `whole` without checkpoints."""
        startup = f"{self._installer.library}/debian-installer-startup.d"
        files = {
            "/preseed.cfg": InitrdPayload(preseed.encode(), 0o600),
            f"{startup}/S11watch": InitrdPayload(WATCH.encode(), 0o755),
        }
        if not whole:
            files[f"{startup}/S29checkpoint"] = InitrdPayload(START.encode(), 0o755)
            files["/domu/orders"] = InitrdPayload(ORDERS.encode())
            files |= {f"/domu/part-{stage}": InitrdPayload(text.encode()) for stage, text in parts.items()}
        packed = segment(files) + self._installer.initrd.read_bytes()
        if self._installer.supplement:
            packed += bytes(-len(packed) % 512) + self._installer.supplement.read_bytes()
        return packed

    def _new_disk(self) -> None:
        disk = self._folder / "disk.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, DISK], check=True)

    def whole(self, preseed: str) -> Stop:
        """One boot with this preseed in the initrd, as a guest has it: no checkpoint."""
        (self._folder / "initrd").write_bytes(self._packed({}, preseed, whole=True))
        self._new_disk()
        with Machine(self._installer, self._folder, parameters=self._parameters) as machine:
            return machine.watch()

    def prepare(self) -> dict[str, Stop]:
        """Go through all stages once with nothing left out, saving the machine before each."""
        self._new_disk()
        stops: dict[str, Stop] = {}
        with Machine(self._installer, self._folder, parameters=self._parameters) as machine:
            for stage in STAGES:
                stops[stage] = machine.watch()
                if stops[stage].how != stage:
                    break
                machine.save(stage)
                machine.tell(["go"])
            else:
                stops["marker"] = machine.watch()
        return stops

    def without(self, stage: str, questions: Sequence[str], more: Sequence[str] = ()) -> Stop:
        """Go on from before this stage with its answers but those to `questions`, and `more` lines.

        When nothing is asked, that ends at the next checkpoint.
        """
        with Machine(self._installer, self._folder, parameters=self._parameters, resume=stage) as machine:
            machine.tell([*(f"-{name}" for name in questions), *(f"+{line}" for line in more), "go"])
            return machine.watch()


def checkpoint_udebs() -> dict[str, tuple[str, str, str]]:
    """Status stanza, postinst and templates of each checkpoint that is a menu item."""
    found = {}
    for stage, number in STAGES.items():
        if number:
            name = f"domu-{stage}"
            stanza = (
                f"Package: {name}\nStatus: install ok unpacked\nVersion: 1\nArchitecture: all\n"
                f"Installer-Menu-Item: {number}\nDescription: checkpoint {stage}\n"
            )
            title = f"Template: debian-installer/{name}/title\nType: text\nDescription: checkpoint {stage}\n"
            found[name] = (stanza, POSTINST.replace("@STAGE@", stage), title)
    return found
