"""Real installers are watched on their consoles: answers are taken away, and the question that waits is told.

`make watch-test`; docs/watch.md has a run's output. Each case is one boot from the start, in
QEMU without KVM, with the answers, steps and arguments that a guest has.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builder.host.apt import find_mirror
from builder.host.run import run
from builder.host.site import Site
from builder.image.initrd import InitrdPayload, segment
from builder.media.mirror import MirrorAnswers
from builder.plan.watch import InstallWatch, Verdict, kept_logs
from builder.preseed.catalogue import Catalogue
from builder.preseed.render import Rendered
from builder.profile.model import Suite
from builder.units import Size
from builder.workflows.look_up import look_up
from builder.xen.config import INSTALLER_ARGUMENTS
from builder.xen.readings import Domain, DomainState
from tests.boot.prober import GUEST_MIRROR
from tests.boot.supplement import make_supplement
from tests.boot.test_predict import PROFILE
from tests.guests import ROOT, guest, rendered
from tests.media import netboot_media

pytestmark = [
    pytest.mark.boot,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="qemu-system-x86_64 is not installed"),
]
SUITES: tuple[Suite, ...] = ("trixie", "bookworm")
LIMIT = 1800.0  # seconds, for a boot up to partitioning beside other work
RUNNING = Domain("web1", 1, Size(1 << 30), 1, DomainState(running=True), 0.0)


@dataclass(frozen=True, slots=True)
class Case:
    """What is taken away or put in, and what is told: the ending, the question, and part of the hint."""

    label: str
    kind: str
    question: str
    hint: str
    without: tuple[str, ...] = ()
    profile: tuple[tuple[str, Any], ...] = ()
    archive: str = "/debian"
    transient: bool = False
    network: bool = True
    logs: tuple[str, ...] = ("syslog",)

    def __str__(self) -> str:
        return self.label


# What finish-install does at last, with nothing installed: does the hook behind 95umount still have a console?
_LAST = "sleep 30; : >/domu/late.done; umount -a; sh /usr/lib/finish-install.d/96domu; poweroff -f"
END = f"{{ {_LAST}; }} </dev/null >/dev/null 2>&1 3>&- &"
GERMAN: Mapping[str, Any] = {"profile": (("locale", "de_DE.UTF-8"),)}
NO_COUNTRY: Mapping[str, Any] = {"profile": (("locale", "C.UTF-8"),)}


def lacks(question: str, asked: str, hint: str, **more: Any) -> Case:
    words = ", ".join(["without " + question, *(f"{name} {value}" for name, value in more.get("profile", ()))])
    return Case(words, "question", asked, hint, (question,), **more)


CASES = (
    lacks("debian-installer/locale", "localechooser/languagelist", "d-i debian-installer/locale string"),
    lacks("netcfg/get_gateway", "netcfg/get_gateway", "d-i netcfg/get_gateway string"),
    # A locale in another language, as the templates give it, and without what they give beside it.
    lacks("netcfg/get_gateway", "netcfg/get_gateway", "d-i netcfg/get_gateway string", **GERMAN),
    lacks("netcfg/get_gateway", "netcfg/get_gateway", "d-i netcfg/get_gateway string", **NO_COUNTRY),
    Case(
        "a German locale alone",
        "question",
        "localechooser/languagelist",
        "d-i debian-installer/locale string",
        ("debian-installer/language", "debian-installer/country"),
        **GERMAN,
    ),
    lacks("passwd/root-password-crypted", "passwd/root-password", "d-i passwd/root-password-crypted password"),
    lacks("passwd/username", "passwd/username", "d-i passwd/username string"),
    lacks("partman-auto/method", "partman-auto/init_automatically_partition", "d-i partman-auto/method string"),
    lacks(
        "partman/confirm_nooverwrite",
        "partman/confirm_nooverwrite",
        "d-i partman/confirm_nooverwrite boolean true",
        logs=("partman", "syslog"),
    ),
    Case(
        "a failing early step",
        "gave up",
        "",
        "domu-early.log",
        profile=(("early_commands", ["echo no; exit 3"]),),
    ),
    Case(
        "an early end",
        "finished",
        "",
        "",
        profile=(("early_commands", [END]),),
        logs=(),
    ),
    Case(
        "a mirror without the archive",
        "gave up",
        "mirror/bad",
        "mirror",
        archive="/nothing",
        transient=True,
    ),
    Case(
        "no DHCP",
        "gave up",
        "netcfg/dhcp_failed",
        "DHCP",
        profile=(("nics", [{"bridge": "xenbr0", "mac": "52:54:00:12:34:56"}]),),
        transient=True,
        network=False,
    ),
)


@dataclass(frozen=True, slots=True)
class Ready:
    """A suite's stock installer, with the udebs that it would fetch behind it."""

    suite: Suite
    kernel: Path
    initrd: bytes
    catalogue: Catalogue
    mirror: str


@pytest.fixture(scope="module", params=SUITES)
def ready(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    suite: Suite = request.param
    folder = tmp_path_factory.mktemp(suite)
    media = netboot_media(suite, folder)
    supplement = make_supplement(Site(ROOT), media, folder / "supplement")
    initrd = media.initrd.path.read_bytes()
    initrd += bytes(-len(initrd) % 512) + supplement.archive.read_bytes()
    print(f"\n{suite}, installer {media.installer_version}, kernel {media.kernel_abi}")
    print("\n| suite | with | told | question | line or hint | s |\n|---|---|---|---|---|---|")
    yield Ready(suite, media.kernel.path, initrd, look_up(None, suite).catalogue, str(find_mirror(run)))
    shutil.rmtree(folder)


def preseed_of(suite: Suite, case: Case) -> Rendered:
    mirror = MirrorAnswers("http", GUEST_MIRROR, case.archive, "")
    return rendered(guest(suite=suite, **{**PROFILE, **dict(case.profile)}), mirror=mirror)


def packed(ready: Ready, case: Case) -> bytes:
    """The initrd as a build makes it, less an answer, and for QEMU's disk in place of Xen's."""
    made = preseed_of(ready.suite, case)
    lines = [line for line in made.text.splitlines() if [*line.split(), "", ""][1] not in case.without]
    text = "\n".join([*lines, ""]).replace("/dev/xvda", "/dev/vda")
    files = {path: InitrdPayload(script.encode(), 0o600) for path, script in made.files.items()}
    return segment({**files, "/preseed.cfg": InitrdPayload(text.encode(), 0o600)}) + ready.initrd


def argv(ready: Ready, case: Case, folder: Path) -> list[str]:
    pipe = shlex.join(
        [sys.executable, "-ESs", str(Path(__file__).with_name("pipe.py")), ready.mirror, str(folder.parent)]
    )
    net = f"user,id=n,restrict=on,guestfwd=tcp:{GUEST_MIRROR}-cmd:{pipe}" if case.network else "hubport,id=n,hubid=0"
    return [
        "qemu-system-x86_64",
        *("-accel", "tcg"),
        *("-m", "1024"),
        *("-nodefaults", "-vga", "none", "-no-reboot", "-display", "none", "-serial", "stdio"),
        *("-kernel", str(ready.kernel), "-initrd", str(folder / "initrd")),
        *("-append", " ".join([*INSTALLER_ARGUMENTS, "console=ttyS0"])),
        *("-netdev", net, "-device", "virtio-net-pci,netdev=n,romfile=,mac=52:54:00:12:34:56"),
        *("-drive", f"file={folder / 'disk.qcow2'},if=virtio,format=qcow2,cache=unsafe"),
    ]


@dataclass(frozen=True, slots=True)
class Told:
    """What the watch said, how many seconds after the installer's last word, and the console."""

    verdict: Verdict
    seconds: float
    console: str
    stages: tuple[str, ...]


def watch(ready: Ready, case: Case, folder: Path) -> Told:
    """Boot, and follow the console as it is written, until there is a verdict."""
    (folder / "initrd").write_bytes(packed(ready, case))
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "disk.qcow2", "12G"], check=True)
    watched, log = InstallWatch("web1", ready.catalogue), folder / "console"
    stages: list[str] = []
    with log.open("wb") as screen, log.open("rb") as console:
        qemu = subprocess.Popen(argv(ready, case, folder), stdin=subprocess.DEVNULL, stdout=screen, stderr=screen)
        begin = last = time.monotonic()
        said = ""
        try:
            while (now := time.monotonic()) < begin + LIMIT:
                watched.feed(console.read().decode(errors="replace"), now)
                words = own_words(log)
                said, last = words, last if words == said else now
                if watched.stage.title not in stages[-1:]:
                    stages.append(watched.stage.title)
                verdict = watched.look(now, RUNNING if qemu.poll() is None else None)
                if verdict:
                    return Told(verdict, now - last, log.read_text(errors="replace"), tuple(stages))
                time.sleep(0.5)
        finally:
            qemu.kill()
            qemu.wait()
    pytest.fail(f"nothing was told; the console's end:\n{said[-3000:]}")


def own_words(log: Path) -> str:
    """The installer's words alone, and that a step failed; found in another way than the watch does it."""
    lines = log.read_text(errors="replace").replace("\r", "").split("\n")
    kept = [line for line in lines if not line.startswith("[ ") or "steps failed" in line]
    return "\n".join(re.sub(r"\[ *\d+\.\d{6}\] (?!domu: web1: \w+ steps).*", "", line) for line in kept)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_an_installation_waits_for_is_told(ready: Ready, case: Case, tmp_path: Path) -> None:
    told = watch(ready, case, tmp_path)
    verdict = told.verdict
    name = verdict.prompt.names[0] if verdict.prompt and verdict.prompt.names else ""
    shown = verdict.hint if verdict.kind == "question" else f"{verdict.message}; {verdict.hint}"
    print(f"\n| {ready.suite} | {case} | {verdict.kind} | {name} | {shown} | {told.seconds:.0f} |")
    print("\nstages:", "; ".join(told.stages))
    (tmp_path / "verdict").write_text(repr(verdict))
    assert (verdict.kind, name, verdict.transient) == (case.kind, case.question, case.transient), told.console[-3000:]
    assert case.hint in verdict.hint
    assert told.seconds < 60
    logs = kept_logs(told.console)
    assert set(case.logs) <= set(logs), told.console[-3000:]
    print("\nsyslog's last lines:", *logs.get("syslog", "").splitlines()[-3:], sep="\n    ")
